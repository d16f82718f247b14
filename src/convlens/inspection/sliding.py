"""Where a window stops as it slides over an image, and what lies under it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convlens.core.errors import ConvlensError
from convlens.inspection.formulas import Window, both_axes

Matrix: TypeAlias = NDArray[np.float64]
Padding: TypeAlias = int | Literal["valid", "same"]


@dataclass(frozen=True)
class Sliding:
    """A window's stops over an image: one for each number of the output.

    Attributes:
        down: its stops down the rows.
        across: its stops across the columns.
    """

    down: Window
    across: Window

    @property
    def image_shape(self) -> tuple[int, int]:
        """H, W of the image before padding."""
        return self.down.side, self.across.side

    @property
    def window_shape(self) -> tuple[int, int]:
        """k_h, k_w."""
        return self.down.kernel, self.across.kernel

    @property
    def reach(self) -> tuple[int, int]:
        """Rows and columns that the window spans, gaps of the dilation included."""
        return self.down.reach, self.across.reach

    @property
    def output_shape(self) -> tuple[int, int]:
        """Stops down and stops across."""
        return self.down.count, self.across.count

    @property
    def is_padded(self) -> bool:
        """Whether there is anything around the image."""
        return any((self.down.before, self.down.after, self.across.before, self.across.after))

    def corner(self, row: int, column: int) -> tuple[int, int]:
        """The padded image's row and column where the window of one output number begins."""
        return row * self.down.stride, column * self.across.stride

    def pad(self, image: Matrix, *, fill: float = 0.0) -> Matrix:
        """The image with its padding around it."""
        around = ((axis.before, axis.after) for axis in (self.down, self.across))
        return np.pad(image, tuple(around), constant_values=fill)

    def under(self, padded: Matrix, row: int, column: int) -> Matrix:
        """The k_h×k_w numbers of the padded image that make one output number."""
        top, left = self.corner(row, column)
        height, width = self.reach
        step = self.down.dilation
        return padded[top : top + height : step, left : left + width : step]

    def sees_image_alone(self) -> NDArray[np.bool_]:
        """Which of the output's numbers, h×w, come from a window without padding in it."""
        rows, columns = (_without_padding(axis) for axis in (self.down, self.across))
        return rows[:, None] & columns

    def formula(self) -> str:
        """How the output's shape follows.

        Example:
            >>> slide((28, 28), (3, 3)).formula()
            '(28 − 3 + 2·0)/1 + 1 = 26'
        """
        return both_axes(self.down.formula(), self.across.formula())


def slide(
    image_shape: tuple[int, ...],
    window_shape: tuple[int, ...],
    *,
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
) -> Sliding:
    """Lay a window's stops out over an image.

    Args:
        image_shape: H, W.
        window_shape: k_h, k_w.
        stride: pixels from one stop to the next.
        padding: rows and columns on every side; ``"valid"`` is none, ``"same"`` as many as make
            the output ceil(H / stride) × ceil(W / stride), the odd one below and right.
        dilation: pixels from one of the window's cells to the next.

    Raises:
        ConvlensError: a step is below 1, padding is negative, or the window does not fit.
    """
    if min(*window_shape, stride, dilation) < 1:
        raise ConvlensError(
            f"the window is {window_shape[0]}×{window_shape[1]}, stride {stride}, dilation "
            f"{dilation}; each must be at least 1",
            code="bad-window",
        )
    down, across = (
        Window(side, kernel, stride, *_around(side, kernel, stride, padding, dilation), dilation)
        for side, kernel in zip(image_shape, window_shape, strict=True)
    )
    for axis in (down, across):
        if axis.room < 0:
            raise ConvlensError(
                f"the window spans {axis.reach} pixels ({axis.kernel} with dilation {dilation}), "
                f"the image has {axis.side} + {axis.before} + {axis.after} with its padding; "
                "take a smaller window, more padding or a larger image",
                code="window-too-large",
            )
    return Sliding(down, across)


def as_matrix(values: ArrayLike, what: str) -> Matrix:
    """Numbers as H×W float64.

    Raises:
        ConvlensError: they are not a matrix of finite numbers.
    """
    matrix = np.asarray(values, np.float64)
    if matrix.ndim != 2 or not matrix.size or not np.isfinite(matrix).all():
        raise ConvlensError(
            f"{what} has the shape {matrix.shape}; expected rows × columns of finite numbers",
            code="bad-matrix",
        )
    return matrix


def _around(
    side: int, kernel: int, stride: int, padding: Padding, dilation: int
) -> tuple[int, int]:
    if padding == "valid":
        return 0, 0
    if padding == "same":
        total = (-(-side // stride) - 1) * stride + dilation * (kernel - 1) + 1 - side
        return max(total, 0) // 2, max(total + 1, 0) // 2
    if padding < 0:
        raise ConvlensError(
            f"padding is {padding}; give 0 or more pixels, 'valid' or 'same'", code="bad-window"
        )
    return padding, padding


def _without_padding(axis: Window) -> NDArray[np.bool_]:
    start = np.arange(axis.count) * axis.stride
    return (start >= axis.before) & (start + axis.reach <= axis.before + axis.side)
