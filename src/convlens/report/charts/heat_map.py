"""A confusion matrix of many classes, as a map of shades."""

from collections.abc import Sequence
from math import ceil

from markupsafe import Markup

from convlens.report.charts.svg import element, join, picture, text

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
    size = min(12, cell - 2)
    short = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names]
    margin = max(map(len, short)) * size * _LETTER + 10
    top = margin + 18
    side = cell * len(names)
    inside = [
        text(margin + side / 2, 12, "predicted", "title", anchor="middle"),
        *_labels(short, margin, top, cell, size),
        element("rect", x=margin, y=top, width=side, height=side, class_="ground"),
        *_shades(confusion, margin, top, cell),
    ]
    return picture(margin + side + 1, top + side + 1, *inside, says=says, class_="map")


def _labels(
    names: Sequence[str], margin: float, top: float, cell: int, size: float
) -> list[Markup]:
    drawn = []
    for number, name in enumerate(names):
        middle = (number + 0.5) * cell + 0.35 * size
        drawn.append(
            element(
                "text",
                name,
                x=margin - 5,
                y=top + middle,
                class_="label",
                font_size=size,
                text_anchor="end",
            )
        )
        drawn.append(
            element(
                "text",
                name,
                class_="label",
                font_size=size,
                transform=f"translate({margin + middle:.1f} {top - 5:.1f}) rotate(-90)",
            )
        )
    return drawn


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
