"""Archives of class folders, unpacked once into the cache folder."""

import hashlib
import os
import shutil
import time
from dataclasses import replace
from errno import EDQUOT, ENOSPC
from pathlib import Path

from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.partial import make_partial_folder, sweep_abandoned
from convlens.core.reporter import Reporter
from convlens.data.archive_members import archive_name, members
from convlens.data.folders import METADATA_NAMES, read_folder
from convlens.data.image_files import entries, is_folder
from convlens.data.labeled import Labeled
from convlens.data.settings import DataSettings
from convlens.data.split_names import split_named

_UNPACKING = ".unpacking-"  # what versions up to 0.1.0 unpacked into
_ABANDONED_SECONDS = 24 * 3600.0


def read_archive(
    path: Path,
    settings: DataSettings | None = None,
    *,
    for_training: bool,
    reporter: Reporter,
) -> Labeled:
    """Read a zip or tar archive of class folders.

    Args:
        path: the archive; see `convlens.data.archive_members.members` for what is refused.
        settings: how to read the folder in it.
        for_training: as in `read_folder`.
        reporter: sees the unpacking.

    Raises:
        ConvlensError: it is damaged or refused, or what is in it cannot be used.
        WorkFailedError: the disk is full.
    """
    folder = unpack(path, reporter)
    inner = _inner(folder)
    try:
        labeled = read_folder(inner, settings or DataSettings(), for_training=for_training)
    except ConvlensError as error:
        problem, remedy = (
            _of_archive(text, folder, path) for text in (error.problem, error.remedy)
        )
        raise ConvlensError(
            problem, remedy=remedy, between=error.between, code=error.code
        ) from error
    notes = tuple(_of_archive(note, folder, path) for note in labeled.notes)
    note = f"read from {inner.relative_to(folder)}/ in {path.name}"
    return replace(
        labeled,
        name=archive_name(path) or path.stem,
        notes=notes if inner == folder else (*notes, note),
    )


def _of_archive(text: str, folder: Path, path: Path) -> str:
    """A text with the archive for the folder it is unpacked in, which nobody knows."""
    text = text.replace(f"pass {folder}{os.sep}", "unpack the archive and pass ")
    text = text.replace(str(folder), str(path))
    return text.replace(f"in {folder.name}/", f"in {path.name}")


def unpack(path: Path, reporter: Reporter) -> Path:
    """Unpack an archive into the cache folder, unless the same content is there already.

    A folder under its own name is whole: it is filled beside its place and then renamed.

    Raises:
        ConvlensError: the archive is damaged or refused, or the cache cannot be written to.
        WorkFailedError: the disk is full.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        place = cache_folder("archives") / digest[:32]
        if place.is_dir():
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        _sweep(place.parent)
        fresh = make_partial_folder(place.parent)
        try:
            _fill(fresh, path, reporter)
            _settle(fresh, place)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    except OSError as error:
        raise _cannot_unpack(path, error) from error
    return place


def _sweep(cache: Path) -> None:
    """Remove what processes left that were killed while they unpacked."""
    sweep_abandoned(cache)
    for left in cache.glob(f"{_UNPACKING}*"):
        if time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _fill(folder: Path, path: Path, reporter: Reporter) -> None:
    with reporter.task(f"unpacking {path.name}", 1000) as task:
        for member in members(path):
            target = folder / member.name
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("xb") as file:
                    file.writelines(member.chunks())
            except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
                raise ConvlensError(
                    f"{path} is refused: it holds {str(member.name)!r} twice; expected one file "
                    "a name: pack it again",
                    code="archive-refused",
                ) from error
            task.update(round(member.position * 1000), member.name.name)


def _settle(fresh: Path, place: Path) -> None:
    if hasattr(os, "sync"):
        os.sync()  # once, rather than once a file: a cache may be lost, but must not be half there
    try:
        fresh.rename(place)
    except OSError:
        if not place.is_dir():  # else another process was first, with the same content
            raise


def _inner(folder: Path) -> Path:
    """The folder that holds the class folders: archives often wrap them in one or two more."""
    listing = entries(folder)
    while len(listing) == 1 and is_folder(listing[0]):
        only = Path(listing[0].path)
        below = entries(only)
        holds_more = any(is_folder(e) or e.name in METADATA_NAMES for e in below)
        if split_named(only.name) or not holds_more:
            break
        folder, listing = only, below
    return folder


def _cannot_unpack(path: Path, error: OSError) -> ConvlensError:
    place = cache_folder("archives")
    if error.errno in {ENOSPC, EDQUOT}:
        return WorkFailedError(
            f"no room left on the disk to unpack {path} into {place}; free some space, or set "
            "CONVLENS_CACHE to a folder on another disk",
            code="disk-full",
        )
    return ConvlensError(
        f"cannot unpack {path} into {place} ({error.strerror}: {error.filename}); check that you "
        "may read the one and write to the other, or set CONVLENS_CACHE to another folder",
        code="not-writable",
    )
