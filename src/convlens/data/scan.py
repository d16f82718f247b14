"""Looking at every image's header: what can be read at all, how large, how turned."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError
from convlens.core.files import replacing
from convlens.core.reporter import Reporter
from convlens.core.version import __version__
from convlens.data.file_keys import file_key
from convlens.data.headers import Header, read_header
from convlens.data.limits import UnreadableImageError
from convlens.data.thread_map import chunk_by_chunk

_KEPT = 32
_COLUMNS = 6


@dataclass(frozen=True, eq=False)
class Scan:
    """What the headers of N image files say.

    Attributes:
        widths: (N,) int32, columns as the picture is to be seen; 0 where unreadable.
        heights: (N,) int32, rows likewise.
        channels: (N,) uint8, samples a pixel.
        orientations: (N,) uint8, EXIF orientation, 1 (as stored) to 8.
        unreadable: why, for the number of each file that cannot be read.
        bit_depths: (N,) uint8, bits a sample.
        several_frames: (N,) whether a file is an animation or has several pages.
    """

    widths: NDArray[np.int32]
    heights: NDArray[np.int32]
    channels: NDArray[np.uint8]
    orientations: NDArray[np.uint8]
    unreadable: Mapping[int, str]
    bit_depths: NDArray[np.uint8] | None = None
    several_frames: NDArray[np.bool_] | None = None

    def summary(self) -> str:
        """Sizes (height x width) and what is unusual, in a line.

        Example:
            >>> one = np.array([1, 6], np.uint8)
            >>> Scan(np.array([40, 80]), np.array([30, 60]), one, one, {}).summary()
            'sizes 30x40 to 60x80 (median 45x60), 1 turned by EXIF, 1 gray'
        """
        good = self.widths > 0
        if not good.any():
            return "no image can be read"
        areas = self.widths[good].astype(np.int64) * self.heights[good]
        small, large = (
            f"{self.heights[good][at]}x{self.widths[good][at]}"
            for at in (areas.argmin(), len(areas) - 1 - areas[::-1].argmax())
        )
        middle = f"{np.median(self.heights[good]):.0f}x{np.median(self.widths[good]):.0f}"
        same = len({*self.widths[good].tolist()}) == len({*self.heights[good].tolist()}) == 1
        parts = [f"every image {small}" if same else f"sizes {small} to {large} (median {middle})"]
        for what, count in (
            ("turned by EXIF", int((self.orientations[good] > 1).sum())),
            ("gray", int((self.channels[good] == 1).sum())),
        ):
            parts += [f"{count:,} {what}"] if count else []
        return ", ".join(parts)


def scan_headers(paths: Sequence[str], reporter: Reporter) -> Scan:
    """Read the header of every file, in threads; nothing is decoded.

    What was found is kept in the cache folder until a file changes: see `convlens.data.file_keys`.

    Args:
        paths: (N,) file names.
        reporter: sees the reading.
    """
    place = cache_folder("scans") / f"{_key(paths)}.npy"
    kept = _load(place, len(paths))
    if kept is None:
        table = np.zeros((len(paths), _COLUMNS), np.int32)
        unreadable = _look(paths, range(len(paths)), table, reporter)
        _keep(table, place)
    else:  # what hindered may have passed: a right, a network
        table, numbers = kept
        unreadable = _look(paths, numbers, table, reporter)
    channels, orientations = table[:, 2].astype(np.uint8), table[:, 3].astype(np.uint8)
    return Scan(
        widths=table[:, 0].copy(),
        heights=table[:, 1].copy(),
        channels=channels,
        orientations=orientations,
        unreadable=unreadable,
        bit_depths=table[:, 4].astype(np.uint8),
        several_frames=table[:, 5].astype(np.bool_),
    )


def _row(header: Header) -> tuple[int, ...]:
    return (
        header.width,
        header.height,
        header.channels,
        header.orientation,
        header.bit_depth,
        header.several_frames,
    )


def _look(
    paths: Sequence[str], numbers: Sequence[int], table: NDArray[np.int32], reporter: Reporter
) -> dict[int, str]:
    """Fill the rows of the table that are numbered; returns why those that stay empty do."""

    def look(chunk: Sequence[int]) -> dict[int, str]:
        unreadable = {}
        for number in chunk:
            try:
                header = read_header(paths[number])
            except UnreadableImageError as error:
                unreadable[number] = error.reason
            else:
                table[number] = _row(header)
        return unreadable

    unreadable: dict[int, str] = {}
    for found in chunk_by_chunk(look, numbers, name="reading headers", reporter=reporter):
        unreadable |= found
    return unreadable


def _key(paths: Sequence[str]) -> str:
    digest = hashlib.sha256(f"convlens scan {__version__}\0".encode())
    for path in paths:
        # A missing file has no key: its path keeps the list apart from one without it.
        digest.update(file_key(path) or b"\0missing\0" + os.fsencode(path) + b"\0")
    return digest.hexdigest()[:32]


def _load(place: Path, n: int) -> tuple[NDArray[np.int32], list[int]] | None:
    """The table that was kept and the numbers of its empty rows; None where there is none."""
    try:
        with place.open("rb") as file:
            table = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, MemoryError):
        return None
    fits = isinstance(table, np.ndarray) and table.shape == (n, _COLUMNS)
    if not fits or table.dtype != np.int32:
        return None
    return table, np.flatnonzero(table[:, 0] == 0).tolist()


def _keep(table: NDArray[np.int32], place: Path) -> None:
    """Keep what was found, and no more than the newest few: it can be made again."""
    with suppress(ConvlensError, OSError):
        with replacing(place) as partial, partial.open("wb") as file:
            np.save(file, table)
        by_age = sorted(place.parent.glob("*.npy"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in by_age[_KEPT:]:
            old.unlink(missing_ok=True)
