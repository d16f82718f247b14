"""Pictures of a window sliding over an image: one stop of it, or all of them, one after another."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from convlens.core.canvas import (
    ACCENT,
    CAPTION,
    DOTS_PER_INCH,
    INK,
    MUTED,
    Sheet,
    blank,
    write_above,
)
from convlens.inspection.convolution import Convolution
from convlens.inspection.pictures.matrix import (
    MOST_CELLS_WITH_NUMBERS,
    Cells,
    format_number,
    show_matrix,
)
from convlens.inspection.pooling import Pooling
from convlens.inspection.sliding import Matrix, Sliding

_GAP = 0.5
_BAR = 0.6
_ARITHMETIC = 1.75
_LARGEST = 16
"""A window with a longer side is told in words alone."""


class SlidingPicture(ABC):
    """The image with the window on it, the maps that it makes, and the arithmetic of one stop."""

    def __init__(
        self,
        title: str,
        detail: str,
        sliding: Sliding,
        padded: Matrix,
        maps: Mapping[str, Matrix],
        *,
        padding_words: str,
        one_scale: bool,
    ) -> None:
        self.sliding = sliding
        self.padded = padded
        self.maps = maps
        side = 4.3 if len(maps) == 1 else 3.4
        tall = min(1.4, len(padded) / len(padded[0])) * side
        wide = (1 + len(maps)) * (side + _GAP) - _GAP
        self._arithmetic_at = CAPTION + tall + 0.2
        whole = self._arithmetic_at + _ARITHMETIC
        numbered = all(max(found.shape) <= MOST_CELLS_WITH_NUMBERS for found in maps.values())
        self._sheet = Sheet(wide + (0 if numbered else _BAR), whole, title, detail)
        image_axes = self._sheet.place(0, CAPTION, side, tall)
        self._marks = [_Mark(image_axes, padded.shape)]
        show_matrix(image_axes, padded, outside=_outside(sliding))
        self._read = image_axes.add_line(_rings(image_axes, padded.shape))
        height, width = sliding.image_shape
        told = f", {padding_words}" if sliding.is_padded else ""
        write_above(image_axes, f"image {height}×{width}{told}")
        self._cells: list[Cells] = []
        for number, (name, found) in enumerate(maps.items(), 1):
            axes = self._sheet.place(number * (side + _GAP), CAPTION, side, tall)
            cells = show_matrix(axes, found, whole=padded if one_scale else None)
            self._cells.append(cells)
            self._marks.append(_Mark(axes, found.shape))
            write_above(axes, f"{name} {found.shape[0]}×{found.shape[1]}")
        if not self._cells[-1].numbers:
            bar = self._sheet.place(wide + 0.12, CAPTION, 0.14, min(tall, 2.4))
            self.figure.colorbar(self._cells[-1].image, cax=bar).ax.tick_params(labelsize=9)
        self._arithmetic: list[Axes] = []

    @property
    def figure(self) -> Figure:
        """The figure as it is now."""
        return self._sheet.figure

    @final
    def show(self, row: int, column: int, *, so_far: bool = False) -> None:
        """Put the window where it makes one number of the maps.

        Args:
            row: of the maps.
            column: of the maps.
            so_far: leave out what the window, going row by row, has yet to make.
        """
        top, left = self.sliding.corner(row, column)
        self._marks[0].put(top, left, self.sliding.reach)
        if self.sliding.down.dilation > 1:
            rows, columns = np.indices(self.sliding.window_shape) * self.sliding.down.dilation
            self._read.set_data((left + columns).ravel(), (top + rows).ravel())
        for mark in self._marks[1:]:
            mark.put(row, column, (1, 1))
        for cells, found in zip(self._cells, self.maps.values(), strict=True):
            last = row * found.shape[1] + column if so_far else found.size
            made = np.arange(found.size) <= last
            cells.image.set_data(np.where(made.reshape(found.shape), found, np.nan))
            for text, visible in zip(cells.numbers, made, strict=False):
                text.set_visible(bool(visible))
        for axes in self._arithmetic:
            axes.remove()
        self._arithmetic = []
        self.explain(row, column)

    @abstractmethod
    def explain(self, row: int, column: int) -> None:
        """Write one stop's arithmetic below the image."""

    def write_matrix(
        self, left: float, name: str, matrix: Matrix, *, whole: Matrix | None = None
    ) -> float:
        """Draw a matrix of the arithmetic, in the colors of the whole that it was taken from.

        Returns:
            Where it ends, in inches from the left.
        """
        tall = _ARITHMETIC - CAPTION
        wide = min(2.2, tall * len(matrix[0]) / len(matrix))
        axes = self._sheet.place(left, self._arithmetic_at + CAPTION, wide, tall)
        if max(matrix.shape) <= _LARGEST:
            show_matrix(axes, matrix, whole=whole)
        write_above(axes, name, size=9.5, color=MUTED)
        self._arithmetic.append(axes)
        return left + wide

    def write_words(
        self, left: float, text: str, *, wide: float = 0.45, size: float = 17, color: str = INK
    ) -> float:
        """Write words of the arithmetic; return where they end, in inches from the left."""
        tall = _ARITHMETIC - CAPTION
        axes = self._sheet.place(left, self._arithmetic_at + CAPTION, wide, tall)
        blank(axes)
        axes.patch.set_visible(False)
        axes.text(0.5, 0.5, text, fontsize=size, color=color, ha="center", va="center")
        self._arithmetic.append(axes)
        return left + wide


