"""The frame of a chart: two axes, their ticks, and where a value is drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from convlens.reporting.charts.svg import element, join, line, text

WIDTH, HEIGHT = 460, 300
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 40, 44

Tick = tuple[float, str]
"""A value, and what is written at it."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """From a range of values to a range of places.

    Attributes:
        low: the first value.
        high: the last value; differs from the first.
        start: where the first is drawn.
        end: where the last is drawn.

    Example:
        >>> Axis(low=0, high=10, start=100, end=200)(2.5)
        125.0
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value is drawn."""
        part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def across(low: float, high: float) -> Axis:
    """An axis from left to right; one value alone stands in the middle."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    return Axis(low=low, high=high, start=LEFT, end=WIDTH - RIGHT)


def upwards(low: float, high: float) -> Axis:
    """An axis from the bottom to the top."""
    return Axis(low=low, high=high, start=HEIGHT - BOTTOM, end=TOP)


def nice_ticks(low: float, high: float, *, most: int = 6, whole: bool = False) -> list[float]:
    """Round values that cover a range, such as 0, 20 and 40.

    Args:
        low: the smallest value.
        high: the largest value.
        most: intervals, at most.
        whole: whole numbers alone.

    Returns:
        Rising; the first at most ``low``, the last at least ``high``.

    Example:
        >>> nice_ticks(0, 2.31)
        [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    """
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - slow to import

    locator = MaxNLocator(nbins=most, steps=[1, 2, 5, 10], integer=whole)
    return [float(value) for value in locator.tick_values(low, high)]


def draw_axes(
    x: Axis, y: Axis, *, x_ticks: Sequence[Tick], y_ticks: Sequence[Tick], x_title: str
) -> Markup:
    """Grid lines with their values, and what the lower axis counts.

    Args:
        x: the lower axis.
        y: the upright one.
        x_ticks: values on the lower axis.
        y_ticks: values on the upright one, each with a line across.
        x_title: what the lower axis counts.
    """
    bottom = HEIGHT - BOTTOM
    return join(
        [
            *(
                line(x.start, y(value), x.end, y(value), "axis" if value == y.low else "grid")
                for value, _ in y_ticks
            ),
            *(text(x.start - 8, y(v) + 4, words, anchor="end") for v, words in y_ticks),
            *(line(x(value), bottom, x(value), bottom + 4, "axis") for value, _ in x_ticks),
            *(text(x(v), bottom + 18, words, anchor="middle") for v, words in x_ticks),
            text((x.start + x.end) / 2, HEIGHT - 6, x_title, "title", anchor="middle"),
        ]
    )


def path(points: Sequence[tuple[float, float]], class_: str) -> Markup:
    """A line through places; a dot where there is one alone."""
    if len(points) == 1:
        return dot(*points[0], class_)
    places = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    return element("polyline", points=places, class_=class_)


def dot(px: float, py: float, class_: str, radius: float = 3.5) -> Markup:
    """A filled circle."""
    return element("circle", cx=px, cy=py, r=radius, class_=f"{class_} dot")
