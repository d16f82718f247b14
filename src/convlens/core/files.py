"""Files that are either whole or not there.

A file is written beside its place, flushed to the disk, renamed over it, and the folder's entry is
flushed too: a process killed at any instant leaves the old file or the new one, never half of one.
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from convlens.core.bounded_file import read_bounded
from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.json_text import MOST_JSON_BYTES, json_text, parse_json_file
from convlens.core.partial import make_partial_folder, partial_path, remove, sweep_once
from convlens.core.paths import is_dir


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; on leaving it takes ``path``'s place, in one step.

    Raises:
        ConvlensError: the folder cannot be written to.
        WorkFailedError: the disk is full.
    """
    partial = partial_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_once(path.parent)
        yield partial
        _flush(partial)
        partial.replace(path)
        _flush(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            partial.unlink()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically and durably; raises as `replacing`."""
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically and durably; raises as `replacing`."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """Write indented JSON atomically and durably; NaN is refused; raises as `replacing`."""
    write_text(path, json_text(value) + "\n")


def png_path(out: str | Path, *, name: str) -> Path:
    """Where a single picture is written: a PNG file, or one of that name in a folder.

    Raises:
        ConvlensError: ``out`` is another kind of file.

    Example:
        >>> png_path("sheet.png", name="rate.png").name, png_path("looks", name="rate.png").name
        ('sheet.png', 'rate.png')
    """
    path = Path(out)
    if path.suffix.lower() == ".png":
        return path
    if path.suffix and not path.is_dir():
        raise ConvlensError(
            f"out is '{out}'; the picture is a PNG file: name it {path.with_suffix('.png')}",
            code="bad-out",
        )
    return path / name


def read_json(path: Path) -> Any:
    """Read a JSON file of ours.

    Raises:
        ConvlensError: it is missing, too large or not JSON.
    """
    try:
        content = read_bounded(path, MOST_JSON_BYTES)
    except OSError as error:
        raise ConvlensError(
            f"cannot read {path} ({error.strerror}); is this a folder that convlens wrote?",
            code="unreadable-file",
        ) from error
    return parse_json_file(content, name=str(path))


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """A new folder to fill; on leaving it takes ``path``'s place.

    An existing folder is renamed aside first and removed after, so that at every instant one whole
    folder is there under ``path`` or under ``path`` + ``.old`` (see `surviving_folder`).
    """
    old = path.with_name(path.name + ".old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_once(path.parent)
        fresh = make_partial_folder(path.parent, path.name)
    except OSError as error:
        raise write_error(path, error) from error
    try:
        yield fresh
        for entry in [*sorted(fresh.rglob("*")), fresh]:
            _flush(entry)
        if path.exists():
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
        fresh.rename(path)
        _flush(path.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def sweep_partial(path: Path) -> None:
    """Remove what `replacing_folder` left where it was killed; nobody may be writing there."""
    for partial in path.parent.glob(f".{path.name}.*.partial"):
        remove(partial)


def settle_folder(path: Path) -> None:
    """End what `replacing_folder` was killed at: one whole folder stays, under ``path``.

    Nobody may be writing there.

    Raises:
        ConvlensError: the folder cannot be written to.
    """
    old = path.with_name(path.name + ".old")
    sweep_partial(path)
    try:
        if is_dir(old) and not is_dir(path):
            old.rename(path)
    except OSError as error:
        raise write_error(path, error) from error
    shutil.rmtree(old, ignore_errors=True)


def surviving_folder(path: Path) -> Path | None:
    """The folder that `replacing_folder` last left whole, or None where it never finished one."""
    old = path.with_name(path.name + ".old")
    return next((folder for folder in (path, old) if is_dir(folder)), None)


def write_error(path: Path, error: OSError) -> ConvlensError:
    """What to tell the user when ``path`` cannot be written."""
    cached = path.is_relative_to(cache_folder(""))
    elsewhere = "by setting CONVLENS_CACHE" if cached else "with --out"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return WorkFailedError(
            f"no room left on the disk while writing {path}; "
            f"free some space, or choose another disk {elsewhere}",
            code="disk-full",
        )
    return ConvlensError(
        f"cannot write {path} ({error.strerror}); choose a folder you may write to {elsewhere}",
        code="not-writable",
    )


def _flush(path: Path) -> None:
    if os.name == "nt" and path.is_dir():  # Windows has no handle to flush a folder with
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
