"""Lengths of time as people write them."""

import re

from convlens.core.errors import ConvlensError

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


def in_words(seconds: float) -> str:
    """A length of time, short enough for a line of a terminal.

    Example:
        >>> in_words(5400), in_words(75), in_words(3.21)
        ('1 h 30 min', '1 min 15 s', '3.2 s')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
