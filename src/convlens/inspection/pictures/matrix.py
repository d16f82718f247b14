"""A matrix as cells: colored, and with its numbers where they can be read."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.image import AxesImage
from matplotlib.text import Text
from numpy.typing import NDArray

from convlens.core.canvas import DOTS_PER_INCH, INK, LINE, MUTED, blank
from convlens.inspection.sliding import Matrix

MOST_CELLS_WITH_NUMBERS = 14
"""A matrix with a longer side than this is drawn without its numbers."""

_NOTHING = "#f4f5f8"
_CELLS = LinearSegmentedColormap.from_list("cells", ["#98a2b3", "#ffffff"])
_SIGNED_CELLS = LinearSegmentedColormap.from_list("signed", ["#6ea8d9", "#ffffff", "#ee8a73"])
"""Light enough for dark numbers everywhere."""


@dataclass(frozen=True)
class Cells:
    """A matrix as drawn.

    Attributes:
        image: its colors.
        numbers: one text a cell, row by row; none where there is no room.
    """

    image: AxesImage
    numbers: tuple[Text, ...]


def show_matrix(
    axes: Axes,
    matrix: Matrix,
    *,
    outside: NDArray[np.bool_] | None = None,
    whole: Matrix | None = None,
) -> Cells:
    """Draw H×W numbers: gray where none is negative, blue to red around 0 where one is.

    Args:
        axes: where; its height in inches decides the size of the numbers.
        matrix: what to draw; NaN is drawn as nothing.
        outside: bool H×W, the cells that belong to the padding.
        whole: the matrix whose range the colors span; ``matrix`` itself unless given.
    """
    few = max(matrix.shape) <= MOST_CELLS_WITH_NUMBERS
    inside = matrix if outside is None else np.where(outside, np.nan, matrix)
    signed, scale = _scale(matrix if whole is None else whole)
    image = axes.imshow(
        inside,
        cmap=(_SIGNED_CELLS if signed else _CELLS) if few else ("RdBu_r" if signed else "gray"),
        norm=scale,
        interpolation="nearest" if max(matrix.shape) <= 96 else "antialiased",
    )
    axes.patch.set_facecolor(_NOTHING)
    blank(axes)
    if not few:
        return Cells(image, ())
    _draw_grid(axes, matrix.shape)
    size = _font_size(axes, matrix)
    texts = []
    for (row, column), value in np.ndenumerate(matrix):
        ink = MUTED if outside is not None and outside[row, column] else INK
        text = axes.text(
            column, row, format_number(value), fontsize=size, color=ink, ha="center", va="center"
        )
        texts.append(text)
    return Cells(image, tuple(texts))


def format_number(value: float) -> str:
    """A number in as few characters as tell it apart from 0 and its neighbors.

    Example:
        >>> [format_number(value) for value in (3.0, -0.125, 1 / 9, 0.004, 254.6, 1.2e7)]
        ['3', '−0.12', '0.11', '0.004', '255', '1.2e+07']
    """
    if not np.isfinite(value):
        return "" if np.isnan(value) else "−∞" if value < 0 else "∞"
    size = abs(value)
    if size >= 1e5 or 0 < size < 0.01:
        text = f"{value:.2g}"
    else:
        text = f"{value + 0.0:.{0 if size >= 100 else 2}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "−", 1)


def _scale(span: Matrix) -> tuple[bool, Normalize]:
    low, high = float(span[np.isfinite(span)].min()), float(span[np.isfinite(span)].max())
    if low < 0:
        return True, Normalize(-max(-low, high), max(-low, high))
    return False, Normalize(low, high) if high > low else Normalize(low - 1, low + 1)


def _draw_grid(axes: Axes, shape: tuple[int, ...]) -> None:
    height, width = shape
    across = axes.hlines(np.arange(height + 1) - 0.5, -0.5, width - 0.5)
    down = axes.vlines(np.arange(width + 1) - 0.5, -0.5, height - 0.5)
    for lines in (across, down):
        lines.set(color=LINE, linewidth=1.0, clip_on=False)


def _font_size(axes: Axes, matrix: Matrix) -> float:
    box = axes.get_window_extent()
    dots = min(box.width / matrix.shape[1], box.height / matrix.shape[0])
    cell = dots / DOTS_PER_INCH
    longest = max(len(format_number(value)) for value in matrix.ravel())
    return float(np.clip(72 * cell * 0.4, 4, 72 * cell / (0.75 * max(longest, 2))))
