"""A confusion matrix of many classes, as a map of shades."""

from collections.abc import Sequence
from math import ceil

from markupsafe import Markup

from convlens.reporting.charts.svg import element, join, picture, text

SHADES = 6
_LONGEST = 18
_LETTER = 0.58
"""Of its size, that a letter is wide."""


def shade(share: float) -> int:
    """Which of the six shades a share has; 0 for nothing. Small shares differ more than large ones.

    Example:
        >>> [shade(share) for share in (0, 0.001, 0.1, 0.5, 1)]
        [0, 1, 2, 5, 6]
    """
    return min(SHADES, ceil(SHADES * share**0.5)) if share > 0 else 0


def draw_heat_map(confusion: Sequence[Sequence[int]], names: Sequence[str], *, says: str) -> Markup:
    """A square for each pair of classes, the darker the larger its share of the row.

    Args:
        confusion: K×K counts, a row a true class, a column a predicted one.
        names: K class names.
        says: the map in words.
    """
    cell = 20 if len(names) <= 40 else 12
    short = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names]
    margin = max(map(len, short)) * _size(cell) * _LETTER + 14
    top = margin + 18
    side = cell * len(names)
    inside = [
        text(margin, 12, "predicted →", "title"),
        *(_label(name, (margin - 6, top + place), cell) for name, place in _places(short, cell)),
        *(
            _label(name, (margin + place, top - 6), cell, upwards=True)
            for name, place in _places(short, cell)
        ),
        element("rect", x=margin, y=top, width=side, height=side, class_="ground"),
        *_shades(confusion, margin, top, cell),
    ]
    return picture(margin + side + 1, top + side + 1, *inside, says=says, class_="map")


def _size(cell: int) -> float:
    return min(12.0, cell - 1.5)


def _places(names: Sequence[str], cell: int) -> list[tuple[str, float]]:
    """Each name, and where its baseline is along the map's side."""
    return [(name, (number + 0.5) * cell + 0.35 * _size(cell)) for number, name in enumerate(names)]


def _label(name: str, at: tuple[float, float], cell: int, *, upwards: bool = False) -> Markup:
    """A class's name, that ends at its row; or that rises from its column."""
    turn = " rotate(-90)" if upwards else ""
    return element(
        "text",
        name,
        class_="label",
        style=f"font-size:{_size(cell):g}px",  # an attribute would yield to the page's own rule
        text_anchor=None if upwards else "end",
        transform=f"translate({at[0]:.1f} {at[1]:.1f}){turn}",
    )


def _shades(
    confusion: Sequence[Sequence[int]], margin: float, top: float, cell: int
) -> list[Markup]:
    """One path a shade: ten thousand elements would make a slow page."""
    paths: dict[str, list[str]] = {}
    for row, counts in enumerate(confusion):
        total = sum(counts)
        for column, count in enumerate(counts):
            if count:
                kind = "right" if row == column else "wrong"
                place = f"M{margin + column * cell:.1f} {top + row * cell:.1f}"
                size = f"h{cell - 1}v{cell - 1}h-{cell - 1}z"
                paths.setdefault(f"{kind}-{shade(count / total)}", []).append(place + size)
    return [element("path", d=join(places), class_=kind) for kind, places in sorted(paths.items())]
