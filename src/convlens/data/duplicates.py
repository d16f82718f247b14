"""Files that are the same, byte for byte."""

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convlens.core.formatting import some
from convlens.core.reporter import Reporter
from convlens.data.image_set import image_names
from convlens.data.labeled import Labeled
from convlens.data.thread_map import chunk_by_chunk

_TAIL = 4096


def same_files(paths: Sequence[str], reporter: Reporter) -> NDArray[np.int64]:
    """Which files are exact copies of one another.

    Only files of equal size are read: first their last 4 KiB, then, where those agree too, all of
    them. A file that cannot be read is a copy of none.

    Args:
        paths: (N,) file names.
        reporter: sees the reading.

    Returns:
        (N,) int64, for each file the number of the first that has the same content.
    """
    sizes = np.array([_size(path) for path in paths], np.int64)
    _, kind, count = np.unique(sizes, return_inverse=True, return_counts=True)
    doubtful = np.flatnonzero((sizes >= 0) & (count[kind] > 1))
    for read in (_tail, _whole):
        digests = _digests(read, [paths[number] for number in doubtful.tolist()], reporter)
        _, kind, count = np.unique(digests, return_inverse=True, return_counts=True)
        alike = (count[kind] > 1) & (digests != b"")
        doubtful, kind = doubtful[alike], kind[alike]
    lowest = np.full(kind.max(initial=-1) + 1, len(paths))
    np.minimum.at(lowest, kind, doubtful)
    first = np.arange(len(paths))
    first[doubtful] = lowest[kind]
    return first


def same_arrays(names: Sequence[str]) -> NDArray[np.int64]:
    """As `same_files`, for images whose names are digests of their pixels."""
    first: dict[str, int] = {}
    return np.array([first.setdefault(name, i) for i, name in enumerate(names)], np.int64)


def joined(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """The finest grouping that keeps together what either grouping keeps together.

    Args:
        one: (N,) equal where images are together.
        other: (N,) likewise.

    Example:
        >>> joined(np.array([0, 0, 1, 2]), np.array([5, 6, 6, 7])).tolist()
        [0, 0, 0, 3]
    """
    left, right = (np.unique(grouping, return_inverse=True)[1] for grouping in (one, other))
    unit = np.arange(len(one))
    while True:
        before = unit
        for grouping in (left, right):
            lowest = np.full(len(one), len(one))
            np.minimum.at(lowest, grouping, unit)
            unit = lowest[grouping]
        if (unit == before).all():
            return unit.astype(np.int64)


def copy_notes(labeled: Labeled, first: NDArray[np.int64]) -> tuple[str, ...]:
    """What there is to say about exact copies in a source.

    Args:
        labeled: what the source holds.
        first: (N,) for each image the number of the first of its copies, as `same_files` gives it.
    """
    copies = np.flatnonzero(first != np.arange(len(first)))
    names = image_names(labeled.paths, labeled.arrays, labeled.root) if copies.size else []
    notes = []
    if copies.size:
        notes.append(f"exact copies of other images: {len(copies):,}, kept on the side of those")
    for values, what in (
        (labeled.labels, "exact copies have different classes"),
        (labeled.given, "exact copies are in different splits of the source"),
    ):
        differ = copies[values[copies] != values[first[copies]]]
        if differ.size:
            pairs = some((f"{names[first[i]]} and {names[i]}" for i in differ), 3)
            notes.append(f"{what}: {pairs}")
    return tuple(notes)


def _digests(
    read: Callable[[str], bytes], paths: Sequence[str], reporter: Reporter
) -> NDArray[np.bytes_]:
    """A digest of each file, 16 bytes; empty for one that cannot be read."""

    def look(chunk: Sequence[str]) -> NDArray[np.bytes_]:
        return np.array([read(path) for path in chunk], "S16")

    digests = chunk_by_chunk(look, paths, name="looking for copies", reporter=reporter)
    return np.concatenate([np.empty(0, "S16"), *digests])


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116 - once a file
    except OSError:
        return -1


def _tail(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - once a file: pathlib is slow
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - _TAIL))
            end = file.read(_TAIL)
    except OSError:
        return b""
    return hashlib.blake2b(end, digest_size=16, salt=size.to_bytes(8, "little")).digest()


def _whole(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError:
        return b""
