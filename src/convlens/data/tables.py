"""Tables that name image files: CSV with the standard library, Parquet with pyarrow."""

import csv
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import StringIO
from pathlib import Path

import numpy as np

from convlens.core.errors import ConvlensError
from convlens.core.words import counted, some
from convlens.data.arrays import class_numbers
from convlens.data.image_files import no_images
from convlens.data.image_set import SPLITS, Skipped
from convlens.data.labelled import UNSAID, Labelled, refuse_case_twins
from convlens.data.settings import DataSettings
from convlens.data.split_names import split_named

LEFT_OUT = "left out"
"""The split, in a table, of an image that is not to be used."""

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet"})
_DEFAULTS = DataSettings()


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    path: str
    label: str
    split: int
    group: str


def read_table(path: Path, settings: DataSettings) -> Labelled:
    """Read a table with a row an image.

    File names are relative to the table's folder. A row whose file is missing, whose label is
    empty or whose split is ``left out`` is skipped and named; a file that stands there twice with
    the same label counts once. Groups are read as they stand: one that is torn between splits is
    found before training, beside all else.

    Args:
        path: a ``.csv``, ``.tsv`` or ``.parquet`` file.
        settings: what the columns are called.

    Raises:
        ConvlensError: the table cannot be read, a column is missing, or a file has two labels,
            splits or groups.
    """
    read = _read_parquet if path.suffix.lower() == ".parquet" else _read_csv
    columns, records = read(path)
    named = _columns(path, columns, settings)
    skipped: list[Skipped] = []
    rows: dict[str, _Row] = {}
    conflicts: dict[str, str] = {}
    repeated = 0
    for number, record in records:
        row = _row(path, number, {key: record[column] for key, column in named.items()}, skipped)
        if row is None:
            continue
        first = rows.setdefault(row.path, row)
        if first is not row:
            repeated += 1
            if told := _conflict(first, row):
                conflicts.setdefault(row.path, told)
    if conflicts:
        raise ConvlensError(
            f"{path} says two things of {counted(len(conflicts), 'file')}: "
            f"{some(conflicts.values(), 3)}; expected one label, split and group an image",
            remedy="mend or remove the rows",
            between=": ",
            code="conflicting-rows",
        )
    if not rows:
        raise no_images(str(path), skipped)
    _refuse_partial_splits(path, rows.values())
    classes, labels = class_numbers(np.array([row.label for row in rows.values()]))
    refuse_case_twins(str(path), classes)
    groups = np.unique([row.group for row in rows.values()], return_inverse=True)[1]
    note = f"{counted(repeated, 'row')} of {path.name} named a file that an earlier row names"
    return Labelled(
        name=path.stem,
        classes=classes,
        labels=labels,
        given=np.array([row.split for row in rows.values()], np.int8),
        paths=list(rows),
        groups=groups.astype(np.int64) if "group" in named else None,
        root=str(path.parent),
        skipped=tuple(skipped),
        notes=(note,) if repeated else (),
    )


def _read_csv(path: Path) -> tuple[list[str], Iterable[tuple[int, Mapping[str, str]]]]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(f"{path} is not UTF-8 text ({error.reason})", "save it as CSV UTF-8") from error
    except OSError as error:
        raise _bad(f"cannot read {path} ({error.strerror})", "check its permissions") from error
    heading = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    records: list[tuple[int, Mapping[str, str]]] = []
    try:
        columns = [column.strip() for column in next(reader, [])]
        for fields in reader:
            if fields and len(fields) != len(columns):
                raise _bad(
                    f"line {reader.line_num} of {path} has {len(fields)} fields and the heading "
                    f"has {len(columns)}",
                    "put fields with commas in quotes",
                )
            if fields:
                records.append((reader.line_num, dict(zip(columns, fields, strict=True))))
    except csv.Error as error:
        raise _bad(
            f"{path} is no table at line {reader.line_num} ({error})", "mend that line"
        ) from error
    return columns, records


def _read_parquet(path: Path) -> tuple[list[str], Iterable[tuple[int, Mapping[str, str]]]]:
    try:
        parquet, arrow = import_module("pyarrow.parquet"), import_module("pyarrow")
    except ImportError as error:
        raise ConvlensError(
            f"reading {path.name} needs pyarrow, which is not installed; "
            "pip install 'convlens[parquet]', or save the table as CSV",
            code="missing-extra",
        ) from error
    try:
        table = parquet.read_table(path)
    except (OSError, arrow.ArrowException) as error:
        raise _bad(f"cannot read {path} ({error})", "write it again") from error
    nested = [f.name for f in table.schema if arrow.types.is_nested(f.type)]
    names = [name for name in table.column_names if name not in nested]
    values = [["" if v is None else str(v) for v in table[name].to_pylist()] for name in names]
    records = (dict(zip(names, row, strict=True)) for row in zip(*values, strict=True))
    return names, enumerate(records, start=1)


def _columns(path: Path, columns: Sequence[str], settings: DataSettings) -> dict[str, str]:
    """What each column is for: ``{"image": "file", "label": "species", …}``."""
    named = {}
    for kind in ("image", "label", "split", "group"):
        key = f"{kind}_column"
        column = getattr(settings, key)
        if columns.count(column) == 1:
            named[kind] = column
        elif kind in {"image", "label"} or column in columns or column != getattr(_DEFAULTS, key):
            times = "twice" if column in columns else "not"
            raise ConvlensError(
                f"{kind} column '{column}' is {times} in {path} "
                f"(columns: {', '.join(columns) or 'none'}); name it with --set data.{key}=NAME",
                code="no-such-column",
            )
    if columns.count("reason") == 1:
        named["reason"] = "reason"
    return named


def _row(path: Path, number: int, record: Mapping[str, str], skipped: list[Skipped]) -> _Row | None:
    image, label = record["image"].strip(), record["label"].strip()
    if record.get("split", "").strip().casefold() == LEFT_OUT:
        why = record.get("reason", "").strip()
        skipped.append(
            Skipped(image or "(no file name)", f"row {number}: left out" + f" ({why})" * bool(why))
        )
        return None
    file = _file(path.parent, image)
    reason = "no label" if not label else "" if file else "no such file"
    if reason or not file:
        gone = bool(label and image)
        skipped.append(Skipped(image or "(no file name)", f"row {number}: {reason}", gone))
        return None
    split = record.get("split", "").strip()
    if split and split_named(split) is None:
        raise _bad(f"row {number} of {path} has the split '{split}'", "use train, val and test")
    side = SPLITS.index(split_named(split) or "") if split else UNSAID
    # An image without a group is a group of its own.
    return _Row(number, file, label, side, record.get("group", "").strip() or f"\0{file}")


def _file(folder: Path, image: str) -> str:
    """The path of an image file; empty where there is none."""
    for name in dict.fromkeys((image, image.replace("\\", "/"))):
        path = os.path.normpath(folder / name)
        try:
            if image and stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - once a row
                return path
        except (OSError, ValueError):
            continue
    return ""


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


def _refuse_partial_splits(path: Path, rows: Iterable[_Row]) -> None:
    given = [row.split != UNSAID for row in rows]
    if any(given) and not all(given):
        missing = len(given) - sum(given)
        raise _bad(
            f"{path} gives no split in {counted(missing, 'row')} and one in {sum(given):,}",
            "fill the column in, or remove it",
        )


def _split_name(split: int) -> str:
    return "no split" if split == UNSAID else SPLITS[split]


def _bad(found: str, remedy: str) -> ConvlensError:
    return ConvlensError(
        f"{found}; expected a table with a heading and the columns image and label: {remedy}",
        code="bad-table",
    )
