"""The reliability diagram: how sure the network was, and how often it was right."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from convlens.reporting.charts.axes import HEIGHT, WIDTH, Axis, across, dot, draw_axes, upwards
from convlens.reporting.charts.svg import element, join, line, picture, text
from convlens.reporting.words import percent

_SHARES = [(value / 100, percent(value / 100, 0)) for value in (0, 25, 50, 75, 100)]
_SMALLEST, _LARGEST = 2.5, 8.0


def draw_reliability(bins: Sequence[Mapping[str, Any]], *, title: str, says: str) -> Markup:
    """One diagram: a dot a bin, larger where it has more images, with its 95 % interval.

    Args:
        bins: as ``metrics.json`` has them: count, confidence, accuracy, interval.
        title: what is drawn.
        says: the diagram in words.
    """
    x, y = across(0, 1), upwards(0, 1)
    filled = [own for own in bins if own["count"]]
    most = max((own["count"] for own in filled), default=1)
    places = [(x(own["confidence"]), y(own["accuracy"])) for own in filled]
    inside = [
        draw_axes(x, y, x_ticks=_SHARES, y_ticks=_SHARES, x_title="how sure it was"),
        line(x(0), y(0), x(1), y(1), "ideal"),
        *(_interval(own, x, y) for own in filled),
        *(
            dot(*place, "train", _SMALLEST + (_LARGEST - _SMALLEST) * (own["count"] / most) ** 0.5)
            for own, place in zip(filled, places, strict=True)
        ),
        text(0, 14, title, "name"),
    ]
    return picture(WIDTH, HEIGHT, *inside, says=says)


def _interval(own: Mapping[str, Any], x: Axis, y: Axis) -> Markup:
    low, high = own["interval"]
    at = x(own["confidence"])
    ends = [line(at - 3, y(value), at + 3, y(value), "whisker") for value in (low, high)]
    return join([element("line", x1=at, y1=y(low), x2=at, y2=y(high), class_="whisker"), *ends])
