"""Counts, shares, differences and lists as they are read."""

from collections.abc import Iterable


def counted(n: int, noun: str = "image") -> str:
    """A count and its noun.

    Example:
        >>> counted(1), counted(12000), counted(3, "class")
        ('1 image', '12,000 images', '3 classes')
    """
    plural = "" if n == 1 else "es" if noun.endswith("s") else "s"
    return f"{n:,} {noun}{plural}"


def percent(share: float | None, digits: int = 1, *, small: bool = False) -> str:
    """A share, or a dash where there is none.

    Args:
        share: 1 is the whole.
        digits: decimals.
        small: tell a share below a tenth of a percent by its first digit, not as 0.0 %.

    Example:
        >>> percent(0.98714), percent(0.5, 0), percent(None)
        ('98.7 %', '50 %', '-')
        >>> percent(0.0004), percent(0.0004, small=True), percent(0.0312, small=True)
        ('0.0 %', '0.04 %', '3.1 %')
    """
    if share is None:
        return "-"
    if small and share < 0.001:
        return f"{100 * share:.1g} %"
    return f"{100 * share:.{digits}f} %"


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
