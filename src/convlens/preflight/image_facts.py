"""What there is to know of every picture: a thumbnail, how sharp it is, and what follows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from convlens.core.cores import usable_cores
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Reporter
from convlens.data import (
    ImageSet,
    Scan,
    UnreadableImageError,
    decode,
    one_opencv_thread,
    ordered_map,
    scan_headers,
)
from convlens.preflight.cache import KeptFacts

SIDE = 32
"""Rows and columns of a thumbnail, into which the whole picture is stretched."""

LOOKED_AT = 128
"""Up to this side pictures are looked at for detail."""

ROW = np.dtype([("key", "S16"), ("sharpness", "<f4"), ("thumbnail", "u1", (SIDE, SIDE, 3))])
"""What is kept of a picture: which version of which file, and what was seen."""

_BLOCK = 64
_CHUNK = 4096
_BRIGHTEST = SIDE * SIDE // 100
_GREY = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """What was seen of N images.

    Attributes:
        rows: (N,) of `ROW`; memory-mapped where it is kept on disk.
        unreadable: why, for the number of each image that cannot be decoded; its row is empty.
        scan: what the headers say; None for arrays.
        sides: (N, 2) int32, height and width of each.
    """

    rows: NDArray[Any]
    unreadable: Mapping[int, str]
    scan: Scan | None
    sides: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def readable(self) -> NDArray[np.bool_]:
        """(N,) whether an image could be decoded."""
        seen = np.ones(len(self), np.bool_)
        seen[list(self.unreadable)] = False
        return seen

    @cached_property
    def _levels(self) -> NDArray[np.float32]:
        """(N, 3) contrast (standard deviation), bright end (99th percentile), color; 0 to 255."""
        levels = np.zeros((len(self), 3), np.float32)
        for at, thumbnails in self.thumbnails():
            gray = np.sort((thumbnails @ _GREY).reshape(len(thumbnails), -1), axis=1)
            color = np.ptp(thumbnails, axis=3).reshape(len(thumbnails), -1)
            levels[at, 0] = gray.std(axis=1)
            levels[at, 1] = gray[:, -_BRIGHTEST - 1]
            levels[at, 2] = color.max(axis=1)
        return levels

    @property
    def contrast(self) -> NDArray[np.float32]:
        """(N,) standard deviation of the gray levels, 0 to 255."""
        return self._levels[:, 0]

    @property
    def bright_end(self) -> NDArray[np.float32]:
        """(N,) the gray level that a hundredth of the picture exceeds, 0 to 255."""
        return self._levels[:, 1]

    @property
    def colorfulness(self) -> NDArray[np.float32]:
        """(N,) the greatest distance between a pixel's channels, 0 to 255; 0 for gray."""
        return self._levels[:, 2]

    @cached_property
    def sharpness(self) -> NDArray[np.float32]:
        """(N,) the spread of the Laplacian as a share of the spread of the gray levels."""
        return np.array(self.rows["sharpness"])

    def thumbnails(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Some images at a time: which, and their n×32×32×3 thumbnails, 0 to 255."""
        for start in range(0, len(self), _CHUNK):
            at = slice(start, min(start + _CHUNK, len(self)))
            yield at, self.rows["thumbnail"][at].astype(np.float32)


def look_at(
    images: ImageSet, reporter: Reporter, *, keep: bool = True, value_bits: int = 16
) -> ImageFacts:
    """Decode every image once, at 128 pixels a side or less, in threads.

    Of files, what was seen is kept in the cache folder until they change (see `file_keys`);
    memory holds no more than a few blocks of images.

    Args:
        images: files or arrays.
        reporter: sees the progress.
        keep: keep it on disk; else in memory.
        value_bits: bits that 16-bit images use: see `convlens.core.input_spec.InputSpec`.
    """
    if images.arrays is not None:
        sides = np.broadcast_to(
            np.array(images.arrays.shape[1:3], np.int32), (len(images), 2)
        ).astype(np.int32)
        rows = np.zeros(len(images), ROW)
        gone = _look(
            images.arrays, range(len(images)), sides, rows, reporter, value_bits=value_bits
        )
        return ImageFacts(rows, gone, None, sides)
    paths = images.paths or ()
    scan = scan_headers(paths, reporter)
    sides = np.stack([scan.heights, scan.widths], axis=1)
    with KeptFacts(images.root, paths, ROW, keep=keep, value_bits=value_bits) as kept:
        unknown = kept.unknown
        gone = _look(paths, unknown.tolist(), sides, kept.rows, reporter, value_bits=value_bits)
        return ImageFacts(kept.finish(gone), gone, scan, sides)


def _look(
    pictures: Sequence[str] | NDArray[np.uint8],
    numbers: Sequence[int],
    sides: NDArray[np.int32],
    rows: NDArray[Any],
    reporter: Reporter,
    *,
    value_bits: int,
) -> dict[int, str]:
    """Fill the rows that are numbered; why those that stay empty do."""
    unreadable: dict[int, str] = {}

    def look(block: Sequence[int]) -> dict[int, str]:
        gone = {}
        for number in block:
            height, width = sides[number].tolist()
            try:
                rows["sharpness"][number], rows["thumbnail"][number] = _seen(
                    pictures[number], height, width, value_bits
                )
            except UnreadableImageError as error:
                gone[number] = error.reason
        return gone

    blocks = (numbers[at : at + _BLOCK] for at in range(0, len(numbers), _BLOCK))
    threads = usable_cores()
    with (
        one_opencv_thread(),
        reporter.task("looking at images", len(numbers)) as task,
        closing(ordered_map(look, blocks, threads=threads, ahead=2 * threads)) as results,
    ):
        for done, gone in enumerate(results, start=1):
            unreadable |= gone
            task.update(min(done * _BLOCK, len(numbers)))
    return unreadable


def _seen(
    picture: str | NDArray[np.uint8], height: int, width: int, value_bits: int
) -> tuple[float, NDArray[np.uint8]]:
    spec = InputSpec(
        height=min(height, LOOKED_AT) or LOOKED_AT,
        width=min(width, LOOKED_AT) or LOOKED_AT,
        resize="stretch",
        value_bits=value_bits,
    )
    pixels = decode(picture, spec)
    small = cv2.INTER_AREA if min(pixels.shape[:2]) >= SIDE else cv2.INTER_LINEAR
    thumbnail = pixels
    if pixels.shape[:2] != (SIDE, SIDE):
        thumbnail = cv2.resize(pixels, (SIDE, SIDE), interpolation=small)  # type: ignore[assignment]
    return sharpness(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)), thumbnail


def sharpness(gray: Any) -> float:
    """How much of what varies in a picture varies from pixel to pixel: its Laplacian's spread.

    Args:
        gray: (H, W) uint8.

    Returns:
        The standard deviation of the Laplacian divided by that of the picture; 0 for a blank one.

    Source:
        Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000 (the
        variance of the Laplacian), here relative to the picture's own contrast.

    Example:
        >>> sharpness(np.zeros((8, 8), np.uint8))
        0.0
    """
    spread = float(cv2.meanStdDev(gray)[1][0, 0])
    detail = float(cv2.meanStdDev(cv2.Laplacian(gray, cv2.CV_32F))[1][0, 0])
    return detail / spread if spread else 0.0
