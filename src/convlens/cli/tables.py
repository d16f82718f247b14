"""Tables where they fit; where the terminal is too narrow, the same cells below one another."""

from rich.padding import Padding
from rich.table import Table

from convlens.core.console import UNBROKEN, PlainConsole, styled


def print_table(console: PlainConsole, table: Table) -> None:
    """Print a table so that no cell is cut off.

    Args:
        console: where to.
        table: of text alone; the first column says what a row is about.
    """
    if _fits(console, table):
        console.print(table)
        return
    subject, *headings = (str(column.header) for column in table.columns)
    console.print(styled((subject, "bold")))
    for name, *cells in zip(*(column.cells for column in table.columns), strict=True):
        console.print(str(name))
        there = [(heading, str(cell)) for heading, cell in zip(headings, cells, strict=True)]
        facts = [f"{heading}: {cell}" if heading else cell for heading, cell in there if cell]
        console.print(Padding("; ".join(facts), (0, 0, 0, 2), expand=False))


def _fits(console: PlainConsole, table: Table) -> bool:
    """Whether it fits; a column that may be folded needs its longest word alone."""
    options = console.options.update(max_width=UNBROKEN)
    folded = sum(
        max((len(str(cell)) for cell in column.cells), default=0) - _LEAST
        for column in table.columns
        if column.overflow == "fold"
    )
    return console.measure(table, options=options).maximum - max(folded, 0) <= console.width


_LEAST = 24
"""Columns that the text of a folded column takes at least."""
