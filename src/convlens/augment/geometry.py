"""One warp: every geometric parameter of an image composed into one affine matrix."""

import numpy as np
from numpy.typing import NDArray

from convlens.augment.parameters import Draws, Reals


def compose(
    draws: Draws, *, height: int, width: int, stored_height: int, stored_width: int
) -> NDArray[np.float64]:
    """For each image the matrix from the result's pixels to those it is read from.

    Read from the result back to the stored pixels: flip, zoom, shear, shift and rotate about the
    center, in the order of Keras's ``ImageDataGenerator``; then into the crop, or without one into
    the middle of the stored pixels, so that what lies beyond the input is shown before anything is
    filled. Positions are (x, y) with the center of the first pixel at (0, 0).

    Args:
        draws: the parameters of N images.
        height: rows of the result.
        width: columns of the result.
        stored_height: rows of the pixels that are there, margin included.
        stored_width: columns likewise.

    Returns:
        (N, 2, 3) float64; ``matrix @ (x, y, 1)`` is where the result's pixel (x, y) is read.
    """
    turn = _turn(draws)
    flip = _diagonal(np.where(draws.flip_x, -1.0, 1.0), np.where(draws.flip_y, -1.0, 1.0))
    linear = turn @ _shear(draws) @ _diagonal(draws.zoom_x, draws.zoom_y) @ flip
    shift = turn @ np.stack([-draws.shift_x, -draws.shift_y], axis=-1)[..., None]
    corner, size = _frame(draws, height, width, stored_height, stored_width)
    scale = size / np.array([width, height])
    center = np.array([width - 1, height - 1]) / 2
    to_stored = _diagonal(scale[:, 0], scale[:, 1])
    linear, shift = to_stored @ linear, to_stored @ shift
    start = corner + (center + 0.5) * scale - 0.5
    offset = start[..., None] + shift - linear @ center[:, None]
    return np.concatenate([linear, offset], axis=-1)


def _turn(draws: Draws) -> Reals:
    angle = np.deg2rad(draws.rotation)
    cos, sin = np.cos(angle), np.sin(angle)
    return _matrices(cos, -sin, sin, cos)


def _shear(draws: Draws) -> Reals:
    angle = np.deg2rad(draws.shear)
    one = np.ones(len(draws))
    sheared = _matrices(one, -np.sin(angle), np.zeros(len(draws)), np.cos(angle))
    return sheared @ _matrices(one, draws.skew_x, draws.skew_y, one)


def _diagonal(x: Reals, y: Reals) -> Reals:
    return _matrices(x, np.zeros_like(x), np.zeros_like(x), y)


def _matrices(a: Reals, b: Reals, c: Reals, d: Reals) -> Reals:
    return np.stack([np.stack([a, b], axis=-1), np.stack([c, d], axis=-1)], axis=-2)


def _frame(
    draws: Draws, height: int, width: int, stored_height: int, stored_width: int
) -> tuple[Reals, Reals]:
    """Corner and size (x, y) of the part of the stored pixels that each result starts from."""
    stored = np.array([stored_width, stored_height], np.float64)
    n = len(draws)
    middle = np.tile((stored - [width, height]) // 2, (n, 1))
    as_it_is = np.tile(np.array([width, height], np.float64), (n, 1))
    cropped = (draws.crop_area < 1) | (draws.crop_aspect != 1)
    area = draws.crop_area * stored.prod()
    aspect = draws.crop_aspect * width / height
    size = np.minimum(np.sqrt(np.stack([area * aspect, area / aspect], axis=-1)), stored)
    corner = np.stack([draws.crop_x, draws.crop_y], axis=-1) * (stored - size)
    chosen = cropped[:, None]
    return np.where(chosen, corner, middle), np.where(chosen, size, as_it_is)
