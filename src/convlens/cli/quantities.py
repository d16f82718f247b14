"""Large numbers as they are read."""

_PREFIXES = ("", "k", "M", "G", "T", "P")


def short(number: float) -> str:
    """Three significant digits and a decimal prefix, in at most five characters.

    Example:
        >>> short(0), short(999), short(117_964_800), short(1_849_688_064), short(999_999)
        ('0', '999', '118M', '1.85G', '1M')
    """
    for prefix in _PREFIXES:
        rounded = float(f"{number:.3g}")
        if rounded < 1000 or prefix == _PREFIXES[-1]:
            return f"{rounded:g}{prefix}"
        number /= 1000
    raise AssertionError("the last prefix takes everything")


def size(count: int) -> str:
    """A number of bytes.

    Example:
        >>> size(512), size(553_430_176)
        ('512 B', '553 MB')
    """
    text = short(count)
    return f"{text} B" if text[-1].isdigit() else f"{text[:-1]} {text[-1]}B"
