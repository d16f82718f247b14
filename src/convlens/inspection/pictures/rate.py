"""The picture of a trial of learning rates: what the loss did as the rate rose."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from convlens.core.canvas import ACCENT, INK, LINE, MUTED, Sheet

_WIDE, _TALL = 7.6, 3.7
_CURVE = "#1864ab"
_ROOM = 0.12


def draw_rates(
    rates: Sequence[float],
    losses: Sequence[float],
    *,
    suggestion: float | None,
    title: str,
    detail: str = "",
) -> Figure:
    """The loss over the learning rate, on a logarithmic axis, the suggested rate marked.

    Args:
        rates: rising; one or more.
        losses: smoothed, one a rate.
        suggestion: the rate to mark; None for none.
        title: the heading.
        detail: what to know, in gray below it.
    """
    sheet = Sheet(_WIDE, _TALL + 0.45, title, detail)
    axes = sheet.place(0.6, 0.1, _WIDE - 0.6, _TALL)
    marker = "o" if len(rates) == 1 else None
    axes.plot(rates, losses, color=_CURVE, lw=2.2, solid_capstyle="round", marker=marker)
    axes.set_xscale("log")
    axes.set_ylim(*_range(losses))
    _dress(axes)
    if suggestion is not None:
        _mark(axes, rates, losses, suggestion)
    return sheet.figure


def _range(losses: Sequence[float]) -> tuple[float, float]:
    """The least and greatest loss to show.

    A loss that blows up would flatten all that came before it; one that stays as it is would be
    drawn as mountains of noise.
    """
    first, least = losses[0], min(losses)
    above = max(0.5 * (first - least), 0.1 * first)
    low, high = min(least, 0.9 * first), min(max(losses), first + above)
    room = _ROOM * (high - low) or 1.0
    return low - room, high + room


def _mark(axes: Axes, rates: Sequence[float], losses: Sequence[float], rate: float) -> None:
    """A line at the rate, a dot on the curve, and its name on the side that has more room."""
    place = min(range(len(rates)), key=lambda step: abs(rates[step] / rate - 1))
    axes.axvline(rate, color=ACCENT, lw=1.4, ls=(0, (4, 3)), zorder=1)
    axes.plot([rate], [losses[place]], "o", color=ACCENT, ms=8, mec="white", mew=1.5, zorder=3)
    left_of_it = rate * rate > rates[0] * rates[-1]
    axes.annotate(
        f"suggested: {rate:.2g}",
        (rate, 0.04),
        xycoords=("data", "axes fraction"),
        xytext=(-7 if left_of_it else 7, 0),
        textcoords="offset points",
        ha="right" if left_of_it else "left",
        fontsize=11,
        color=ACCENT,
        weight="bold",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
    )


def _dress(axes: Axes) -> None:
    axes.xaxis.set_major_locator(LogLocator(10, numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda rate, _: f"{rate:g}".replace("e-0", "e-")))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(labelsize=9.5, colors=MUTED, length=0)
    axes.set_xlabel("learning rate (logarithmic)", fontsize=10.5, color=INK, labelpad=6)
    axes.set_ylabel("training loss (nats, smoothed)", fontsize=10.5, color=INK, labelpad=6)
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
