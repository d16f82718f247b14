"""One image and what training makes of it, as a picture to look at.

Imported by its own name, so that training does not load matplotlib.
"""

import math
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from convlens.augment.describing import describe
from convlens.augment.drawing import draw
from convlens.augment.settings import AugmentSettings
from convlens.augment.transform import apply
from convlens.augment.warp import as_arrays, as_pixels
from convlens.core.canvas import ACCENT, DOTS_PER_INCH, INK, MARGIN, MUTED, Image, show_image
from convlens.core.files import png_path

__all__ = ["EPOCHS", "FirstEpochs", "draw_sheet", "first_epochs", "picture_path"]

EPOCHS = 9

_COLUMNS = 5
_GAP, _TILE = 0.22, 2.1
_NAME, _LINE = 0.2, 0.155
"""Inches from a tile to its name, and from one line of its caption to the next."""
_LETTERS = 31
"""Of a caption, that have room below a tile."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FirstEpochs:
    """One image, and what training sees of it in its first epochs.

    Attributes:
        original: H×W×C uint8, as validation sees it.
        images: N×H×W×C uint8, one an epoch.
        drawn: what was drawn for each, in phrases.
    """

    original: Image
    images: Image
    drawn: tuple[tuple[str, ...], ...]


def first_epochs(
    image: Image,
    settings: AugmentSettings,
    *,
    original: Image,
    seed: int = 0,
    index: int = 0,
) -> FirstEpochs:
    """Augment one image as training will in its first nine epochs.

    Args:
        image: H×W×C uint8, of the original's size or with a margin.
        settings: what may happen to it; MixUp and CutMix, which need a batch, are left out.
        original: height×width×C uint8, the network's input as validation sees it.
        seed: the run's seed.
        index: which sample the image is.

    Raises:
        ConvlensError: the image is smaller than the original.
    """
    pixels = as_pixels(np.array(image)[None])
    size = dict(zip(("height", "width"), original.shape[:2], strict=True))
    images, drawn = [], []
    for epoch in range(EPOCHS):
        draws = draw(settings, seed=seed, epoch=epoch, indices=[index], **size)
        images.append(as_arrays(apply(pixels, draws, fill=settings.fill, **size))[0])
        drawn.append(describe(draws, 0))
    return FirstEpochs(original=original, images=np.stack(images), drawn=tuple(drawn))


def draw_sheet(found: FirstEpochs, *, title: str, detail: str = "") -> Figure:
    """The original and what training makes of it, each with what was drawn written below.

    Args:
        found: what to draw.
        title: the heading.
        detail: what to know, in gray below it.

    Returns:
        A figure of five images a row.
    """
    captions = [["as validation sees it"], *map(_caption, found.drawn)]
    height, width = found.original.shape[:2]
    down = _TILE * min(1, height / width)
    words = _NAME + _LINE * max(map(len, captions)) + _GAP
    head = MARGIN + (0.75 if detail else 0.5)
    rows = math.ceil(len(captions) / _COLUMNS)
    figure = Figure(
        figsize=(
            2 * MARGIN + _COLUMNS * (_TILE + _GAP) - _GAP,
            head + rows * (down + words) - _GAP + MARGIN,
        ),
        dpi=DOTS_PER_INCH,
        facecolor="white",
    )
    _write(figure, title, MARGIN, MARGIN + 0.18, size=16, weight="bold")
    _write(figure, detail, MARGIN, MARGIN + 0.48, size=10.5, color=MUTED)
    for place, (image, lines) in enumerate(
        zip([found.original, *found.images], captions, strict=True)
    ):
        row, column = divmod(place, _COLUMNS)
        left, top = MARGIN + column * (_TILE + _GAP), head + row * (down + words)
        axes = _axes(figure, left, top, down)
        show_image(axes, image)
        if not place:
            _frame(axes, ACCENT)
        name = f"epoch {place}" if place else "original"
        _write(figure, name, left, top + down + _NAME, size=9.5, weight="bold")
        for number, line in enumerate(lines, start=1):
            below = top + down + _NAME + number * _LINE + 0.02
            _write(figure, line, left, below, size=8, color=MUTED)
    return figure


def picture_path(out: str | Path) -> Path:
    """Where the sheet is written: a PNG file, or ``augmentation.png`` in a folder.

    Raises:
        ConvlensError: the name is that of another kind of file.

    Example:
        >>> picture_path("sheet.png").name, picture_path("looks").name
        ('sheet.png', 'augmentation.png')
    """
    return png_path(out, name="augmentation.png")


def _caption(phrases: tuple[str, ...]) -> list[str]:
    """A line for each phrase, or more where it is too long for the tile."""
    return [
        line for phrase in phrases or ("unchanged",) for line in textwrap.wrap(phrase, _LETTERS)
    ]


def _axes(figure: Figure, left: float, top: float, down: float) -> Axes:
    """Axes for a tile at so many inches from the figure's upper left corner."""
    width, height = figure.get_size_inches()
    box = (left / width, 1 - (top + down) / height, _TILE / width, down / height)
    return figure.add_axes(box, anchor="NW")


def _frame(axes: Axes, color: str) -> None:
    for side in axes.spines.values():
        side.set(visible=True, color=color, linewidth=2)


def _write(figure: Figure, text: str, left: float, base: float, **style: Any) -> None:
    """A line of text that stands at so many inches from the figure's upper left corner."""
    width, height = figure.get_size_inches()
    words = figure.text(left / width, 1 - base / height, text, **{"color": INK, **style})
    words.set_parse_math(False)
