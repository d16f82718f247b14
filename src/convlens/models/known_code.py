"""Which network code the user has trusted on this machine, so that a run of theirs can resume.

A list of hashes in the cache folder, one a user. A hash covers the text of the code and the name of
the function in it, so no other program can pass for a known one, wherever its file comes from. The
list itself counts only if nobody else can have written it.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from convlens.core.cache_folder import cache_folder
from convlens.models.custom_source import sha256, split_name

_MAX_BYTES = 1 << 20
_DIGITS = 64


def remember_code(name: str, source: str) -> None:
    """Remember that the user has trusted this code; without effect where nothing can be written.

    Args:
        name: ``"path/to/file.py:function"``; only the function counts.
        source: the text of the file.
    """
    if not is_known_code(name, source):
        with suppress(OSError), _opened(os.O_WRONLY | os.O_CREAT | os.O_APPEND) as file:
            file.write(_key(name, source) + b"\n")


def is_known_code(name: str, source: str) -> bool:
    """Whether the user has trusted this code before, on this machine.

    Args:
        name: ``"path/to/file.py:function"``; only the function counts.
        source: the text of the file.
    """
    try:
        with _opened(os.O_RDONLY) as file:
            return _key(name, source) in file.read(_MAX_BYTES).split(b"\n")
    except OSError:
        return False


def _key(name: str, source: str) -> bytes:
    return sha256(f"{split_name(name)[1]}\0{source}").encode("ascii")


@contextmanager
def _opened(flags: int) -> Iterator[IO[Any]]:
    """The list, opened.

    Raises:
        OSError: it is not there, is full, or someone else may have written it.
    """
    path = _path()
    if flags & os.O_CREAT:
        path.parent.mkdir(parents=True, exist_ok=True)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    mode = "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "ab"
    with os.fdopen(os.open(path, flags, 0o600), mode) as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or not _is_private(state):
            raise PermissionError(f"{path} may have been written by another user")
        if mode == "ab" and state.st_size + _DIGITS >= _MAX_BYTES:
            raise OSError(f"{path} is full")
        yield file


def _is_private(state: os.stat_result) -> bool:
    return os.name != "posix" or (state.st_uid == os.getuid() and not state.st_mode & 0o022)


def _path() -> Path:
    """Each user's own file, should a cache folder be shared."""
    user = str(os.getuid()) if os.name == "posix" else "user"
    return cache_folder("code") / f"trusted-{user}.txt"
