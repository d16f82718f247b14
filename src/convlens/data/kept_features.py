"""Feature maps computed once: kept beside decoded pixels, in the same way and under one limit.

    <cache>/pixels/features/<key>/pixels.bin    M×h×w×c float32

They are memory-mapped, so a split's features may be larger than memory, and the next run finds
those that this one computed. The key is the caller's: a digest of all that features depend on.
"""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Reporter
from convlens.data.pixel_cache import CacheSettings, open_entry
from convlens.data.pixel_store import PixelStore


@dataclass(frozen=True, eq=False)
class Features:
    """What the first stages of a network make of the images of a split.

    Attributes:
        array: M×h×w×c float32; memory-mapped and read-only where it is cached.
        rows: (M,) int64, the number in the image set of each.
    """

    array: NDArray[np.float32]
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)


def find_features(key: bytes, rows: NDArray[np.int64], settings: CacheSettings) -> Features | None:
    """The features kept under a key; None where there are none, or nothing is to be kept.

    Args:
        key: a digest of all that they depend on.
        rows: (M,) the number in the image set of each.
        settings: whether and where they are kept.
    """
    entry = open_entry(_folder(key, settings)) if settings.enabled else None
    if entry is not None and entry.kind == "features" and entry.shape[0] == len(rows):
        with suppress(OSError):  # another process may just have removed it
            return Features(entry.features(), rows)
    return None


def keep_features(
    blocks: Iterable[NDArray[np.float32]],
    *,
    key: bytes,
    rows: NDArray[np.int64],
    shape: tuple[int, int, int],
    name: str,
    settings: CacheSettings,
    reporter: Reporter,
) -> Features:
    """Take features as they are computed, and keep them as well as can be.

    Args:
        blocks: N×h×w×c, any number at a time, in the order of ``rows``.
        key: a digest of all that they depend on.
        rows: (M,) the number in the image set of each.
        shape: h, w and c.
        name: of what they are, as ``convlens data info`` shows it.
        settings: whether and where they are kept: in memory alone where the cache is off.
        reporter: is told of progress, and where the disk does not take them.

    Raises:
        WorkFailedError: there is room for them neither on disk nor in memory.
    """
    height, width, channels = shape
    if not len(rows):
        return Features(np.empty((0, *shape), np.float32), rows)
    started, done = time.perf_counter(), 0
    with (
        PixelStore(
            len(rows),
            (height, width, channels * np.float32().itemsize),
            folder=_folder(key, settings) if settings.enabled else None,
            settings=settings,
            reporter=reporter,
            kind="features",
        ) as store,
        reporter.task("computing features", len(rows)) as task,
    ):
        for maps in blocks:
            store.append(np.ascontiguousarray(maps).view(np.uint8))
            done += len(maps)
            task.update(done, f"{done / (time.perf_counter() - started):,.0f} images/s")
        return Features(store.finish(name, (), ()).view(np.float32), rows)


def _folder(key: bytes, settings: CacheSettings) -> Path:
    return settings.place / "features" / key.hex()
