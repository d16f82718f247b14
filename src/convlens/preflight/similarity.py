"""Whether two pictures are one, looked at as thumbnails: what a hash cannot be sure of."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convlens.preflight.image_facts import SIDE
from convlens.preflight.picture_hash import VIEWS, cropped

COARSE = 16
"""Rows and columns at which pictures are compared, in color."""

ALIKE = 0.9
"""The least correlation of the pictures of a near duplicate."""

ALIKE_IN_DETAIL = 0.8
"""The least correlation of what remains of both without their 5×5 means."""

_CHUNK = 2048


class Alike(NamedTuple):
    """How alike M pairs are: (M,) correlations, from -1 to 1.

    Attributes:
        whole: of the pictures, in color, each without its mean.
        detail: of what remains without the 5×5 mean around each pixel: two birds in two blue skies
            agree in the sky.
    """

    whole: NDArray[np.float32]
    detail: NDArray[np.float32]

    @property
    def same(self) -> NDArray[np.bool_]:
        """(M,) whether it is one picture."""
        return (self.whole >= ALIKE) & (self.detail >= ALIKE_IN_DETAIL)


def compared(ours: NDArray[np.uint8], theirs: NDArray[np.uint8], view: NDArray[np.int64]) -> Alike:
    """Compare pictures, the first of each pair as a cropped version where one is asked for.

    A gain and an offset (another exposure) do not count.

    Args:
        ours: M×32×32×3.
        theirs: M×32×32×3.
        view: (M,) the version of ours: 0 whole.
    """
    whole, detail = np.zeros(len(view), np.float32), np.zeros(len(view), np.float32)
    for version in np.unique(view):
        own = np.flatnonzero(view == version)
        for start in range(0, len(own), _CHUNK):
            at = own[start : start + _CHUNK]
            one, other = coarse(ours[at], int(version)), coarse(theirs[at])
            whole[at] = _correlation(one, other)
            detail[at] = _correlation(_detail(one), _detail(other))
    return Alike(whole, detail)


def coarse(thumbnails: NDArray[np.uint8], version: int = 0) -> NDArray[np.float32]:
    """Pictures, or a cropped version of them, at 16×16: M×16×16×3, 0 to 255."""
    rows, columns = (_MEANS @ matrix for matrix in _CROPS[version])
    found: NDArray[np.float32] = np.einsum(
        "ij,njkc,lk->nilc", rows, thumbnails.astype(np.float32), columns, optimize=True
    )
    return found


def _detail(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    smooth = np.einsum("ij,njkc,lk->nilc", _BLUR, pictures, _BLUR, optimize=True)
    detail: NDArray[np.float32] = pictures - smooth
    return detail


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    found: NDArray[np.float32] = np.einsum("ni,ni->n", unit(one), unit(other))
    return found


def unit(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pictures as vectors of length 1 without their mean: dot products are correlations."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length: NDArray[np.float32] = np.linalg.norm(flat, axis=1, keepdims=True)
    found: NDArray[np.float32] = flat / np.maximum(length, np.float32(1e-6))
    return found


def _blur(side: int) -> NDArray[np.float32]:
    """The mean of five neighbors; beyond the edge it is mirrored."""
    weights = np.zeros((side, side), np.float32)
    for at in range(side):
        for neighbor in range(at - 2, at + 3):
            mirrored = abs(neighbor)
            weights[at, min(mirrored, 2 * side - 2 - mirrored)] += 0.2
    return weights


_MEANS = np.repeat(np.eye(COARSE), SIDE // COARSE, axis=1).astype(np.float32) * COARSE / SIDE
_BLUR = _blur(COARSE)
_CROPS = [cropped(version) for version in range(len(VIEWS) + 1)]
