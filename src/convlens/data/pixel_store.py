"""Where pixels go as they are decoded, and features: to the cache on disk, or else to memory."""

import math
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from convlens.core.errors import WorkFailedError
from convlens.core.reporter import Reporter
from convlens.data.pixel_cache import (
    CacheSettings,
    EntryWriter,
    Kind,
    list_entries,
    make_room,
    open_entry,
)
from convlens.data.resample import Pixels8

_SPARE_DISK = 1 << 28  # left free for everything else that a run writes
_SHARE_OF_MEMORY = 0.8
_KEPT: dict[Kind, str] = {"pixels": "decoded pixels", "features": "feature maps"}
_OTHERWISE: dict[Kind, str] = {
    "pixels": "pass a smaller --size",
    "features": "let every step compute them: --set training.feature_cache=false",
}


class PixelStore:
    """Takes images in order, and hands them back as one array.

    A disk that is full or read-only costs the cache, not the work: what is written already is read
    back, the rest stays in memory, and the user is told.

    Args:
        images: how many to expect at most.
        image: height, width, channels of each.
        folder: the cache entry to write; None keeps them in memory.
        settings: the cache's place and size.
        reporter: whom to tell.
        kind: what they are; features come as bytes, four a channel.

    Raises:
        WorkFailedError: there is room neither on disk nor in memory.
    """

    def __init__(
        self,
        images: int,
        image: tuple[int, int, int],
        *,
        folder: Path | None,
        settings: CacheSettings,
        reporter: Reporter,
        kind: Kind = "pixels",
    ) -> None:
        self._images, self._image, self._reporter = images, image, reporter
        self._kind: Kind = kind
        self._settings, self._folder = settings, folder
        self._writer: EntryWriter | None = None
        self._array: Pixels8 | None = None
        self._count = 0
        try:
            if folder is not None:
                self._check_disk(folder)
                self._writer = EntryWriter(folder, image, kind=kind)
        except OSError as error:
            self._say_why(error)
        if self._writer is None:
            self._array = self._allocated()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def append(self, images: Pixels8) -> None:
        """Take (N, H, W, C) images."""
        if self._writer is not None:
            try:
                self._writer.append(images)
            except OSError as error:
                self._move_to_memory(error)
        if self._array is not None:
            self._array[self._count : self._count + len(images)] = images
        self._count += len(images)

    def finish(
        self, name: str, digests: Sequence[bytes], failed: Sequence[tuple[int, str]]
    ) -> Pixels8:
        """All images taken, in order; read-only and memory-mapped where they are cached.

        Args:
            name: the image set's.
            digests: which image each of them is of.
            failed: position and reason of those that were not taken.
        """
        if self._writer is not None and self._folder is not None:
            try:
                self._writer.finish(name, digests, failed)
                entry = open_entry(self._folder)
                if entry is not None:
                    return entry.pixels()
                raise FileNotFoundError(f"{self._folder} was removed")
            except OSError as error:
                self._move_to_memory(error)
        array = self._array if self._array is not None else self._allocated()
        return array[: self._count]

    def _move_to_memory(self, error: OSError) -> None:
        self._say_why(error)
        self._array = self._allocated()
        if self._writer is not None:
            self._array[: self._count] = self._writer.written()[: self._count]
            self._writer.close()
            self._writer = None

    def _check_disk(self, folder: Path) -> None:
        place, limit = self._settings.place, self._settings.max_bytes
        place.mkdir(parents=True, exist_ok=True)
        if self._bytes > limit:
            raise OSError(
                f"they need {gigabytes(self._bytes)}, the cache may fill {gigabytes(limit)}"
            )
        free = _free(place)
        if self._bytes > free + sum(entry.size for entry in list_entries(place)):
            raise OSError(
                f"they need {gigabytes(self._bytes)}, the disk has {gigabytes(free)} free"
            )
        make_room(place, self._bytes, limit=limit, free=free)

    @property
    def _bytes(self) -> int:
        return self._images * math.prod(self._image)

    def _say_why(self, error: OSError) -> None:
        reason = error.strerror or str(error)
        self._reporter.warn(
            f"{_KEPT[self._kind]} are kept in memory, not in {self._settings.place}: "
            f"{reason[:1].lower()}{reason[1:]}"
        )

    def _allocated(self) -> Pixels8:
        if self._bytes > memory_room():
            available = available_memory() or 0
            raise WorkFailedError(
                f"{_KEPT[self._kind]} of {self._images:,} images need {gigabytes(self._bytes)} of "
                f"memory, {gigabytes(available)} are available",
                remedy="let the cache on disk keep them (free some space, raise its limit with "
                "CONVLENS_CACHE_GIGABYTES, or set CONVLENS_CACHE to a larger disk), or "
                f"{_OTHERWISE[self._kind]}",
                code=f"no-room-for-{self._kind}",
            )
        return np.empty((self._images, *self._image), np.uint8)


def disk_room(settings: CacheSettings) -> int:
    """Bytes that the cache can hold if all else in it makes room; 0 where it is off or fails."""
    place = settings.place
    try:
        if settings.enabled:
            place.mkdir(parents=True, exist_ok=True)
            held = sum(entry.size for entry in list_entries(place))
            return min(settings.max_bytes, held + _free(place))
    except OSError:
        pass
    return 0


def memory_room() -> int:
    """Bytes that arrays may fill; what no one knows is taken for enough."""
    available = available_memory()
    return sys.maxsize if available is None else int(_SHARE_OF_MEMORY * available)


def _free(place: Path) -> int:
    return max(0, shutil.disk_usage(place).free - _SPARE_DISK)


def available_memory() -> int | None:
    """Bytes that this machine can still give; None where it does not say."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def gigabytes(size: int) -> str:
    """A size in bytes, as people read it.

    Example:
        >>> gigabytes(7_526_400_000), gigabytes(153_600_000)
        ('7.5 GB', '154 MB')
    """
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"
