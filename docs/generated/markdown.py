"""What the pages have in common."""

import re
from collections.abc import Iterable, Sequence

_ROLE = re.compile(r"``(.+?)``")


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a cell's own line ends and bars are made harmless."""
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    lines += ["| " + " | ".join(map(cell, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    r"""One line of text that may stand in a table.

    Example:
        >>> print(cell("the head's   ``A|B``"))
        the head's `A\|B`
    """
    return " ".join(_ROLE.sub(r"`\1`", text).replace("|", r"\|").split())


def code(value: object) -> str:
    """Something as code; nothing where there is nothing."""
    text = str(value)
    return f"`{text}`" if text else ""
