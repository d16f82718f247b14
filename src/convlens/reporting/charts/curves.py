"""Learning curves: a figure by epoch, training beside validation, phase by phase."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

from convlens.reporting.charts.axes import (
    BOTTOM,
    HEIGHT,
    TOP,
    WIDTH,
    Axis,
    across,
    dot,
    draw_axes,
    nice_ticks,
    path,
    upwards,
)
from convlens.reporting.charts.svg import element, join, line, picture, text


@dataclass(frozen=True, kw_only=True)
class Series:
    """A line of the chart.

    Attributes:
        kind: ``"train"`` or ``"val"``: how it is drawn.
        points: epoch and value, epochs rising; None where it was not measured.
    """

    kind: str
    points: Sequence[tuple[int, float | None]]

    @property
    def measured(self) -> list[tuple[int, float]]:
        """The points that have a value."""
        return [(epoch, value) for epoch, value in self.points if value is not None]


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Epochs in which the same weights learned."""

    name: str
    first: int
    last: int


def draw_curves(
    series: Sequence[Series],
    *,
    title: str,
    phases: Sequence[Phase],
    kept: int | None,
    written: Callable[[float], str],
    highest: float | None = None,
    says: str,
) -> Markup:
    """One chart.

    Args:
        series: its lines.
        title: what is drawn.
        phases: one after another; told where there are several.
        kept: the epoch whose weights were kept.
        written: how a value is written at the axis.
        highest: where the upright axis ends, at least 0; by default above the largest value.
        says: the chart in words.
    """
    values = [value for own in series for _, value in own.measured]
    ticks = nice_ticks(0, highest or max(values, default=1.0) or 1.0)
    x = across(phases[0].first, phases[-1].last)
    y = upwards(0, highest or ticks[-1])
    epochs = nice_ticks(max(1, x.low), max(1, x.high), whole=True, most=8)
    shown = [e for e in epochs if x.low <= e <= x.high and e >= 1 and e == int(e)]
    inside = [
        *_phases(phases, x),
        draw_axes(
            x,
            y,
            x_ticks=[(e, f"{e:.0f}") for e in shown or [phases[0].first]],
            y_ticks=[(value, written(value)) for value in ticks if value <= y.high],
            x_title="epoch",
        ),
        *([line(x(kept), TOP, x(kept), HEIGHT - BOTTOM, "kept")] if kept else []),
        *(_line(own, x, y, kept) for own in series),
        text(0, 14, title, "name"),
    ]
    return picture(WIDTH, HEIGHT, *inside, says=says)


def _line(series: Series, x: Axis, y: Axis, kept: int | None) -> Markup:
    points = [(x(epoch), y(min(value, y.high))) for epoch, value in series.measured]
    if not points:
        return Markup("")
    marked = [dot(x(e), y(v), series.kind) for e, v in series.measured if e == kept]
    return join([path(points, series.kind), *marked])


def _phases(phases: Sequence[Phase], x: Axis) -> list[Markup]:
    """Every other phase shaded, and its name above; the border lies between two epochs."""
    if len(phases) == 1:
        return []
    borders = [x.low, *((a.last + b.first) / 2 for a, b in pairwise(phases)), x.high]
    drawn = []
    for number, phase in enumerate(phases):
        left, right = x(borders[number]), x(borders[number + 1])
        if number % 2:
            drawn.append(
                element(
                    "rect",
                    x=left,
                    y=TOP,
                    width=right - left,
                    height=HEIGHT - BOTTOM - TOP,
                    class_="phase",
                )
            )
        if right - left > 10 * len(phase.name):
            drawn.append(text((left + right) / 2, TOP - 5, phase.name, anchor="middle"))
    return drawn
