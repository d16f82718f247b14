"""From the file names in a table to files, and what to say where there is none."""

import os
import re
import stat
from collections import deque
from pathlib import Path

from convlens.core.formatting import some
from convlens.data.image_files import IMAGE_SUFFIXES, entries, is_folder

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_MOST_LOOKED_AT = 20_000


def is_address(name: str) -> bool:
    """Whether a name is a web address, or one of cloud storage, rather than a path."""
    return bool(_ADDRESS.match(name))


class FileFinder:
    """Finds the files that a table names.

    A name without the suffix of an image is completed where exactly one image file in its folder
    has that name.

    Args:
        folder: what names are relative to.
        within: the folder that no name may lead out of; None where names may lead anywhere.

    Attributes:
        completed: the first name that was completed, and how; None where none was.
        completions: how many were.
    """

    def __init__(self, folder: Path, within: Path | None = None) -> None:
        self.completed: tuple[str, str] | None = None
        self.completions = 0
        self._folder = folder
        self._within = None if within is None else os.path.join(os.path.abspath(within), "")  # noqa: PTH100, PTH118
        self._stems: dict[str, dict[str, list[str]]] = {}

    def find(self, name: str) -> str:
        """The path of an image file; empty where there is none."""
        if self._leads_out(name):
            return ""
        for plain in _spellings(name):
            path = self._path(plain)
            if _is_regular(path):
                return path
        for plain in _spellings(name):
            files = self._with_stem(self._path(plain))
            if len(files) == 1 and not _has_image_suffix(plain):
                self.completions += 1
                self.completed = self.completed or (name, Path(files[0]).name)
                return files[0]
        return ""

    def tried(self, name: str) -> str:
        """The absolute path that was tried; of an address, the address."""
        if not name or is_address(name) or (_DRIVE.match(name) and os.name != "nt"):
            return name
        return os.path.normpath(os.path.abspath(self._path(name)))  # noqa: PTH100 - keeps links

    def why_not(self, name: str) -> str:
        """Why a name has no file, in a few words."""
        if is_address(name):
            return "a web address, not a file"
        if self._leads_out(name):
            return "outside the folder of the table"
        files = self._with_stem(self._path(name)) if name else []
        if len(files) > 1 and not _has_image_suffix(name):
            return f"no such file, and several with a suffix ({some(Path(f).name for f in files)})"
        return "no such file"

    def hint(self, name: str) -> str:
        """What may have been meant by a name without a file; empty where nothing is near."""
        if is_address(name):
            return "convlens reads files: download the images, and write their paths"
        if self._leads_out(name):
            return (
                "a folder's or an archive's own table names images in it; for images elsewhere, "
                "pass the table itself as SOURCE"
            )
        plain = _spellings(name)[-1] if name else ""
        if not plain:
            return ""
        others = [Path(file).name for file in self._with_stem(self._path(plain))]
        if others:
            return f"there is {some(others)} in that folder: write the whole name"
        elsewhere = self._elsewhere(plain.rsplit("/", 1)[-1])
        if elsewhere:
            return f"there is {elsewhere}: write names from {self._folder.resolve()} on"
        return f"names are relative to the table's folder, {self._folder.resolve()}"

    def _leads_out(self, name: str) -> bool:
        """Whether any spelling of a name leads out of the folder that it has to stay in."""
        if self._within is None:
            return False
        paths = (os.path.abspath(self._path(plain)) for plain in _spellings(name))  # noqa: PTH100
        return not all(path.startswith(self._within) for path in paths)

    def _path(self, name: str) -> str:
        return os.path.normpath(os.path.join(self._folder, name))  # noqa: PTH118 - once a row

    def _with_stem(self, path: str) -> list[str]:
        """The image files in the same folder with the same name, whatever their suffix and case."""
        folder, name = os.path.split(path)
        if folder not in self._stems:
            self._stems[folder] = _images_by_stem(folder)
        stems = self._stems[folder]
        stem = os.path.splitext(name)[0] if _has_image_suffix(name) else name  # noqa: PTH122
        return stems.get(stem.casefold(), [])

    def _elsewhere(self, name: str) -> str:
        """A file of that name below the table's folder, as it would be written in the table."""
        wanted = os.path.splitext(name)[0] if _has_image_suffix(name) else name  # noqa: PTH122
        waiting, left = deque([self._folder]), _MOST_LOOKED_AT
        while waiting and left > 0:
            try:
                listing = entries(waiting.popleft())
            except OSError:
                continue
            left -= len(listing) + 1
            for entry in listing:
                if is_folder(entry):
                    waiting += [] if entry.is_symlink() else [Path(entry.path)]
                elif (
                    _has_image_suffix(entry.name)
                    and os.path.splitext(entry.name)[0].casefold() == wanted.casefold()  # noqa: PTH122
                ):
                    return Path(entry.path).relative_to(self._folder).as_posix()
        return ""


def _spellings(name: str) -> list[str]:
    """A name as it stands, and with the separators of this system for those of Windows."""
    return list(dict.fromkeys((name, name.replace("\\", "/")))) if name else []


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - once a row
    except (OSError, ValueError):
        return False


def _has_image_suffix(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES  # noqa: PTH122 - once a row


def _images_by_stem(folder: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    try:
        listing = entries(folder)
    except (OSError, ValueError):
        return found
    for entry in listing:
        stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122 - once a file
        if suffix.lower() in IMAGE_SUFFIXES:
            found.setdefault(stem.casefold(), []).append(
                os.path.join(folder, entry.name)  # noqa: PTH118
            )
    return found
