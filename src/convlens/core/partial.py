"""Names of what is still being written, and removal of what killed processes left behind.

A file or folder in the making is called ``.NAME.HOST.PROCESS.TOKEN.partial``. The name says who
writes it, so a later process can tell a live writer from a dead one.
"""

import os
import re
import secrets
import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path

SUFFIX = ".partial"
_ABANDONED = 7 * 24 * 3600.0  # seconds, for a writer on another machine, which cannot be asked
_LONGEST = 40  # characters of the final name; a file system takes 255 bytes in all
_OWNED = re.compile(r"\.(?:.*\.)?(?P<process>\d+)\.[a-z0-9_]{8}\.partial", re.DOTALL)

_swept: set[Path] = set()


def partial_path(path: Path) -> Path:
    """A new name beside ``path`` under which to write it."""
    return path.parent / _partial_name(path.name)


def make_partial_folder(parent: Path, name: str = "") -> Path:
    """Make a new folder to fill, with the permissions that the umask leaves.

    Args:
        parent: where; it must exist.
        name: what the folder will be called once it is whole; empty where that is not settled.

    Raises:
        OSError: it cannot be made.
    """
    folder = parent / _partial_name(name)
    folder.mkdir()
    return folder


def is_abandoned(partial: Path) -> bool:
    """Whether the process that wrote a partial file or folder has ended.

    A writer on another machine cannot be asked: it counts as ended after a week.
    """
    match = _OWNED.fullmatch(partial.name)
    try:
        if time.time() - partial.lstat().st_mtime > _ABANDONED:
            return match is not None
        here = match is not None and f".{socket.gethostname()}.{match['process']}." in partial.name
        if match is None or not here or os.name == "nt":  # on Windows os.kill ends the process
            return False
        os.kill(int(match["process"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False
    return False


def sweep_once(folder: Path) -> None:
    """Sweep a folder the first time that this process writes to it: it may hold many files."""
    if folder not in _swept:
        _swept.add(folder)
        sweep_abandoned(folder)


def sweep_abandoned(folder: Path) -> None:
    """Remove what ended processes left half-written in a folder.

    Only names that `partial_path` and `make_partial_folder` make are touched.
    """
    with suppress(OSError), os.scandir(folder) as listing:
        left = [Path(entry.path) for entry in listing if entry.name.endswith(SUFFIX)]
        for partial in filter(is_abandoned, left):
            remove(partial)


def remove(partial: Path) -> None:
    """Remove a file or a whole folder; what cannot be removed stays."""
    if partial.is_dir() and not partial.is_symlink():
        shutil.rmtree(partial, ignore_errors=True)
    else:
        with suppress(OSError):
            partial.unlink()


def _partial_name(name: str) -> str:
    start = f".{name[:_LONGEST]}" if name else ""
    return f"{start}.{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}{SUFFIX}"
