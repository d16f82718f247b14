"""Numbers as a reader of the page meets them: typeset, and never broken over two lines."""

from collections.abc import Sequence

from convlens.core import formatting as words

_UNBROKEN = "\N{NO-BREAK SPACE}"

Interval = Sequence[float]


def percent(share: float | None, digits: int = 1) -> str:
    r"""A share as it is read.

    Example:
        >>> percent(0.98714), percent(0.5, 0), percent(None)
        ('98.7\xa0%', '50\xa0%', '–')
    """
    return "–" if share is None else words.percent(share, digits).replace(" ", _UNBROKEN)


def percents(interval: Interval | None) -> str:
    r"""An interval of shares.

    Example:
        >>> percents((0.9712, 0.9956)), percents(None)
        ('97.1 to 99.6\xa0%', '–')
    """
    if interval is None:
        return "–"
    return f"{interval[0] * 100:.1f} to {percent(interval[1])}"


def number(value: float | None, digits: int = 3) -> str:
    """A figure that is no share.

    Example:
        >>> number(0.04567), number(None)
        ('0.046', '–')
    """
    return "–" if value is None else f"{value:.{digits}f}"


def numbers(interval: Interval | None, digits: int = 3) -> str:
    """An interval of figures that are no shares."""
    if interval is None:
        return "–"
    return f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def sureness(probability: float) -> str:
    r"""A probability that never reads as certain, nor as nothing.

    Example:
        >>> sureness(0.9999), sureness(0.314), sureness(0.0004)
        ('over 99.9\xa0%', '31.4\xa0%', 'under 0.1\xa0%')
    """
    if probability > 0.999:
        return f"over {percent(0.999)}"
    return f"under {percent(0.001)}" if probability < 0.001 else percent(probability)


def short(value: float) -> str:
    """Three significant digits and a decimal prefix.

    Example:
        >>> short(999), short(117_964_800), short(1_849_688_064)
        ('999', '118 M', '1.85 G')
    """
    for prefix in ("", " k", " M", " G"):
        rounded = float(f"{value:.3g}")
        if rounded < 1000:
            return f"{rounded:g}{prefix}"
        value /= 1000
    return f"{float(f'{value:.3g}'):g} T"


def listed(items: Sequence[str], *, last: str = "and") -> str:
    """Words as a sentence lists them.

    Example:
        >>> listed(["a"]), listed(["a", "b", "c"])
        ('a', 'a, b and c')
    """
    return f" {last} ".join(filter(None, [", ".join(items[:-1]), *items[-1:]]))
