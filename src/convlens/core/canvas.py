"""A figure, its words and its bytes: matplotlib through its objects alone, without a display.

Everything is placed in inches from the figure's upper left corner.
"""

import io
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.core.files import write_bytes

INK = "#1c2333"
MUTED = "#667085"
ACCENT = "#e8590c"
LINE = "#d0d5dd"
MARGIN = 0.35
CAPTION = 0.3
"""Inches above some axes for one line of words."""
DOTS_PER_INCH = 150
FRAME_DOTS_PER_INCH = 100

if not Path(mpl.matplotlib_fname()).is_absolute():
    mpl.rcdefaults()  # a matplotlibrc among someone's images may have LaTeX run

Image = NDArray[np.uint8]

_INCHES_A_LETTER = 0.079


class Sheet:
    """A figure with a heading, to place axes on.

    Args:
        width: inches between the margins.
        height: inches between the heading and the lower margin.
        title: the heading.
        detail: what to know about it, in gray below; wrapped to the width.
    """

    def __init__(self, width: float, height: float, title: str, detail: str = "") -> None:
        width = max(width, len(title) * _INCHES_A_LETTER * 1.6)
        lines = textwrap.wrap(detail, int(width / _INCHES_A_LETTER))
        self._top = MARGIN + 0.45 + 0.2 * len(lines)
        self._size = _whole(width + 2 * MARGIN), _whole(self._top + height + MARGIN)
        self.figure = Figure(figsize=self._size, dpi=DOTS_PER_INCH, facecolor="white")
        self._write(title, 0.0, fontsize=16, color=INK, weight="bold")
        self._write("\n".join(lines), 0.36, fontsize=10.5, color=MUTED)

    def place(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes at so many inches from the left margin and from the heading, without ticks."""
        whole_width, whole_height = self._size
        bottom = whole_height - self._top - top - height
        axes = self.figure.add_axes(
            (
                (left + MARGIN) / whole_width,
                bottom / whole_height,
                width / whole_width,
                height / whole_height,
            )
        )
        blank(axes)
        return axes

    def _write(self, text: str, top: float, **style: Any) -> None:
        width, height = self._size
        words = self.figure.text(
            MARGIN / width, 1 - (MARGIN + top) / height, text, va="top", linespacing=1.35, **style
        )
        words.set_parse_math(False)


def write_above(axes: Axes, text: str, *, size: float = 10.5, color: str = INK) -> None:
    """A few words above some axes; a dollar sign in a file's name is no formula."""
    axes.set_title(text, fontsize=size, color=color, pad=5).set_parse_math(False)


def blank(axes: Axes) -> None:
    """No ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)


def show_image(axes: Axes, image: Image) -> None:
    """One H×W×C image, its pixels unblurred where they are few."""
    axes.imshow(
        image if image.shape[2] == 3 else image[..., 0],
        cmap="gray",
        vmin=0,
        vmax=255,
        interpolation="nearest" if max(image.shape) <= 96 else "antialiased",
    )
    blank(axes)


def even_row(count: int, most: int) -> int:
    """Pictures in a row, so that all rows but the last are full, and the last nearly so.

    Example:
        >>> even_row(6, most=5), even_row(3, most=5)
        (3, 3)
    """
    return -(-count // -(-count // most))


def shorten(text: str, length: int = 28) -> str:
    """The text, its middle left out where it is long.

    Example:
        >>> shorten("a-very-long-file-name.jpeg", 12)
        'a-ver…e.jpeg'
    """
    if len(text) <= length:
        return text
    tail = length // 2
    return f"{text[: length - 1 - tail]}…{text[-tail:]}"


def png(figure: Figure) -> bytes:
    """The figure as a PNG file's bytes."""
    return _rendered(figure, "png", DOTS_PER_INCH)


def frame(figure: Figure) -> Image:
    """The figure as H×W×3 uint8, in the lower resolution of a moving picture."""
    width, height = (round(side * FRAME_DOTS_PER_INCH) for side in figure.get_size_inches())
    pixels = np.frombuffer(_rendered(figure, "rgba", FRAME_DOTS_PER_INCH), np.uint8)
    return pixels.reshape(height, width, 4)[..., :3]


def save_picture(figure: Figure, path: Path) -> None:
    """Write the figure as a PNG file, whole or not at all.

    Raises:
        ConvlensError: the folder cannot be written to.
        WorkFailedError: the disk is full.
    """
    write_bytes(path, png(figure))


def _whole(inches: float) -> float:
    """Inches that are whole dots in either resolution."""
    return round(inches * 50) / 50


def _rendered(figure: Figure, form: str, dots: int) -> bytes:
    buffer = io.BytesIO()
    with _glyphs_may_be_missing():
        figure.savefig(buffer, format=form, dpi=dots)
    return buffer.getvalue()


@contextmanager
def _glyphs_may_be_missing() -> Iterator[None]:
    """A file's name in a script that the font lacks is drawn as boxes, without a complaint."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
