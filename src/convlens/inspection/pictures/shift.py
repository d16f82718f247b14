"""The picture of an image that moves: what it looks like, what the maps do, what is answered."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from convlens.core.canvas import (
    CAPTION,
    INK,
    LINE,
    MUTED,
    Sheet,
    shorten,
    show_image,
    write_above,
)
from convlens.inspection.shift import Following, Shift

_SHOWN = 5
_SIDE = 1.7
_GAP = 0.15
_NAMES = 1.35
_MOST_LAYERS = 4
_COLOURS = ("#1864ab", "#e8590c", "#2b8a3e", "#862e9c", "#495057", "#c2255c")


def draw_shift(
    found: Shift,
    name: str,
    *,
    classes: Sequence[str],
    probabilities: NDArray[np.float32],
    network: str = "",
) -> Figure:
    """The image at five offsets, each layer's maps below it, and two curves over all offsets.

    Args:
        found: the image that moved.
        name: its title.
        classes: K class names.
        probabilities: S×K.
        network: what to call the network.
    """
    stops = np.linspace(0, len(found.offsets) - 1, _SHOWN).round().astype(int)
    image_tall = _SIDE * found.pixels.shape[1] / found.pixels.shape[2]
    layers = _some(found.layers)
    talls = [_SIDE * one.maps.shape[1] / one.maps.shape[2] for one in layers]
    curves_top = CAPTION + image_tall + sum(talls) + _GAP * len(talls) + 0.55
    wide = _NAMES + _SHOWN * (_SIDE + _GAP) - _GAP
    way = "to the right" if found.axis == "x" else "down"
    reach = int(found.offsets[-1])
    sheet = Sheet(
        wide,
        curves_top + 2.9,
        f"{shorten(name)} moved by up to {reach} pixels",
        f"{network or 'The network'} while it moves: positive is {way}, the border's own pixels "
        "fill what opens up; below, each layer's most varied channel",
    )
    for place, stop in enumerate(stops):
        axes = sheet.place(_NAMES + place * (_SIDE + _GAP), CAPTION, _SIDE, image_tall)
        show_image(axes, found.pixels[stop])
        write_above(axes, f"{found.offsets[stop]:+d}".replace("-", "−").replace("+0", "0"))
    top = CAPTION + image_tall + _GAP
    for layer, tall in zip(layers, talls, strict=True):
        _draw_layer(sheet, layer, stops, top, tall)
        top += tall + _GAP
    half = (wide - 1.4) / 2
    _draw_answers(sheet.place(0.55, curves_top, half, 2.4), found, classes, probabilities)
    _draw_agreement(sheet.place(wide - half, curves_top, half, 2.4), found)
    return sheet.figure


def _draw_layer(
    sheet: Sheet, layer: Following, stops: NDArray[np.int64], top: float, tall: float
) -> None:
    low, high = float(layer.maps.min()), float(layer.maps.max())
    for place, stop in enumerate(stops):
        axes = sheet.place(_NAMES + place * (_SIDE + _GAP), top, _SIDE, tall)
        axes.imshow(layer.maps[stop], cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
    height, width = layer.maps.shape[1:]
    words = sheet.place(0, top, _NAMES, tall)
    words.text(0, 0.6, layer.layer, fontsize=11, color=INK, weight="bold", va="center")
    words.text(
        0, 0.4, f"{height}×{width}\nchannel {layer.channel}", fontsize=9.5, color=MUTED, va="top"
    )


def _draw_answers(
    axes: Axes, found: Shift, classes: Sequence[str], probabilities: NDArray[np.float32]
) -> None:
    leading = np.argsort(-probabilities.max(axis=0), kind="stable")[:3]
    for color, number in zip(_COLOURS, leading, strict=False):
        label = shorten(classes[number], 16).lstrip("_")
        axes.plot(found.offsets, probabilities[:, number], color=color, lw=2, label=label)
    answers = probabilities.argmax(axis=1)
    same = int((answers == answers[len(answers) // 2]).sum())
    _dress(axes, f"Probability: the answer is the same at {same} of {len(answers)} offsets")


def _draw_agreement(axes: Axes, found: Shift) -> None:
    for color, layer in zip(_COLOURS, _some(found.layers), strict=False):
        told = np.isfinite(layer.agreement).sum() > 1
        label = layer.layer if told else f"{layer.layer}: too few cells to compare"
        axes.plot(found.offsets, layer.agreement, color=color, lw=2, label=label)
    _dress(axes, "How exactly the maps follow (cosine similarity)")


def _dress(axes: Axes, title: str) -> None:
    write_above(axes, title)
    axes.set_ylim(max(0.0, np.floor(axes.get_ylim()[0] * 5) / 5), 1.03)
    axes.xaxis.set_major_locator(MaxNLocator(9, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(labelsize=9, colors=MUTED)
    axes.set_xlabel("pixels moved", fontsize=9.5, color=MUTED)
    axes.grid(color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.legend(fontsize=9, loc="best", framealpha=0.9)
    for side in axes.spines.values():
        side.set(visible=True, color=LINE)


def _some(layers: Sequence[Following]) -> Sequence[Following]:
    """At most four layers, spread from the first to the last."""
    chosen = np.linspace(0, len(layers) - 1, min(_MOST_LAYERS, len(layers))).round().astype(int)
    return [layers[number] for number in chosen]
