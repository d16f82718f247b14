"""The rows of a table: CSV and JSON Lines by the standard library, Parquet by pyarrow."""

import codecs
import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, TypeAlias

from convlens.core.bounded_file import read_bounded
from convlens.core.csv_cells import original
from convlens.data.parquet_table import cell_text, read_parquet
from convlens.data.table_errors import MOST_TABLE_BYTES, bad_table

CLEANED_COLUMNS = ("image", "label", "split", "reason")
"""How the heading of a table begins that ``convlens check --fix`` has written."""

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".parquet", ".jsonl"})
Records: TypeAlias = list[tuple[int, Mapping[str, str]]]
"""Each row's number, as a reader of the file counts it, and its cells by column."""

_DELIMITERS = ",;\t|"
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


def read_records(
    path: Path, expected: Iterable[str] = (), *, wanted: Iterable[str] = ()
) -> tuple[list[str], Records]:
    """Read the columns and the rows of a table; every cell is text, an absent one is empty.

    Args:
        path: a ``.csv``, ``.tsv``, ``.jsonl`` or ``.parquet`` file.
        expected: names of columns, which decide between two delimiters that would both do.
        wanted: the columns that are used, where others may be left out of the rows; all by default.

    Raises:
        ConvlensError: it cannot be read, or is no table.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        names, rows = read_parquet(path, {name.casefold() for name in wanted} or None)
        return names, list(enumerate(rows, start=1))
    text = _text_of(path)
    return _read_json_lines(path, text) if suffix == ".jsonl" else _read_csv(path, text, expected)


def _text_of(path: Path) -> str:
    try:
        data = read_bounded(path, MOST_TABLE_BYTES)
    except OSError as error:
        raise bad_table(
            f"cannot read {path} ({error.strerror})", "check its permissions"
        ) from error
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), None)
    if encoding is None and b"\0" in data[:4]:  # UTF-16 without its mark
        encoding = "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
    try:
        return data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        raise bad_table(
            f"{path} is not UTF-8 text ({error.reason})", "save it as CSV UTF-8"
        ) from error


def _read_csv(path: Path, text: str, expected: Iterable[str]) -> tuple[list[str], Records]:
    first, _, rest = text.partition("\n")
    announced = _SEPARATOR_LINE.fullmatch(first)  # a line that Excel writes and reads
    skipped = 1 if announced else 0
    text = rest if announced else text
    delimiter = announced[1] if announced else _delimiter(first, expected)
    reader = csv.reader(
        TextIOWrapper(BytesIO(text.encode()), "utf-8", newline=""),  # a StringIO takes 4 times it
        delimiter=delimiter,
        strict=True,
        skipinitialspace=True,
    )
    records: Records = []
    try:
        columns = [column.strip() for column in next(reader, [])]
        ours = tuple(columns[: len(CLEANED_COLUMNS)]) == CLEANED_COLUMNS
        for fields in reader:
            if any(field.strip() for field in fields):
                number = reader.line_num + skipped
                cells = [original(field) for field in fields] if ours else fields
                records.append((number, _cells(path, number, columns, cells)))
    except csv.Error as error:
        raise bad_table(
            f"{path} is no table at line {reader.line_num + skipped} ({error})", "mend that line"
        ) from error
    return columns, records


def _cells(
    path: Path, number: int, columns: Sequence[str], fields: Sequence[str]
) -> Mapping[str, str]:
    extra = fields[len(columns) :]
    if len(fields) < len(columns) or any(field.strip() for field in extra):
        raise bad_table(
            f"line {number} of {path} has {len(fields)} fields and the heading has {len(columns)}",
            "put fields with commas in quotes",
        )
    return dict(zip(columns, fields, strict=False))


def _delimiter(heading: str, expected: Iterable[str]) -> str:
    """The sign that stands most often outside quotes; one that gives an expected column first."""
    plain = re.sub(r'"[^"]*"', lambda quoted: "x" * len(quoted[0]), heading)
    wanted = {name.casefold() for name in expected}

    def rank(delimiter: str) -> tuple[bool, int]:
        cells = {cell.strip('" \r').casefold() for cell in heading.split(delimiter)}
        return len(cells) > 1 and bool(cells & wanted), plain.count(delimiter)

    return max(_DELIMITERS, key=rank)


def _read_json_lines(path: Path, text: str) -> tuple[list[str], Records]:
    columns: dict[str, None] = {}
    rows: list[tuple[int, dict[str, Any]]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise bad_table(
                f"line {number} of {path} is not JSON ({error})", "write one object a line"
            ) from error
        if "\\u" in line and not _is_text(row):
            raise bad_table(
                f"line {number} of {path} holds half a character (a lone surrogate)",
                "write it as UTF-8",
            )
        if not isinstance(row, dict):
            raise bad_table(f"line {number} of {path} is not an object", "write one object a line")
        columns |= dict.fromkeys(row)
        rows.append((number, row))
    flat = [name for name in columns if not any(isinstance(row.get(name), dict) for _, row in rows)]
    return flat, [
        (number, {name: cell_text(row.get(name)) for name in flat}) for number, row in rows
    ]


def _is_text(row: object) -> bool:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
