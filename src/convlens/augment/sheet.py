"""One image and what training makes of it, as a picture to look at."""

import math
import textwrap
import warnings
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.augment.describing import describe
from convlens.augment.drawing import draw
from convlens.augment.settings import AugmentSettings
from convlens.augment.transform import apply
from convlens.augment.warp import as_arrays, as_pixels

EPOCHS = 9

_COLUMNS = 5
_INK, _MUTED, _ACCENT = "#1c2333", "#667085", "#e8590c"
_MARGIN, _GAP, _TILE = 0.35, 0.22, 2.1
_LINE = 0.165
"""Inches from one line of a caption to the next."""
_LETTERS = 31
"""Of a caption, that have room below a tile."""


def first_epochs(
    image: NDArray[np.uint8],
    settings: AugmentSettings,
    *,
    height: int,
    width: int,
    seed: int = 0,
    index: int = 0,
) -> tuple[NDArray[np.uint8], list[tuple[str, ...]]]:
    """What training sees of one image in its first epochs.

    Args:
        image: H×W×C uint8, of the input's size or with a margin.
        settings: what may happen to it; MixUp and CutMix are left out.
        height: rows of the network's input.
        width: columns of the network's input.
        seed: the run's seed.
        index: which sample the image is.

    Returns:
        `EPOCHS` × height × width × C uint8, and for each what was drawn, in phrases.

    Raises:
        ConvlensError: the image is smaller than the network's input.
    """
    pixels, size = as_pixels(np.array(image)[None]), {"height": height, "width": width}
    seen, said = [], []
    for epoch in range(EPOCHS):
        draws = draw(settings, seed=seed, epoch=epoch, indices=[index], **size)
        seen.append(as_arrays(apply(pixels, draws, fill=settings.fill, **size))[0])
        said.append(describe(draws, 0))
    return np.stack(seen), said


def draw_sheet(
    original: NDArray[np.uint8],
    seen: NDArray[np.uint8],
    said: list[tuple[str, ...]],
    *,
    title: str,
    detail: str = "",
) -> Figure:
    """The original and what training makes of it, each with what was drawn written below.

    Args:
        original: H×W×C uint8, as validation sees it.
        seen: N×H×W×C uint8.
        said: N times the phrases for it.
        title: the heading.
        detail: what to know, in grey below it.

    Returns:
        A figure of five images a row.
    """
    captions = [["as validation sees it"], *map(_caption, said)]
    height, width = original.shape[:2]
    across = _TILE * max(0.6, min(1, width / height))  # a narrower tile has no room for words
    down = _TILE * min(1, height / width)
    words = 0.3 + _LINE * max(map(len, captions))
    head = _MARGIN + (0.75 if detail else 0.5)
    rows = math.ceil(len(captions) / _COLUMNS)
    figure = Figure(
        figsize=(
            2 * _MARGIN + _COLUMNS * (across + _GAP) - _GAP,
            head + rows * (down + words + _GAP) - _GAP + _MARGIN,
        ),
        dpi=150,
        facecolor="white",
    )
    _write(figure, title, _MARGIN, _MARGIN, size=16, weight="bold")
    _write(figure, detail, _MARGIN, _MARGIN + 0.36, size=10.5, color=_MUTED)
    for place, (image, lines) in enumerate(zip([original, *seen], captions, strict=True)):
        row, column = divmod(place, _COLUMNS)
        left, top = _MARGIN + column * (across + _GAP), head + row * (down + words + _GAP)
        _show(_axes(figure, left, top, across, down), image, frame=None if place else _ACCENT)
        name = f"epoch {place}" if place else "original"
        _write(figure, name, left, top + down + 0.07, size=9.5, weight="bold")
        _write(figure, "\n".join(lines), left, top + down + 0.26, size=8, color=_MUTED)
    return figure


def as_png(figure: Figure) -> bytes:
    """The figure as a PNG file's bytes."""
    buffer = BytesIO()
    with warnings.catch_warnings():
        # A file's name in a script that the font lacks is drawn as boxes.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _caption(phrases: tuple[str, ...]) -> list[str]:
    """A line for each phrase, or more where it is too long for the tile."""
    return [
        line for phrase in phrases or ("unchanged",) for line in textwrap.wrap(phrase, _LETTERS)
    ]


def _axes(figure: Figure, left: float, top: float, across: float, down: float) -> Axes:
    """Axes at so many inches from the figure's upper left corner."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, 1 - (top + down) / height, across / width, down / height))


def _show(axes: Axes, image: NDArray[np.uint8], *, frame: str | None) -> None:
    few = max(image.shape) <= 96
    axes.imshow(
        image if image.shape[2] == 3 else image[..., 0],
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest" if few else "antialiased",
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(frame is not None)
        side.set_color(frame or "none")
        side.set_linewidth(2)


def _write(figure: Figure, text: str, left: float, top: float, **style: Any) -> None:
    width, height = figure.get_size_inches()
    style = {"color": _INK, **style}
    words = figure.text(left / width, 1 - top / height, text, va="top", linespacing=1.35, **style)
    words.set_parse_math(False)
