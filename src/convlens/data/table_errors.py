"""How it is said that a table cannot be used, and from which size on it is none."""

from convlens.core.errors import ConvlensError

MOST_TABLE_BYTES = 1 << 30


def bad_table(found: str, remedy: str) -> ConvlensError:
    """The error for a table that cannot be used."""
    return ConvlensError(
        f"{found}; expected a table with a heading and the columns image and label",
        remedy=remedy,
        between=": ",
        code="bad-table",
    )
