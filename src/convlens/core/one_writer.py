"""One writer at a time for a run's folder, held by the process through the operating system.

The system gives a lock back when its process ends, however it ends: a lock file that a killed
process left behind holds nothing. The process number in it only serves the message.
"""

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convlens.core.errors import ConvlensError
from convlens.core.files import write_error
from convlens.core.reporter import Reporter

LOCK_FILE = ".lock"

_UNSUPPORTED = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


@contextmanager
def one_writer(folder: Path, reporter: Reporter) -> Iterator[None]:
    """Be the only process that writes to a folder, for as long as the block lasts.

    Args:
        folder: it must exist.
        reporter: warned where the file system has no locks.

    Raises:
        ConvlensError: another process writes there, or the folder cannot be written to.
    """
    from filelock import FileLock, Timeout  # noqa: PLC0415 - its import takes a while

    path = folder / LOCK_FILE
    lock = FileLock(path, blocking=False, fallback_to_soft=False, on_acquired=_sign)
    try:
        lock.acquire()
    except Timeout:
        raise _held(folder, path) from None
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise write_error(folder, error) from error
        reporter.warn(
            f"the file system of {folder} has no locks: make sure that no other process writes "
            "to this run"
        )
        yield
        return
    try:
        yield
    finally:
        with suppress(OSError):  # while it is held, so that nobody else can hold this file
            path.unlink()
        lock.release()


def _sign(descriptor: int) -> None:
    os.truncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode())


def _held(folder: Path, path: Path) -> ConvlensError:
    process, host = "", ""
    with suppress(OSError, ValueError):
        process, host = path.read_text("utf-8").split()
    who = f"process {process}" if process.isdigit() else "another process"
    if host and host != socket.gethostname():
        who += f" on {host}"
    return ConvlensError(
        f"{who} is writing to the run {folder}; two at once would mix their results",
        remedy="wait until it ends, or stop it; or choose another folder (--out)",
        code="run-in-use",
    )
