"""Counts, lists and differences as they are read."""

from collections.abc import Iterable


def counted(n: int, noun: str = "image") -> str:
    """A count and its noun.

    Example:
        >>> counted(1), counted(12000), counted(3, "class")
        ('1 image', '12,000 images', '3 classes')
    """
    plural = "" if n == 1 else "es" if noun.endswith("s") else "s"
    return f"{n:,} {noun}{plural}"


def some(names: Iterable[str], limit: int = 5) -> str:
    """The first few names, and how many more there are.

    Example:
        >>> some(["a", "b", "c"], limit=2)
        'a, b and 1 more'
    """
    listed = list(names)
    more = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {more:,} more" if more > 0 else "")


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign; nothing has none.

    Example:
        >>> points(0.0312), points(-0.004), points(-0.0004)
        ('+3.1', '-0.4', '0.0')
    """
    told = f"{100 * difference:+.1f}"
    return told[1:] if told in {"+0.0", "-0.0"} else told
