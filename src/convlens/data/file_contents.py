"""Digests of what files hold, from a sample of their bytes."""

import hashlib
import os
from collections.abc import Sequence

from convlens.core.reporter import Reporter
from convlens.data.thread_map import chunk_by_chunk

_BYTES = 8
_PIECE = 16384


def file_contents(paths: Sequence[str], reporter: Reporter) -> list[bytes]:
    """A digest of each file's content, 8 bytes; zeros for a file that cannot be read.

    It covers the size and three pieces of 16 KiB: beginning, middle and end. A file of up to 48 KiB
    is read whole.

    Args:
        paths: (N,) file names.
        reporter: sees the reading.
    """
    found = chunk_by_chunk(_of_files, paths, name="reading images", reporter=reporter)
    return [digest for chunk in found for digest in chunk]


def _of_files(paths: Sequence[str]) -> list[bytes]:
    return [_of_file(path) for path in paths]


def _of_file(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - once a file: pathlib is slow
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.blake2b(digest_size=_BYTES, salt=size.to_bytes(8, "little"))
            for start in sorted({0, max(0, (size - _PIECE) // 2), max(0, size - _PIECE)}):
                file.seek(start)
                digest.update(file.read(_PIECE))
    except (OSError, ValueError):
        return bytes(_BYTES)
    return digest.digest()