@final
class ConvolutionPicture(SlidingPicture):
    """Image, kernel, window, sum and feature map.

    Args:
        found: the convolution; the window begins at the first stop.
    """

    def __init__(self, found: Convolution) -> None:
        sliding = found.sliding
        height, width = sliding.window_shape
        super().__init__(
            f"Convolution: {found.kernel.name}",
            f"{height}×{width} kernel, {_steps(sliding)}; feature map: {sliding.formula()}",
            sliding,
            sliding.pad(found.image),
            {"feature map": found.feature_map},
            padding_words="padded with zeros",
            one_scale=False,
        )
        self._found = found
        self.show(0, 0)

    def explain(self, row: int, column: int) -> None:
        """Window times kernel gives the products, whose sum is the number."""
        found = self._found
        under = self.sliding.under(self.padded, row, column)
        end = self.write_matrix(0.0, "under the window", under, whole=self.padded)
        end = self.write_words(end, "×")
        weights, products = found.kernel.weights, found.products(row, column)
        end = self.write_matrix(end, "kernel", weights, whole=_both_signs(weights))
        end = self.write_words(end, "=")
        end = self.write_matrix(end, "products", products, whole=_both_signs(products))
        end = self.write_words(end + 0.1, "sum", wide=0.6, size=12, color=MUTED)
        total = format_number(found.feature_map[row, column])
        end = self.write_words(end, total, wide=1.1, size=22, color=ACCENT)
        self.write_words(end, f"at ({row}, {column})", wide=0.8, size=10, color=MUTED)


@final
class PoolingPicture(SlidingPicture):
    """Image, window, largest and mean, and both pooled maps.

    Args:
        found: the pooling; the window begins at the first stop.
    """

    def __init__(self, found: Pooling) -> None:
        sliding = found.sliding
        side = sliding.window_shape[0]
        super().__init__(
            f"Pooling: {side}×{side}",
            f"{_steps(sliding)}; pooled maps: {sliding.formula()}",
            sliding,
            sliding.pad(found.image, fill=np.nan),
            {"largest (max pooling)": found.maximum, "mean (average pooling)": found.average},
            padding_words="padded (0 in the mean)",
            one_scale=True,
        )
        self._found = found
        self.show(0, 0)

    def explain(self, row: int, column: int) -> None:
        """The window's numbers, the largest of them, their mean."""
        under = self.sliding.under(self.padded, row, column)
        end = self.write_matrix(0.0, "under the window", under, whole=self.padded)
        answers = {"largest": self._found.maximum, "mean": self._found.average}
        for name, found in answers.items():
            end = self.write_words(end + 0.4, name, wide=0.8, size=12, color=MUTED)
            number = format_number(found[row, column])
            end = self.write_words(end, number, wide=0.9, size=22, color=ACCENT)
        self.write_words(end + 0.2, f"at ({row}, {column})", wide=0.8, size=10, color=MUTED)


class _Mark:
    """A box on some axes, and fine lines that lead to it where it is small."""

    def __init__(self, axes: Axes, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._box = Rectangle(
            (0, 0), 1, 1, fill=False, edgecolor=ACCENT, linewidth=2.6, zorder=5, clip_on=False
        )
        axes.add_patch(self._box)
        self._lines = [
            axes.add_line(Line2D([], [], color=ACCENT, linewidth=0.9, alpha=0.7)) for _ in range(2)
        ]

    def put(self, top: int, left: int, reach: tuple[int, int]) -> None:
        height, width = reach
        self._box.set_bounds(left - 0.5, top - 0.5, width, height)
        if max(reach) * 16 >= max(self._shape):
            return
        self._box.set_linewidth(1.4)
        across, down = left + (width - 1) / 2, top + (height - 1) / 2
        self._lines[0].set_data([across, across], [-0.5, self._shape[0] - 0.5])
        self._lines[1].set_data([-0.5, self._shape[1] - 0.5], [down, down])


def _rings(axes: Axes, shape: tuple[int, ...]) -> Line2D:
    """Rings for the cells that a dilated window reads; none so far."""
    cell = axes.get_window_extent().width / shape[1] * 72 / DOTS_PER_INCH
    return Line2D(
        [],
        [],
        linestyle="none",
        marker="o",
        markersize=max(1.0, 0.72 * cell),
        markerfacecolor="none" if cell > 6 else ACCENT,
        markeredgecolor=ACCENT,
        markeredgewidth=1.6 if cell > 6 else 0,
    )


def _both_signs(matrix: Matrix) -> Matrix:
    """A range around 0, so that weights and products are always in blue and red."""
    return np.concatenate([matrix, -matrix, [[-1e-12] * len(matrix[0])]])


def _outside(sliding: Sliding) -> NDArray[np.bool_]:
    return np.isnan(sliding.pad(np.zeros(sliding.image_shape), fill=np.nan))


def _steps(sliding: Sliding) -> str:
    down, across = sliding.down, sliding.across
    sides = {down.before, down.after, across.before, across.after}
    uneven = f"{down.before} above, {down.after} below, {across.before} left, {across.after} right"
    padding = str(down.before) if len(sides) == 1 else uneven
    dilation = f", dilation {down.dilation}" if down.dilation > 1 else ""
    return f"stride {down.stride}, padding {padding}{dilation}"
