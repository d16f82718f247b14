"""Bringing an image to the network's size: where to look, and how to sample there.

Sampling is antialiased. Where both sides shrink alike, whole factors are averaged first; what is
left, from 1 to 2, takes a filter of three taps and a bilinear interpolation, which together have
the width of Pillow's antialiased bilinear ("triangle") filter at a quarter of its cost. Where both
sides grow, bilinear interpolation is all. Where one grows and the other shrinks, or one shrinks
more than twice as much as the other, Pillow resizes.
"""

import math
from functools import lru_cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convlens.core.input_spec import InputSpec

CROP_FRACTION = 0.875
_MOST_UNEVEN, _MOST_WASTE = 2, 4
Pixels8 = NDArray[np.uint8]


class Box(NamedTuple):
    """A rectangle of an image, in pixels from its upper left corner."""

    top: float
    left: float
    bottom: float
    right: float


class Plan(NamedTuple):
    """Which part of an image is seen, and where it lands.

    Attributes:
        box: the part of the source that is seen.
        shape: rows and columns that it is brought to.
        corner: row and column of the output at which those begin; around them is black.
    """

    box: Box
    shape: tuple[int, int]
    corner: tuple[int, int]


def kept_shape(spec: InputSpec, margin: float = 0.0) -> tuple[int, int]:
    """Rows and columns that are kept of an image.

    Args:
        spec: what the network is fed.
        margin: how much larger than the network's input the kept image is, as a share of its side.
            With the rule "crop", 1 / 0.875 - 1 = 0.143 keeps the scale of evaluation.

    Example:
        >>> kept_shape(InputSpec(height=224, width=224), margin=0.143)
        (256, 256)
    """
    return round(spec.height * (1 + margin)), round(spec.width * (1 + margin))


def plan(height: int, width: int, spec: InputSpec, margin: float = 0.0) -> Plan:
    """Where an image of this size is looked at.

    "crop" rounds as the published evaluation of pretrained weights does (resize the short side to
    a whole number of pixels, then cut the centre). With a margin it keeps the whole short side.

    Args:
        height: rows of the image.
        width: columns of the image.
        spec: what the network is fed.
        margin: as in `kept_shape`.

    Example:
        >>> plan(300, 400, InputSpec(height=224, width=224)).shape
        (224, 224)
    """
    rows, columns = kept_shape(spec, margin)
    whole = Box(0.0, 0.0, float(height), float(width))
    if spec.resize == "stretch" or (height, width) == (rows, columns):
        return Plan(whole, (rows, columns), (0, 0))
    if spec.resize == "pad":
        inner = _covering(height, width, rows, columns, inside=True)
        return Plan(whole, inner, ((rows - inner[0]) // 2, (columns - inner[1]) // 2))
    share = 1.0 if margin else CROP_FRACTION
    scaled = _covering(height, width, round(rows / share), round(columns / share))
    top, bottom = _centre(scaled[0], rows, height)
    left, right = _centre(scaled[1], columns, width)
    return Plan(Box(top, left, bottom, right), (rows, columns), (0, 0))


def resample(image: Pixels8, box: Box, shape: tuple[int, int]) -> Pixels8:
    """Bring a box of an image to a size, antialiased.

    Args:
        image: (H, W, C).
        box: within the image; its borders need not be whole pixels.
        shape: rows and columns wanted.

    Returns:
        (rows, columns, C), which may be a view of ``image``.
    """
    rows, columns = shape
    down = (box.bottom - box.top) / rows
    across = (box.right - box.left) / columns
    least, most = sorted((down, across))
    if most < 1:
        return _enlarge(image, box, shape)
    if least < 1 or most > _MOST_UNEVEN * least:
        return _with_pillow(image, box, shape)
    if least >= 2:
        block = int(least)
        image = _average(image, box, block)
        box = Box(*(edge / block for edge in box))
        down, across = down / block, across / block
    vertical = _Axis.of(box.top, down, rows, image.shape[0])
    horizontal = _Axis.of(box.left, across, columns, image.shape[1])
    return _smooth_and_interpolate(image, vertical, horizontal)


def _enlarge(image: Pixels8, box: Box, shape: tuple[int, int]) -> Pixels8:
    """Interpolate the whole image and cut the box out, where that is not much more than the box.

    OpenCV has no box, so the image must come out at whole pixels, as `plan` sees to it.
    """
    height, width = image.shape[:2]
    down, across = (box.bottom - box.top) / shape[0], (box.right - box.left) / shape[1]
    exact = height / down, width / across, box.top / down, box.left / across
    rows, columns, top, left = (round(value) for value in exact)
    unlike = max(abs(value - round(value)) for value in exact)
    if unlike > 1e-6 or rows * columns > _MOST_WASTE * shape[0] * shape[1]:
        return _with_pillow(image, box, shape)
    whole = _pixels(cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR), image)
    return whole[top : top + shape[0], left : left + shape[1]]


def _average(image: Pixels8, box: Box, block: int) -> Pixels8:
    """Average square blocks of pixels, from the upper left corner to just beyond the box."""
    rows = math.ceil(min(image.shape[0], box.bottom + block) / block)
    columns = math.ceil(min(image.shape[1], box.right + block) / block)
    part = image[: rows * block, : columns * block]
    missing = rows * block - part.shape[0], columns * block - part.shape[1]
    if any(missing):
        border = cv2.BORDER_REPLICATE
        part = _pixels(cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], border), image)
    return _pixels(cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA), image)


