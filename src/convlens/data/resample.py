"""Sampling an image at another size, antialiased.

Where both sides shrink alike, a filter of a few taps and a bilinear interpolation together have the
width of Pillow's antialiased bilinear ("triangle") filter, at a quarter of its cost; from a factor
of 4 on, blocks of pixels are averaged first. Where both sides grow, bilinear interpolation is all.
Where one grows and the other shrinks, or one shrinks more than twice as much as the other, Pillow
resizes.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_MOST_UNEVEN, _MOST_WASTE = 2, 4
Pixels8: TypeAlias = NDArray[np.uint8]


class Size(NamedTuple):
    """Rows and columns."""

    rows: int
    columns: int


class Window(NamedTuple):
    """A part of an image."""

    top: int
    left: int
    rows: int
    columns: int


def resample(
    image: Pixels8, scaled: Size, window: Window, *, extent: tuple[float, float] | None = None
) -> Pixels8:
    """Resize an image, antialiased, and cut out a window; nothing else is computed.

    Args:
        image: (H, W, C).
        scaled: the size to which the whole image is resized.
        window: the part of that which is returned.
        extent: height and width of the picture in pixels of ``image``, where its last row and
            column are only partly filled; None for those of ``image``.

    Returns:
        (rows, columns, C) of the window, which may be a view of ``image``.
    """
    height, width = extent or image.shape[:2]
    down, across = height / scaled.rows, width / scaled.columns
    least, most = sorted((down, across))
    wasteful = scaled.rows * scaled.columns > _MOST_WASTE * window.rows * window.columns
    if most < 1 and not wasteful:
        return _enlarge(image, scaled, window)
    if least < 1 or most > _MOST_UNEVEN * least:
        return _with_pillow(image, down, across, window)
    if least >= 4:
        block = int(least / 2)
        down, across = down / block, across / block
        image = _average(
            image, block, down * (window.top + window.rows), across * (window.left + window.columns)
        )
    vertical = _Axis.of(down, window.top, window.rows, image.shape[0])
    horizontal = _Axis.of(across, window.left, window.columns, image.shape[1])
    return _smooth_and_interpolate(image, vertical, horizontal)


def _enlarge(image: Pixels8, scaled: Size, window: Window) -> Pixels8:
    whole = cv2.resize(image, scaled[::-1], interpolation=cv2.INTER_LINEAR)
    rows = slice(window.top, window.top + window.rows)
    return _pixels(whole, image)[rows, window.left : window.left + window.columns]


def _average(image: Pixels8, block: int, bottom: float, right: float) -> Pixels8:
    """Average square blocks of pixels, from the upper left corner to just beyond the window.

    Args:
        image: (H, W, C).
        block: the side of a block.
        bottom: where the window ends, in blocks.
        right: likewise.
    """
    rows = min(math.ceil(bottom) + 1, math.ceil(image.shape[0] / block))
    columns = min(math.ceil(right) + 1, math.ceil(image.shape[1] / block))
    part = image[: rows * block, : columns * block]
    down, across = part.shape[0] // block, part.shape[1] // block  # blocks that are whole
    averaged = np.empty((rows, columns, image.shape[2]), np.uint8)
    averaged[:down, :across] = _blocks(part[: down * block, : across * block], block)
    if down < rows:  # only the edges are copied: a copy of all may not fit into memory
        averaged[down:] = _blocks(part[down * block :], block)
    if across < columns:
        averaged[:down, across:] = _blocks(part[: down * block, across * block :], block)
    return averaged


def _blocks(image: Pixels8, block: int) -> Pixels8:
    """The mean of each block, the last row and column repeated where a block is not whole."""
    rows, columns = (math.ceil(side / block) for side in image.shape[:2])
    if not rows or not columns:
        return np.empty((rows, columns, image.shape[2]), np.uint8)
    missing = rows * block - image.shape[0], columns * block - image.shape[1]
    whole = image
    if any(missing):
        border = cv2.BORDER_REPLICATE
        whole = _pixels(cv2.copyMakeBorder(image, 0, missing[0], 0, missing[1], border), image)
    return _pixels(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), image)


def _smooth_and_interpolate(image: Pixels8, vertical: "_Axis", horizontal: "_Axis") -> Pixels8:
    region = image[vertical.outer, horizontal.outer]
    if len(vertical.taps) > 1 or len(horizontal.taps) > 1:
        taps = np.array(horizontal.taps, np.float32), np.array(vertical.taps, np.float32)
        region = _pixels(cv2.sepFilter2D(region, -1, *taps, borderType=cv2.BORDER_REPLICATE), image)
    region = region[vertical.inner, horizontal.inner]
    if (vertical.factor, horizontal.factor) != (1, 1):
        across, down = 1 / horizontal.factor, 1 / vertical.factor
        resized = cv2.resize(region, None, None, across, down, cv2.INTER_LINEAR)
        region = _pixels(resized, image)
    return region[vertical.ahead :, horizontal.ahead :]


class _Axis(NamedTuple):
    """One side's part in sampling.

    OpenCV samples from a whole pixel on, and a window begins anywhere. So some pixels of the output
    are made ahead of it and dropped: as many as lead back to a whole pixel, or nearly.

    Attributes:
        outer: what is filtered.
        inner: the part of it that is interpolated.
        taps: the filter before interpolation.
        factor: pixels for one of the output.
        ahead: pixels of the output to drop.
    """

    outer: slice
    inner: slice
    taps: tuple[float, ...]
    factor: float
    ahead: int

    @classmethod
    @lru_cache(maxsize=4096)
    def of(cls, factor: float, first: int, count: int, length: int) -> "_Axis":
        """Plan one side.

        Args:
            factor: pixels for one of the output, at least 1.
            first: the window's first pixel of the output.
            count: pixels of the output in the window.
            length: pixels there are.
        """
        starts = factor * np.arange(first, -1, -1)
        near = np.flatnonzero(np.abs(starts - np.round(starts)) < 1 / 16)  # 0 is always among them
        ahead = int(near[0])
        start, made = round(starts[ahead]), count + ahead
        # OpenCV makes round(taken / factor) pixels; all that are there may weigh in.
        taken = min(math.ceil(factor * (made + 0.5)) - 1, length - start)
        taps = _taps(factor)
        reach = len(taps) // 2
        outer = slice(max(0, start - reach), min(length, start + taken + reach))
        inner = slice(start - outer.start, start - outer.start + taken)
        return cls(outer, inner, taps, factor, ahead)


def _taps(factor: float) -> tuple[float, ...]:
    """The filter that, followed by bilinear interpolation, is about a triangle ``factor`` wide.

    A triangle of whole half-width m is exactly the sum of triangles of half-width 1, weighted by a
    triangle of 2 m - 1 taps, whose variance is (m² - 1) / 6. Between two whole numbers both are
    mixed so that the variance is (factor² - 1) / 6. The taps are whole 256ths with the sum 1, for
    OpenCV rounds each of them so.
    """
    below = int(factor)
    share = (factor**2 - below**2) / (2 * below + 1)
    away = np.abs(np.arange(-below, below + 1))
    taps = (1 - share) * _triangle(away, below) + share * _triangle(away, below + 1)
    whole = np.rint(256 * taps).astype(int)
    whole[below] += 256 - whole.sum()
    reach = away[whole > 0].max()
    return tuple((whole[below - reach : below + reach + 1] / 256).tolist())


def _triangle(away: NDArray[np.int64], half_width: int) -> NDArray[np.float64]:
    return np.maximum(0.0, half_width - away) / half_width**2


def _with_pillow(image: Pixels8, down: float, across: float, window: Window) -> Pixels8:
    height, width, channels = image.shape
    right, bottom = window.left + window.columns, window.top + window.rows
    box = (
        window.left * across,
        window.top * down,
        min(right * across, width),
        min(bottom * down, height),
    )
    size = window.columns, window.rows
    planes = [image] if channels == 3 else [image[..., channel] for channel in range(channels)]
    images = [Image.fromarray(np.ascontiguousarray(plane)) for plane in planes]
    resized = [np.asarray(i.resize(size, Image.Resampling.BILINEAR, box)) for i in images]
    return resized[0] if channels == 3 else np.stack(resized, axis=-1)


def _pixels(image: NDArray[Any], like: Pixels8) -> Pixels8:
    return image.reshape(*image.shape[:2], like.shape[2])  # OpenCV drops an axis of one channel
