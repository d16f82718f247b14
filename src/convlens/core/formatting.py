"""Format counts, shares, lists and durations for people."""

import re
from collections.abc import Iterable

from convlens.core.errors import ConvlensError


def pluralize(n: int, noun: str = "image") -> str:
    """A count and its noun.

    Example:
        >>> pluralize(1), pluralize(12000), pluralize(3, "class")
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


_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
_FORM = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_duration(text: str | float) -> float:
    """Seconds.

    Args:
        text: ``"1h30m"``, ``"5m"``, ``"90s"``, or seconds.

    Raises:
        ConvlensError: it is written otherwise, or is not above 0.

    Example:
        >>> parse_duration("1h30m"), parse_duration("2.5m"), parse_duration(90)
        (5400.0, 150.0, 90.0)
    """
    found = _FORM.fullmatch(str(text).strip())
    parts = zip(found.groups(), _SECONDS.values(), strict=True) if found else ()
    seconds = sum(float(number) * unit for number, unit in parts if number)
    if not 0 < seconds < float("inf"):
        raise ConvlensError(
            f"the time is '{text}'; write it as 90s, 5m or 1h30m", code="bad-duration"
        )
    return seconds


def describe(seconds: float) -> str:
    """A length of time, short enough for a line of a terminal.

    Example:
        >>> describe(5400), describe(75), describe(3.21)
        ('1 h 30 min', '1 min 15 s', '3.2 s')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
