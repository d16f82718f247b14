"""Which column of a table says what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from convlens.core.errors import ConvlensError
from convlens.core.formatting import some
from convlens.data.image_files import IMAGE_SUFFIXES
from convlens.data.image_set import Doubt
from convlens.data.settings import DataSettings
from convlens.data.split_names import split_named
from convlens.data.table_errors import bad_table
from convlens.data.table_files import Records

LEFT_OUT = "left out"
"""The split, in a table, of an image that is not to be used."""

IMAGE_COLUMNS = ("file_name", "filename", "file", "path", "filepath", "file_path", "image_path")
_SPLIT_COLUMNS = ("is_valid", "is_test", "set", "subset", "partition", "phase", "fold")
_TRUE = frozenset({"true", "t", "yes", "y", "1", "1.0"})
_FALSE = frozenset({"false", "f", "no", "n", "0", "0.0"})
_DEFAULTS = DataSettings()


@dataclass(frozen=True)
class Columns:
    """What each column is for.

    Attributes:
        names: ``{"image": "file", "label": "species", …}``.
        notes: what was read from columns of other names.
        unused_split: a column that may be meant as the split and is not used; None without one.
    """

    names: Mapping[str, str]
    notes: tuple[str, ...] = ()
    unused_split: Doubt | None = None


def find_columns(
    path: Path, columns: Sequence[str], records: Records, settings: DataSettings
) -> Columns:
    """Find the columns by the names in the settings, or by the usual names.

    A column for images or splits may have another usual name (``file_name``, ``is_valid``,
    ``subset``) where the settings leave the name at its default; case does not matter.

    Raises:
        ConvlensError: there is no column for images or labels, or a column that the settings name
            is not there.
    """
    names, notes, unused = {}, [], None
    for kind in ("image", "label", "split", "group"):
        key = f"{kind}_column"
        wanted = getattr(settings, key)
        named = wanted != getattr(_DEFAULTS, key)
        column = _column(columns, wanted)
        if column is None and kind == "image" and not named:
            column = next((c for name in IMAGE_COLUMNS if (c := _column(columns, name))), None)
        if column is None and kind == "split" and not named:
            taken = {settings.image_column, settings.label_column, settings.group_column}
            column, unused = _other_split_column([c for c in columns if c not in taken], records)
        if column is None and (kind in {"image", "label"} or wanted in columns or named):
            _refuse_no_heading(path, columns)
            raise _no_such_column(path, columns, kind, wanted)
        if column is not None:
            names[kind] = column
            if column.casefold() != wanted.casefold():
                what = {"image": "file names", "split": "splits"}[kind]
                notes.append(f"{what} read from the column '{column}' of {path.name}")
    if columns.count("reason") == 1:
        names["reason"] = "reason"
    return Columns(names, tuple(notes), unused)


def columns_of_use(settings: DataSettings) -> tuple[str, ...]:
    """The names under which `find_columns` looks for a column, whatever their case."""
    kinds = ("image", "label", "split", "group")
    asked = (getattr(settings, f"{kind}_column") for kind in kinds)
    return (*asked, *IMAGE_COLUMNS, *_SPLIT_COLUMNS, "reason")


def has_image_column(columns: Sequence[str]) -> bool:
    """Whether a table names image files by one of the usual columns."""
    return any(_column(columns, name) for name in (_DEFAULTS.image_column, *IMAGE_COLUMNS))


def split_in(column: str, cell: str) -> str | None:
    """The split that a cell means; None where it means none.

    Args:
        column: the column's name: where that is ``is_valid`` or ``is_test``, as in fastai, the
            cell says yes or no.
        cell: its text, not empty.

    Example:
        >>> split_in("split", "Validation"), split_in("is_valid", "False"), split_in("split", "2")
        ('val', 'train', None)
    """
    prefix, _, name = column.strip().casefold().partition("_")
    asked = split_named(name) if prefix == "is" else None
    if asked is None:
        return split_named(cell)
    other = "test" if asked == "train" else "train"
    answer = cell.strip().casefold()
    return asked if answer in _TRUE else other if answer in _FALSE else None


def _column(columns: Sequence[str], name: str) -> str | None:
    """The column of that name, if there is one only; in other case where none has it exactly."""
    if name in columns:
        return name if columns.count(name) == 1 else None
    same = [column for column in columns if column.casefold() == name.casefold()]
    return same[0] if len(same) == 1 else None


def _other_split_column(
    columns: Sequence[str], records: Records
) -> tuple[str | None, Doubt | None]:
    """A column of another usual name that holds splits; or what one holds that does not."""
    unused = None
    for name in _SPLIT_COLUMNS:
        column = _column(columns, name)
        if column is None:
            continue
        cells = dict.fromkeys(record[column].strip() for _, record in records)
        splits = {split_in(column, cell) for cell in cells if cell.casefold() != LEFT_OUT}
        if splits and None not in splits and "" not in cells:
            return column, None
        unused = unused or Doubt(
            f"the column '{column}' holds {some(cells, 4)}",
            "write train, val and test into a column split; or, to keep images with one value on "
            f"one side, --set data.group_column={_quoted(column)}",
        )
    return None, unused


def _quoted(name: str) -> str:
    return name if name.isidentifier() else f'"{name}"'


def _no_such_column(path: Path, columns: Sequence[str], kind: str, wanted: str) -> ConvlensError:
    times = "twice" if wanted in columns else "not"
    return ConvlensError(
        f"{kind} column '{wanted}' is {times} in {path} (columns: {', '.join(columns) or 'none'})",
        remedy=f"name it with --set data.{kind}_column=NAME",
        code="no-such-column",
    )


def _refuse_no_heading(path: Path, columns: Sequence[str]) -> None:
    first = next((c for c in columns if Path(c).suffix.lower() in IMAGE_SUFFIXES), None)
    if first is not None:
        raise bad_table(
            f"the first line of {path} names an image ('{first}') and no columns",
            "write the names of the columns above it, such as image,label",
        )
