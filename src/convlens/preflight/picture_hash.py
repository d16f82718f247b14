"""A perceptual hash of 64 bits, and those of a picture's slightly cropped versions.

The bits are the signs of the 64 lowest frequencies of the thumbnail's discrete cosine transform
(type II), its mean left out: they stay when the picture is brightened, re-encoded or resized. A
crop moves them; so nine versions of a picture without 5 % of its rows and columns are hashed too,
and compared with other pictures as they are. All of it is one matrix product.

Source:
    C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, section
    3.2.1 (the DCT hash); here with signs in place of the median, and with cropped versions.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.preflight.image_facts import SIDE

BITS = 64
CROPPED = 0.05
VIEWS: tuple[tuple[float, float], ...] = tuple(
    (top, left) for top in (0.0, CROPPED / 2, CROPPED) for left in (0.0, CROPPED / 2, CROPPED)
)
"""Upper left corners of the cropped versions, as shares of height and width."""

_GREY: NDArray[np.float32] = np.array([0.299, 0.587, 0.114], np.float32)


def frequencies(thumbnails: NDArray[np.float32], *, views: bool) -> NDArray[np.float32]:
    """The 64 lowest frequencies of pictures, and of their cropped versions.

    Args:
        thumbnails: n×32×32×3, 0 to 255.
        views: False for the whole pictures alone.

    Returns:
        (1 or 10, n, 64): the whole picture first.
    """
    gray: NDArray[np.float32] = (thumbnails @ _GREY).reshape(len(thumbnails), -1)
    weights = _weights() if views else _weights()[:, :BITS]
    found: NDArray[np.float32] = gray @ weights
    return found.reshape(len(gray), -1, BITS).transpose(1, 0, 2)


def codes(found: NDArray[np.float32]) -> NDArray[np.uint64]:
    """The hashes (…) of frequencies (…, 64): their signs."""
    packed = np.packbits(found > 0, axis=-1)
    return np.ascontiguousarray(packed).view(np.uint64)[..., 0]


def cropped(view: int, side: int = SIDE) -> NDArray[np.float32]:
    """What maps the rows (and transposed, the columns) of a thumbnail to those of a version of it.

    Args:
        view: 0 for the whole picture, else a version, counted from 1.
        side: rows of the thumbnail.

    Returns:
        (2, side, side): for rows, for columns.
    """
    if not view:
        return np.stack([np.eye(side, dtype=np.float32)] * 2)
    return np.stack([_part(side, start) for start in VIEWS[view - 1]])


@cache
def _weights() -> NDArray[np.float32]:
    """(32·32, 10·64): thumbnails times this are the frequencies."""
    cosines = _cosines(SIDE)
    pairs = sorted(((i, j) for i in range(12) for j in range(12)), key=lambda ij: (sum(ij), ij))
    columns = []
    for view in range(len(VIEWS) + 1):
        rows, across = (cosines @ matrix for matrix in cropped(view))
        columns += [np.outer(rows[i], across[j]).ravel() for i, j in pairs[1 : BITS + 1]]
    return np.ascontiguousarray(np.stack(columns, axis=1), np.float32)


def _cosines(side: int) -> NDArray[Any]:
    rows, columns = np.arange(side)[:, None], np.arange(side)[None, :]
    scale = np.sqrt(2 / side)
    cosines: NDArray[Any] = scale * np.cos(np.pi * rows * (2 * columns + 1) / (2 * side))
    return cosines


def _part(side: int, start: float) -> NDArray[np.float32]:
    """Bilinear sampling of a part of an axis, back to the whole length."""
    at = (start + (1 - CROPPED) * (np.arange(side) + 0.5) / side) * side - 0.5
    below = np.floor(at).astype(int)
    weights = np.zeros((side, side), np.float32)
    rows = np.arange(side)
    np.add.at(weights, (rows, below.clip(0, side - 1)), 1 - (at - below))
    np.add.at(weights, (rows, (below + 1).clip(0, side - 1)), at - below)
    return weights
