"""Read files that may come from anyone: only regular ones, and only up to a size.

A pipe never ends to be opened, and a link to a device never ends to be read.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_AT_ONCE = 1 << 20


@contextmanager
def open_bounded(path: Path, most: int) -> Iterator[BinaryIO]:
    """Open a regular file for reading.

    Args:
        path: the file; a link to a regular file is one.
        most: bytes that it may have.

    Raises:
        OSError: it cannot be opened, is no regular file, or is larger.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        if found.st_size > most:
            said = f"it has {found.st_size:,} bytes, and at most {most:,} are read"
            raise OSError(errno.EFBIG, said, str(path))
        yield file


def read_bounded(path: Path, most: int) -> bytes:
    """The content of a regular file; raises as `open_bounded`."""
    with open_bounded(path, most) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def sha256_of(file: BinaryIO) -> str:
    """The SHA-256 of what is left of a file, which is never held as a whole."""
    digest = hashlib.sha256()
    while part := file.read(_AT_ONCE):
        digest.update(part)
    return digest.hexdigest()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # a pipe would wait for a writer
