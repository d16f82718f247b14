"""Finding image files below a folder, whatever else lies there."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from convlens.core.errors import ConvlensError
from convlens.core.formatting import some
from convlens.core.paths import exists, is_dir
from convlens.core.reporter import Reporter
from convlens.data.formats import HEAD, format_of
from convlens.data.image_set import Skipped
from convlens.data.limits import UnreadableImageError

IMAGE_SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .avif .avifs .bmp .dib .gif .tif .tiff "  # noqa: SIM905
    ".ppm .pgm .pbm .pnm .heic .heif .hif".split()
)
_SYSTEM_NAMES = frozenset(
    "thumbs.db desktop.ini __macosx @eadir $recycle.bin lost+found".split()  # noqa: SIM905
)
_LONGEST_SAID = 240


def is_hidden(name: str) -> bool:
    """Whether a file or folder is the system's own: ``.DS_Store``, ``Thumbs.db``, ``._cat.jpg``.

    Example:
        >>> is_hidden("._cat.jpg"), is_hidden("cat.jpg")
        (True, False)
    """
    return name.startswith(".") or name.casefold() in _SYSTEM_NAMES


def entries(folder: str | Path) -> list[os.DirEntry[str]]:
    """What lies in a folder, without what is hidden, sorted by name.

    Raises:
        OSError: the folder cannot be read.
    """
    with os.scandir(folder) as listing:
        return sorted((e for e in listing if not is_hidden(e.name)), key=lambda e: e.name)


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder, or a link to one; a link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def shown(path: str | Path) -> str:
    """A path that can be printed and written to a file, whatever bytes its name is made of."""
    return os.fsencode(path).decode("utf-8", "replace")


def shortened(path: str) -> str:
    """A path as it is said; of a very long one the beginning and the end.

    Example:
        >>> shortened("x" * 3000 + "/cat.jpg")[-12:], len(shortened("x" * 3000))
        ('xxxx/cat.jpg', 201)
    """
    return path if len(path) <= _LONGEST_SAID else f"{path[:100]}…{path[-100:]}"


class Walk:
    """Image files below the folders of a source, each real folder read once.

    A link is followed where it leads outside the source. One that leads to a folder of the source,
    or to a folder around it, is skipped: what is there is read under its own name, and a loop ends.

    Args:
        root: the source.

    Attributes:
        skipped: what was met and left out, in the order met.
    """

    def __init__(self, root: str | Path) -> None:
        self.skipped: list[Skipped] = []
        self._root = Path(root).resolve()
        self._seen: set[tuple[int, int]] = set()

    def images(self, folder: str | Path) -> list[str]:
        """The image files in a folder and all folders below it, in a fixed order."""
        found: list[str] = []
        waiting = [str(folder)]
        while waiting:
            top = waiting.pop()
            try:
                inner, files = self._read(top)
            except OSError as error:
                self.skip(top, f"the folder cannot be read ({error.strerror})")
                continue
            found += files
            waiting += reversed(inner)
        return found

    def _read(self, folder: str) -> tuple[list[str], list[str]]:
        if reason := self._reason_to_stay_out(folder):
            self.skip(folder, reason)
            return [], []
        inner, files = [], []
        for entry in entries(folder):
            if is_folder(entry) and shown(entry.name) == entry.name:
                inner.append(entry.path)
            elif self.accepts(entry):
                files.append(entry.path)
        return inner, files

    def _reason_to_stay_out(self, folder: str) -> str:
        path = Path(folder)
        if path.is_symlink():
            target = path.resolve()
            if target.is_relative_to(self._root) or self._root.is_relative_to(target):
                return "a link into its own source"
        found = path.stat()
        identity = (found.st_dev, found.st_ino)
        if identity in self._seen:
            return "a folder that was read already under another name"
        self._seen.add(identity)
        return ""

    def accepts(self, entry: os.DirEntry[str]) -> bool:
        """Whether an entry is an image file; what is not is noted in ``skipped``."""
        reason = _reason_to_skip(entry)
        if reason:
            self.skip(entry.path, reason, unreadable=_suffix(entry) in IMAGE_SUFFIXES)
        return not reason

    def skip(self, path: str | Path, reason: str, *, unreadable: bool = False) -> None:
        """Note something that is left out: see `Skipped`."""
        self.skipped.append(Skipped(shown(path), reason, unreadable))


def find_images(
    paths: Sequence[str | Path], reporter: Reporter
) -> tuple[list[str], tuple[Skipped, ...]]:
    """Unlabeled images: files as they are named, and every image below the folders named.

    Args:
        paths: files and folders.
        reporter: told what was skipped.

    Returns:
        The files in the order given (those of a folder sorted), and what was left out.

    Raises:
        ConvlensError: a path does not exist, or there is no image at all.
    """
    skipped: list[Skipped] = []
    found: list[str] = []
    empty: list[Skipped] = []
    for path in map(Path, paths):
        if is_dir(path):
            walk = Walk(path)
            images = walk.images(path)
            found += images
            skipped += walk.skipped
            if not (images or walk.skipped):
                empty.append(Skipped(str(path), "no image in this folder"))
        elif exists(path):
            found.append(str(path))
        elif path.is_symlink():
            skipped.append(Skipped(str(path), "a link to what does not exist", unreadable=True))
        else:
            raise ConvlensError(
                f"no such file or folder: {path}; expected image files, or folders of them",
                code="no-such-path",
            )
    if not found:
        raise no_images(some(map(str, paths)) or "nothing", skipped)
    skipped += empty
    tell_skipped(skipped, reporter)
    return found, tuple(skipped)


def no_images(where: str, skipped: Sequence[Skipped]) -> ConvlensError:
    """The error for a place without a single image that can be used."""
    looked_at = "it is empty"
    if skipped:
        what = (f"{Path(s.path).name}: {s.reason}" for s in skipped)
        several = len(skipped) > 1
        which = f"of {len(skipped):,} files and folders none" if several else "what is there cannot"
        looked_at = f"{which} {'could ' * several}be used ({some(what, 3)})"
    return ConvlensError(
        f"no images in {where}: {looked_at}; "
        "expected JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF, TIFF or PPM files in class folders",
        code="no-images",
    )


def tell_skipped(skipped: Sequence[Skipped], reporter: Reporter) -> None:
    """Warn once of all that was skipped: how many, and the first few by name."""
    if skipped:
        what = some((f"{shortened(s.path)} ({s.reason})" for s in skipped), 3)
        reporter.warn(f"skipped {len(skipped):,}: {what}")


def _reason_to_skip(entry: os.DirEntry[str]) -> str:
    try:
        entry.name.encode()
        found = entry.stat()
    except UnicodeEncodeError:
        return "its name is not valid UTF-8"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    suffix = _suffix(entry)
    if not stat.S_ISREG(found.st_mode):
        return "not a regular file"
    if suffix and suffix not in IMAGE_SUFFIXES:
        return f"not an image convlens reads ({suffix})"
    if not found.st_size:
        return "empty file (0 bytes)"
    if not suffix and not _starts_like_an_image(entry.path):
        return "not an image convlens reads (no suffix)"
    return ""


def _suffix(entry: os.DirEntry[str]) -> str:
    return os.path.splitext(entry.name)[1].lower()  # noqa: PTH122 - once a file: pathlib is slow


def _starts_like_an_image(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            format_of(file.read(HEAD), path)
    except (OSError, UnreadableImageError):
        return False
    return True
