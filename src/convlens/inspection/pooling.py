"""Pooling, written out in loops to be read."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from convlens.core.errors import ConvlensError
from convlens.inspection.sliding import Matrix, Sliding, as_matrix, slide

PoolKind: TypeAlias = Literal["max", "average"]


def pool(
    image: ArrayLike, size: int, kind: PoolKind, *, stride: int | None = None, padding: int = 0
) -> Matrix:
    """Slide a window over an image: at each stop, keep the largest number or the mean.

    Args:
        image: H×W numbers.
        size: the window's side in pixels.
        kind: ``"max"`` or ``"average"``.
        stride: pixels from one stop to the next; the window's side unless given.
        padding: rows and columns on every side, at most half the side: never the largest for
            ``"max"``, zeros that count for ``"average"``.

    Returns:
        The pooled map, h×w float64: what torch's ``max_pool2d`` and ``avg_pool2d`` give.

    Raises:
        ConvlensError: the window does not fit, a step is below 1, or padding exceeds half the side.

    Example:
        >>> pool([[1, 2, 0, 1], [0, 1, 2, 3]], 2, "max").tolist()
        [[2.0, 3.0]]
    """
    image = as_matrix(image, "image")
    sliding = _stops(image, size, stride, padding)
    padded = sliding.pad(image, fill=-np.inf if kind == "max" else 0.0)
    pooled = np.zeros(sliding.output_shape)
    for row in range(pooled.shape[0]):
        for column in range(pooled.shape[1]):
            top, left = sliding.corner(row, column)
            largest, total = -np.inf, 0.0
            for i in range(size):
                for j in range(size):
                    largest = max(largest, padded[top + i, left + j])
                    total += padded[top + i, left + j]
            pooled[row, column] = largest if kind == "max" else total / size**2
    return pooled


@dataclass(frozen=True)
class Pooling:
    """One window slid over one image, pooled both ways.

    Attributes:
        image: H×W float64.
        sliding: where the window stopped.
        maximum: h×w float64.
        average: h×w float64.
    """

    image: Matrix
    sliding: Sliding
    maximum: Matrix
    average: Matrix


def pooling(
    image: ArrayLike, size: int = 2, *, stride: int | None = None, padding: int = 0
) -> Pooling:
    """`pool` by maximum and by average, with all that a picture of it shows.

    Example:
        >>> pooled = pooling([[1, 2, 0, 1], [0, 1, 2, 3]])
        >>> pooled.maximum.tolist(), pooled.average.tolist()
        ([[2.0, 3.0]], [[1.0, 1.5]])
    """
    image = as_matrix(image, "image")
    return Pooling(
        image,
        _stops(image, size, stride, padding),
        pool(image, size, "max", stride=stride, padding=padding),
        pool(image, size, "average", stride=stride, padding=padding),
    )


def _stops(image: Matrix, size: int, stride: int | None, padding: int) -> Sliding:
    if padding > size // 2:
        raise ConvlensError(
            f"padding is {padding} for a {size}×{size} pooling window; "
            f"expected at most half its side, {size // 2}",
            code="bad-window",
        )
    return slide(
        image.shape, (size, size), stride=size if stride is None else stride, padding=padding
    )
