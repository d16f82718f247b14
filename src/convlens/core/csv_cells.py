"""Cells of a CSV file that no spreadsheet takes for a formula."""

import csv
import io
import re
from collections.abc import Iterable

_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    r"""CSV text whose cells are `harmless`.

    Example:
        >>> csv_text([["image", "label"], ["=1+1.png", 3]])
        "image,label\n'=1+1.png,3\n"
    """
    text = io.StringIO()
    plain = csv.writer(text, lineterminator="\n")
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        cells = [harmless(cell) if isinstance(cell, str) else cell for cell in row]
        # Before Python 3.13 the writer itself leaves a carriage return unquoted.
        writer = quoted if any("\r" in str(cell) for cell in cells) else plain
        writer.writerow(cells)
    return text.getvalue()


def harmless(cell: str) -> str:
    """Put an apostrophe before text that a spreadsheet would take for a formula.

    `original` undoes it exactly, also for text that has apostrophes itself.

    Example:
        >>> harmless("=HYPERLINK(1)"), harmless("'-1"), harmless("rose"), harmless("'til")
        ("'=HYPERLINK(1)", "''-1", 'rose', "'til")
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def original(cell: str) -> str:
    """Undo `harmless`.

    Example:
        >>> original("'=HYPERLINK(1)"), original("''-1"), original("'til"), original("-1")
        ('=HYPERLINK(1)', "'-1", "'til", '-1')
    """
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
