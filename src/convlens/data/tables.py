"""Tables that name image files, with a row an image."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize, some
from convlens.data.array_labels import numbered
from convlens.data.image_files import no_images
from convlens.data.image_set import SPLITS, Doubt, Skipped, normalized
from convlens.data.labeled import UNSAID, Labeled, validate_case
from convlens.data.settings import DataSettings
from convlens.data.split_names import split_named
from convlens.data.table_columns import (
    IMAGE_COLUMNS,
    LEFT_OUT,
    columns_of_use,
    find_columns,
    split_in,
)
from convlens.data.table_errors import bad_table
from convlens.data.table_files import TABLE_SUFFIXES, read_records
from convlens.data.table_labels import (
    is_missing,
    refuse_numbers_to_predict,
    refuse_several_labels,
    refuse_unclear_labels,
    without_decimals,
)
from convlens.data.table_paths import FileFinder, is_address

__all__ = ["LEFT_OUT", "TABLE_SUFFIXES", "read_table", "read_tables"]


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    path: str
    label: str
    split: int
    group: str


@dataclass
class _Rows:
    """The rows of one or more tables, by file, and what was left out."""

    rows: dict[str, _Row] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    conflicts: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unused_splits: list[Doubt] = field(default_factory=list)
    grouped: bool = False


def read_table(path: Path, settings: DataSettings, *, for_training: bool = True) -> Labeled:
    """Read a table with a row an image.

    File names are relative to the table's folder. A row whose file is missing, whose label is
    missing or whose split is ``left out`` is skipped and named; a file that stands there twice with
    the same label counts once. Groups are read as they stand: one that is torn between splits is
    found before training, beside all else.

    Args:
        path: a ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` file.
        settings: what the columns are called, and which labels mean that there is none.
        for_training: whether labels must be classes to train on.

    Raises:
        ConvlensError: the table cannot be read, a column is missing, a file has two labels, splits
            or groups, or the labels are no classes.
    """
    return read_tables([(path, UNSAID)], settings, for_training=for_training)


def read_tables(
    parts: Sequence[tuple[Path, int]],
    settings: DataSettings,
    *,
    for_training: bool = True,
    splits_from_folders: bool = False,
    within: Path | None = None,
) -> Labeled:
    """Read several tables as one.

    Args:
        parts: each table, and the split of its images where it has no column that says so.
        settings: as for `read_table`.
        for_training: as for `read_table`.
        splits_from_folders: whether files in folders named like splits are in these splits, where
            no column says so.
        within: the folder that no file name may lead out of; None where they may lead anywhere.

    Raises:
        ConvlensError: as `read_table`.
    """
    where = str(parts[0][0])
    found = _Rows()
    for path, split in parts:
        _read_rows(path, split, settings, found, within)
    if found.conflicts:
        raise ConvlensError(
            f"{where} says two things of {pluralize(len(found.conflicts), 'file')}: "
            f"{some(found.conflicts.values(), 3)}; expected one label, split and group an image",
            remedy="mend or remove the rows",
            between=": ",
            code="conflicting-rows",
        )
    if not found.rows:
        raise no_images(where, found.skipped)
    rows = [*found.rows.values()]
    _refuse_partial_splits(where, rows)
    rows, doubts = _with_splits_of_folders(parts[0][0], rows, found, use=splits_from_folders)
    labels = _labels(where, rows, found, settings, for_training=for_training)
    classes, numbers = numbered(normalized(label) for label in labels)
    validate_case(where, classes)
    _, groups = numbered(row.group for row in rows)
    return Labeled(
        name=parts[0][0].stem,
        classes=classes,
        labels=numbers,
        given=np.array([row.split for row in rows], np.int8),
        paths=[row.path for row in rows],
        groups=groups if found.grouped else None,
        root=str(parts[0][0].parent),
        skipped=tuple(found.skipped),
        notes=tuple(found.notes),
        doubts=doubts,
    )


def _read_rows(
    path: Path, split: int, settings: DataSettings, found: _Rows, within: Path | None
) -> None:
    expected = (settings.image_column, *IMAGE_COLUMNS)
    columns, records = read_records(path, expected, wanted=columns_of_use(settings))
    named = find_columns(path, columns, records, settings)
    found.notes += named.notes
    found.unused_splits += [named.unused_split] if named.unused_split else []
    found.grouped |= "group" in named.names
    finder = FileFinder(path.parent, within)
    reader = _RowReader(path, named.names, split, settings, finder)
    before, repeated = len(found.rows), 0
    for number, record in records:
        row = reader.read(number, record, found.skipped)
        if row is None:
            continue
        first = found.rows.setdefault(row.path, row)
        if first is not row:
            repeated += 1
            if told := _conflict(first, row):
                found.conflicts.setdefault(row.path, told)
    if reader.lost and len(found.rows) == before:
        raise _none_found(path, reader.lost, finder, records)
    found.notes += _notes(path, reader, finder, repeated)


class _RowReader:
    """Reads the rows of one table.

    Attributes:
        lost: row numbers and names of the files that are not there.
        unlabeled: how often each text stood for no label; "" for an empty cell.
    """

    def __init__(
        self,
        path: Path,
        names: Mapping[str, str],
        split: int,
        settings: DataSettings,
        finder: FileFinder,
    ) -> None:
        self.lost: list[tuple[int, str]] = []
        self.unlabeled: dict[str, int] = {}
        self._path = path
        self._names = names
        self._split = split
        self._missing = settings.missing_labels
        self._finder = finder

    def read(self, number: int, record: Mapping[str, str], skipped: list[Skipped]) -> _Row | None:
        cells = {kind: record[column].strip() for kind, column in self._names.items()}
        image, label = cells["image"], cells["label"]
        for kind, cell in cells.items():
            if "\0" in cell and kind != "image":  # of a name that no file has, more is said below
                raise bad_table(
                    f"row {number} of {self._path} has a {kind} with a null character",
                    "mend or remove that row",
                )
        if cells.get("split", "").casefold() == LEFT_OUT:
            why = cells.get("reason", "")
            skipped.append(
                Skipped(self._shown(image), f"row {number}: left out" + f" ({why})" * bool(why))
            )
            return None
        if is_missing(label, self._missing):
            self.unlabeled[label] = self.unlabeled.get(label, 0) + 1
            reason = f"row {number}: no label" + f" ('{label}')" * bool(label)
            skipped.append(Skipped(self._shown(image), reason, unlabeled=True))
            return None
        file = self._finder.find(image)
        if not file:
            self.lost.append((number, image))
            reason = f"row {number}: {self._finder.why_not(image)}"
            skipped.append(Skipped(self._shown(image), reason, unreadable=bool(image)))
            return None
        # An image without a group is a group of its own.
        group = cells.get("group", "") or f"\0{file}"
        return _Row(number, file, label, self._side(number, cells.get("split", "")), group)

    def _shown(self, image: str) -> str:
        return self._finder.tried(image) or "(no file name)"

    def _side(self, number: int, cell: str) -> int:
        if not cell:
            return UNSAID if "split" in self._names else self._split
        split = split_in(self._names["split"], cell)
        if split is None:
            raise bad_table(
                f"row {number} of {self._path} has the split '{cell}'", "use train, val and test"
            )
        return SPLITS.index(split)


def _notes(path: Path, reader: _RowReader, finder: FileFinder, repeated: int) -> list[str]:
    notes = []
    if repeated:
        rows = pluralize(repeated, "row")
        notes.append(f"{rows} of {path.name} named a file that an earlier row names")
    if finder.completed:
        short, whole = finder.completed
        notes.append(
            f"{pluralize(finder.completions, 'name')} without a suffix in {path.name} completed, "
            f"the first '{short}' to {whole}"
        )
    if reader.unlabeled:
        texts = some((f"'{text}'" if text else "empty" for text in reader.unlabeled), 3)
        notes.append(
            f"{pluralize(sum(reader.unlabeled.values()), 'row')} of {path.name} without a label "
            f"({texts}) left out"
        )
    if reader.lost:
        number, name = reader.lost[0]
        hint = finder.hint(name)
        notes.append(
            f"{pluralize(len(reader.lost), 'file')} of {path.name} not found, the first in row "
            f"{number}" + f"; {hint}" * bool(hint)
        )
    return notes


def _none_found(
    path: Path, lost: Sequence[tuple[int, str]], finder: FileFinder, records: Sequence[object]
) -> ConvlensError:
    number, name = next((row for row in lost if row[1]), lost[0])
    first = f"row {number}: {finder.why_not(name)}: {finder.tried(name) or '(no file name)'}"
    addresses = sum(is_address(name) for _, name in lost)
    what = f" ({addresses:,} are web addresses)" if addresses else ""
    return ConvlensError(
        f"no images in {path}: of {pluralize(len(records), 'row')} none names a file that is "
        f"there{what}; the first is {first}",
        remedy=finder.hint(name) or "write the path of an image file in each row",
        code="no-images",
    )


def _labels(
    where: str,
    rows: Sequence[_Row],
    found: _Rows,
    settings: DataSettings,
    *,
    for_training: bool,
) -> list[str]:
    """The labels of the rows, where they are classes."""
    labels = [row.label for row in rows]
    if settings.missing_labels is None:
        refuse_unclear_labels(where, labels)
    if for_training:
        refuse_numbers_to_predict(where, labels)
        refuse_several_labels(where, {row.number: row.label for row in rows})
    whole = without_decimals(labels)
    if whole is not None:
        found.notes.append(f"labels read as whole numbers: {labels[0]} -> {whole[0]}")
    return whole or labels


def _with_splits_of_folders(
    path: Path, rows: list[_Row], found: _Rows, *, use: bool
) -> tuple[list[_Row], dict[str, Doubt]]:
    """The rows, in the splits of their folders where that is wanted; and what is in doubt."""
    doubts: dict[str, Doubt] = {}
    if any(row.split != UNSAID for row in rows):
        return rows, doubts
    if found.unused_splits:
        doubts["split-unused"] = found.unused_splits[0]
    sides = [_split_of_folder(path.parent, row.path) for row in rows]
    if UNSAID in sides or len(set(sides)) < 2:
        return rows, doubts
    names = some({SPLITS[side]: None for side in sides})
    if not use:
        doubts["split-unused"] = Doubt(
            f"the files of {path.name} lie in folders of splits ({names})",
            "write train, val and test into a column split",
        )
        return rows, doubts
    found.notes.append(f"splits read from the folders that {path.name} names ({names})")
    moved = [
        _Row(row.number, row.path, row.label, side, row.group)
        for row, side in zip(rows, sides, strict=True)
    ]
    return moved, doubts


def _split_of_folder(root: Path, file: str) -> int:
    path = Path(file)
    parts = path.relative_to(root).parts[:-1] if path.is_relative_to(root) else path.parts[:-1]
    split = next((split for part in parts if (split := split_named(part))), None)
    return SPLITS.index(split) if split else UNSAID


def _conflict(first: _Row, second: _Row) -> str:
    """In what two rows of one file differ, in words; empty where they agree."""
    kinds = (
        ("label", first.label, second.label),
        ("split", _split_name(first.split), _split_name(second.split)),
        ("group", first.group, second.group),
    )
    told = [f"the {kind} '{one}' and '{two}'" for kind, one, two in kinds if one != two]
    where = f"{first.path} in row {first.number} and row {second.number}"
    return f"{where} has {', '.join(told)}" if told else ""


def _refuse_partial_splits(where: str, rows: Iterable[_Row]) -> None:
    given = [row.split != UNSAID for row in rows]
    if any(given) and not all(given):
        missing = len(given) - sum(given)
        raise bad_table(
            f"{where} gives no split in {pluralize(missing, 'row')} and one in {sum(given):,}",
            "fill the column in, or remove it",
        )


def _split_name(split: int) -> str:
    return "no split" if split == UNSAID else SPLITS[split]
