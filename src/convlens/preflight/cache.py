"""What was seen of a source's files, kept in the cache folder: one file a source."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError
from convlens.core.files import replacing
from convlens.core.version import __version__
from convlens.data import file_keys

_KEPT = 16
_MOST_BYTES = 2 << 30


class KeptFacts:
    """Rows of facts, those that are known already filled in; a context in which the rest are.

    Where all are known the file is read where it lies. Otherwise a new one is written beside it,
    memory-mapped, so that a million rows need no memory of their own; where the cache cannot be
    written to they are in memory.

    Args:
        root: the source's folder: what is kept of its files is one file.
        paths: (N,) its files.
        dtype: of a row; has a field ``key`` of 16 bytes.
        keep: False to read and write nothing.
        value_bits: how 16-bit images were scaled.

    Attributes:
        rows: (N,), filled in by whoever looks.
        unknown: (M,) int64, the rows that are empty.
    """

    def __init__(
        self,
        root: str,
        paths: Sequence[str],
        dtype: np.dtype[Any],
        *,
        keep: bool,
        value_bits: int = 16,
    ) -> None:
        self._stack = ExitStack()
        self._place = _place(root, dtype, value_bits) if keep else None
        self._keys = np.array(file_keys(paths), "S16")
        self._old = _load(self._place, dtype)
        self.rows: NDArray[Any] = np.zeros(0, dtype)
        self.unknown = np.arange(len(paths))
        self._dtype = dtype

    def __enter__(self) -> Self:
        same = self._old is not None and np.array_equal(self._old["key"], self._keys)
        if self._old is not None and same and b"" not in self._keys:
            self.rows, self.unknown = self._old, np.zeros(0, np.int64)
            return self
        self.rows = self._fresh()
        if self._old is not None:
            self.unknown = _copy_known(self._old, self._keys, self.rows)
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.__exit__(None, None, None)

    def finish(self, unreadable: Mapping[int, str]) -> NDArray[Any]:
        """Put the file in its place; rows that could not be read stay unknown."""
        if self.rows is self._old:
            return self.rows
        self.rows["key"] = self._keys
        self.rows["key"][list(unreadable)] = b""
        if isinstance(self.rows, np.memmap):
            self.rows.flush()
            with suppress(ConvlensError, OSError):
                self._stack.close()
                _sweep(self._place)
        return self.rows

    def _fresh(self) -> NDArray[Any]:
        if self._place is not None and len(self._keys):
            with suppress(ConvlensError, OSError), ExitStack() as stack:
                partial = stack.enter_context(replacing(self._place))
                rows = np.lib.format.open_memmap(
                    partial, mode="w+", dtype=self._dtype, shape=(len(self._keys),)
                )
                _reserve(partial)
                self._stack = stack.pop_all()
                return rows
        return np.zeros(len(self._keys), self._dtype)


def _reserve(file: Path) -> None:
    """Have the disk set aside what a file says that it has; raises OSError where it is full.

    To store through a map what the disk has no room for would kill the process.
    """
    if hasattr(os, "posix_fallocate"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, file.stat().st_size)


def _place(root: str, dtype: np.dtype[Any], value_bits: int) -> Path:
    about = f"convlens facts {__version__}\0{dtype}\0{os.path.abspath(root)}"  # noqa: PTH100
    about += f"\0{value_bits} bits" * (value_bits != 16)
    name = hashlib.blake2b(os.fsencode(about), digest_size=16).hexdigest()
    return cache_folder("facts") / f"{name}.npy"


def _load(place: Path | None, dtype: np.dtype[Any]) -> NDArray[Any] | None:
    if place is None:
        return None
    try:
        rows = np.load(place, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return rows if rows.dtype == dtype and rows.ndim == 1 else None


def _copy_known(
    old: NDArray[Any], keys: NDArray[np.bytes_], rows: NDArray[Any]
) -> NDArray[np.int64]:
    """Fill in the rows whose key is among the old ones; the numbers of the others."""
    order = np.argsort(old["key"])
    ranked = old["key"][order]
    at = np.minimum(np.searchsorted(ranked, keys), len(ranked) - 1)
    known = (ranked[at] == keys) & (keys != b"") if len(ranked) else np.zeros(len(keys), bool)
    for start in range(0, len(keys), 4096):
        some = np.flatnonzero(known[start : start + 4096]) + start
        rows[some] = old[order[at[some]]]
    return np.flatnonzero(~known).astype(np.int64)


def _sweep(place: Path | None) -> None:
    """Keep what was written, and the newest others within a limit: they can be made again."""
    if place is None:
        return
    files = sorted(place.parent.glob("*.npy"), key=lambda p: p.stat().st_mtime, reverse=True)
    filled = 0
    for number, file in enumerate(files):
        filled += file.stat().st_size
        if number and (number >= _KEPT or filled > _MOST_BYTES):
            file.unlink(missing_ok=True)
