"""Parquet by pyarrow: its footer says what it unpacks to, and only columns of use are read.

A few thousand bytes can hold millions of rows, or one long text in each of them.
"""

from collections.abc import Collection, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from convlens.core.bounded_file import open_bounded
from convlens.core.errors import ConvlensError
from convlens.data.table_errors import MOST_TABLE_BYTES, bad_table

MOST_ROWS = 2_000_000
_MOST_BYTES = 256 << 20
"""That the columns of use unpack to, and that their cells have together."""
_ROWS_AT_ONCE = 1 << 16


def read_parquet(
    path: Path, wanted: Collection[str] | None
) -> tuple[list[str], Iterator[dict[str, str]]]:
    """Read the columns and the rows of a table; every cell is text, an absent one is empty.

    Args:
        path: the file.
        wanted: names of the columns that are read, in lower case; None for all.

    Returns:
        The names of all columns but nested ones; and the rows, each with the columns that are read.

    Raises:
        ConvlensError: it cannot be read, or holds too much.
    """
    try:
        parquet, arrow = import_module("pyarrow.parquet"), import_module("pyarrow")
    except ImportError as error:
        raise ConvlensError(
            f"reading {path.name} needs pyarrow, which is not installed; "
            "pip install 'convlens[parquet]', or save the table as CSV",
            code="missing-extra",
        ) from error
    try:
        with open_bounded(path, MOST_TABLE_BYTES) as opened:
            file = parquet.ParquetFile(opened)
            schema = file.schema_arrow
            names = [field.name for field in schema if not arrow.types.is_struct(field.type)]
            read = [
                name
                for name in names
                if names.count(name) == 1 and (wanted is None or name.casefold() in wanted)
            ]
            _refuse_bomb(path, file.metadata, read)
            # Texts are read as they are stored: each once, and which of them is in a cell.
            texts = [name for name in read if not arrow.types.is_nested(schema.field(name).type)]
            file = parquet.ParquetFile(opened, read_dictionary=texts)
            columns = _columns(path, file, read, arrow)
    except (OSError, arrow.ArrowException, KeyError, MemoryError) as error:
        raise bad_table(f"cannot read {path} ({error})", "write it again") from error
    rows = zip(*columns.values(), strict=True)
    return names, (dict(zip(columns, row, strict=True)) for row in rows)


def _refuse_bomb(path: Path, metadata: Any, read: Collection[str]) -> None:
    if metadata.num_rows > MOST_ROWS:
        raise bad_table(
            f"{path} has {metadata.num_rows:,} rows, and at most {MOST_ROWS:,} are read",
            "split it",
        )
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    chunks = [
        chunk
        for group in groups
        for chunk in (group.column(number) for number in range(group.num_columns))
        if chunk.path_in_schema.partition(".")[0] in {name.partition(".")[0] for name in read}
    ]
    size = sum(chunk.total_uncompressed_size for chunk in chunks)
    values = sum(chunk.num_values for chunk in chunks)
    if size > _MOST_BYTES or values > len(read) * 4 * MOST_ROWS:
        raise bad_table(
            f"{path} unpacks to {size:,} bytes and {values:,} values in the columns that are read "
            f"({', '.join(read)}), which is more than a table of images holds",
            "write file names and labels alone",
        )


def _columns(path: Path, file: Any, read: list[str], arrow: Any) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {name: [] for name in read}
    left = _MOST_BYTES
    shared: dict[str, str] = {}
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=read):
        batch.validate(full=True)  # damage in a page may leave bytes that are no text
        for name, cells in zip(batch.schema.names, batch.columns, strict=True):
            texts = [*_texts(cells, shared, arrow)]
            left -= sum(map(len, texts))
            if left < 0:  # one long text in every row takes long wherever it is looked at
                raise bad_table(
                    f"{path} has more than {_MOST_BYTES:,} characters in {', '.join(read)}",
                    "write file names and labels alone",
                )
            columns[name] += texts
    return columns


def _texts(cells: Any, shared: dict[str, str], arrow: Any) -> Iterator[str]:
    if not arrow.types.is_dictionary(cells.type):
        return (shared.setdefault(text, text) for text in map(cell_text, cells.to_pylist()))
    texts = [shared.setdefault(text, text) for text in map(cell_text, cells.dictionary.to_pylist())]
    return ("" if at is None else texts[at] for at in cells.indices.to_pylist())


def cell_text(value: object) -> str:
    """The text of a cell; empty where it is absent."""
    return "" if value is None else str(value)