def _smooth_and_interpolate(image: Pixels8, vertical: "_Axis", horizontal: "_Axis") -> Pixels8:
    region = image[vertical.outer, horizontal.outer]
    if len(vertical.taps) > 1 or len(horizontal.taps) > 1:
        taps = np.array(horizontal.taps, np.float32), np.array(vertical.taps, np.float32)
        region = _pixels(cv2.sepFilter2D(region, -1, *taps, borderType=cv2.BORDER_REPLICATE), image)
    region = region[vertical.inner, horizontal.inner]
    if (vertical.factor, horizontal.factor) != (1, 1):
        across, down = 1 / horizontal.factor, 1 / vertical.factor
        linear = cv2.INTER_LINEAR
        region = _pixels(cv2.resize(region, None, None, across, down, linear), image)
    return region[vertical.ahead :, horizontal.ahead :]


class _Axis(NamedTuple):
    """One side's part in sampling.

    OpenCV samples from a whole pixel on. So that a box may begin between two, some pixels of the
    output are made ahead of it and dropped: as many as bring the beginning to a whole pixel.

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
    def of(cls, start: float, factor: float, count: int, length: int) -> "_Axis":
        """Plan one side.

        Args:
            start: where the box begins.
            factor: pixels for one of the output, at least 1.
            count: pixels of the output in the box.
            length: pixels there are.
        """
        ahead = _ahead(start, factor)
        first = round(start - ahead * factor)
        made = count + ahead
        # OpenCV makes round(taken / factor) pixels; all that are there may weigh in.
        taken = min(math.ceil(factor * (made + 0.5)) - 1, length - first)
        taps = _taps(factor)
        reach = len(taps) // 2
        outer = slice(max(0, first - reach), min(length, first + taken + reach))
        inner = slice(first - outer.start, first - outer.start + taken)
        return cls(outer, inner, taps, factor, ahead)


def _ahead(start: float, factor: float) -> int:
    """How many output pixels before ``start`` the nearest whole pixel lies, to a 16th."""
    offsets = start - factor * np.arange(int(start / factor + 1e-6) + 1)
    distances = np.abs(offsets - np.round(offsets))
    close = np.flatnonzero(distances < 1 / 16)
    return int(close[0] if len(close) else distances.argmin())


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
    whole = whole[below - away[whole > 0].max() : below + away[whole > 0].max() + 1]
    return tuple((whole / 256).tolist())


def _triangle(away: NDArray[np.int64], half_width: int) -> NDArray[np.float64]:
    return np.maximum(0.0, half_width - away) / half_width**2


def _with_pillow(image: Pixels8, box: Box, shape: tuple[int, int]) -> Pixels8:
    height, width, channels = image.shape
    area = (box.left, box.top, min(box.right, width), min(box.bottom, height))
    size = shape[1], shape[0]
    planes = [image] if channels == 3 else [image[..., channel] for channel in range(channels)]
    images = [Image.fromarray(np.ascontiguousarray(plane)) for plane in planes]
    resized = [np.asarray(i.resize(size, Image.Resampling.BILINEAR, area)) for i in images]
    return resized[0] if channels == 3 else np.stack(resized, axis=-1)


def _covering(
    height: int, width: int, rows: int, columns: int, *, inside: bool = False
) -> tuple[int, int]:
    """The size, in whole pixels, at which an image just covers a shape, or just fits inside it."""
    if (rows * width >= columns * height) != inside:
        return rows, max(1, rows * width // height)
    return max(1, columns * height // width), columns


def _centre(scaled: int, wanted: int, length: int) -> tuple[float, float]:
    start = round((scaled - wanted) / 2)
    return start * length / scaled, (start + wanted) * length / scaled


def _pixels(image: NDArray[Any], like: Pixels8) -> Pixels8:
    return image.reshape(*image.shape[:2], like.shape[2])  # OpenCV drops an axis of one channel
