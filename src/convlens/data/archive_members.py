"""What is in a zip or tar archive, handed out one member at a time, nothing taken on trust.

A member that would leave the folder it is unpacked to, a link, a device, and an archive that grows
beyond all measure are refused: an archive is somebody else's word.
"""

import bz2
import gzip
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EINVAL
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from pydantic import BaseModel, ConfigDict

from convlens.core.errors import ConvlensError
from convlens.data.image_files import is_hidden

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_OPENERS: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
_LARGEST_READ = 1 << 24
DAMAGE = (
    OSError,
    EOFError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    IndexError,
    OverflowError,
    NotImplementedError,  # zipfile's word for a way of packing that it does not know
    RecursionError,  # tarfile's way with a chain of headers
    MemoryError,  # a size that no machine has
)


class ArchiveLimits(BaseModel):
    """How far an archive may grow when it is unpacked.

    Attributes:
        members: files in it.
        depth: folders within folders.
        growth: bytes unpacked for each byte of the archive; images hardly grow at all.
        allowance: bytes that any archive may unpack to, whatever its own size.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    members: int = 5_000_000
    depth: int = 32
    growth: int = 100
    allowance: int = 1 << 28

    def total(self, path: Path) -> int:
        """Bytes that this archive may unpack to."""
        return max(self.allowance, self.growth * path.stat().st_size)


class Member:
    """A file in an archive; to be read before the next one is asked for.

    Attributes:
        name: where it belongs, without ``..``, drive or leading slash.
        position: how far into the archive's work it is, from 0 to 1.
    """

    def __init__(
        self, name: PurePosixPath, position: float, *, archive: Path, file: IO[bytes], size: int
    ) -> None:
        self.name = name
        self.position = position
        self._archive = archive
        self._file = file
        self._size = size

    def chunks(self) -> Iterator[bytes]:
        """The content, never more than the archive's directory says.

        Raises:
            ConvlensError: it is damaged.
        """
        left = self._size
        with _damage_told(self._archive):
            while chunk := self._file.read(min(1 << 20, left + 1)):
                left -= len(chunk)
                if left < 0:
                    raise EOFError(f"{self.name} is larger than the archive says")
                yield chunk
            if left:
                raise EOFError(f"{self.name} ends early")

    def read(self) -> bytes:
        """The whole content."""
        return b"".join(self.chunks())

    def finish(self) -> None:
        """Read what was left of the content, for its checksum stands at its end."""
        while self._file.read(1 << 20):
            pass


def archive_name(path: Path) -> str | None:
    """An archive's name without its suffix; None where the name is not an archive's.

    Example:
        >>> archive_name(Path("plants.tar.gz")), archive_name(Path("plants.csv"))
        ('plants', None)
    """
    for suffix in sorted(ARCHIVE_SUFFIXES, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)] or path.name
    return None


def members(path: Path, limits: ArchiveLimits | None = None) -> Iterator[Member]:
    """The files of an archive that are not hidden, in its own order.

    Its last member is followed by what is left of the stream, so that the checksums at its end are
    compared too: whoever uses a member before the iterator is used up must be ready to drop it.

    Args:
        path: a ``.zip``, or a ``.tar`` as it is or packed with gzip, xz or bzip2.
        limits: how far it may grow.

    Raises:
        ConvlensError: it is damaged or not an archive, or something in it is refused.
    """
    limits = limits or ArchiveLimits()
    with path.open("rb") as file, _damage_told(path):
        inside = _zip_members if file.read(4)[:2] == b"PK" else _tar_members
        file.seek(0)
        yield from inside(path, file, limits)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        if isinstance(error, OSError) and error.errno not in {None, EINVAL}:
            raise  # the disk's fault, not the archive's
        raise ConvlensError(
            f"{path} is damaged or not an archive ({_reason(error)}); expected a .zip, .tar, "
            ".tar.gz or .tar.xz of class folders: fetch or pack it again",
            code="damaged-archive",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "its headers are nested too deeply"
    return str(error) or type(error).__name__


def _zip_members(path: Path, file: IO[bytes], limits: ArchiveLimits) -> Iterator[Member]:
    with zipfile.ZipFile(file) as archive:
        listed = archive.infolist()
        total = sum(info.file_size for info in listed)
        _refuse_growth(path, len(listed), total, limits)
        for info in listed:
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _refused(path, info.filename, "is a link or a device")
            if info.flag_bits & 1:
                raise _refused(path, info.filename, "is encrypted")
        done = 0
        for info in listed:
            name = _safe_name(path, info.filename, limits)
            if not info.is_dir():
                with archive.open(info) as content:
                    position = done / max(1, total)
                    member = Member(
                        name or PurePosixPath(info.filename),
                        position,
                        archive=path,
                        file=content,
                        size=info.file_size,
                    )
                    if name is not None:
                        yield member
                    member.finish()
            done += info.file_size


def _tar_members(path: Path, file: IO[bytes], limits: ArchiveLimits) -> Iterator[Member]:
    size = max(1, path.stat().st_size)
    start = file.read(6)
    file.seek(0)
    opener = next((o for magic, o in _OPENERS.items() if start.startswith(magic)), None)
    unpacked: IO[bytes] = opener(file) if opener else file
    count = total = 0
    bounded = _Bounded(unpacked)
    with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r:") as archive:
        while info := archive.next():
            cast("Any", archive).members.clear()  # tarfile would keep every one: a kilobyte each
            count, total = count + 1, total + info.size
            _refuse_growth(path, count, total, limits)
            if not (info.isreg() or info.isdir()):
                raise _refused(path, info.name, "is a link or a device")
            name = _safe_name(path, info.name, limits)
            content = archive.extractfile(info) if info.isreg() and name is not None else None
            if content and name:
                yield Member(name, file.tell() / size, archive=path, file=content, size=info.size)
    if bounded.last != bytes(tarfile.BLOCKSIZE):  # tarfile takes damage and an early end for it
        raise tarfile.ReadError("a header is damaged" if bounded.last else "it ends early")
    _read_to_end(path, unpacked, limits)


def _read_to_end(path: Path, unpacked: IO[bytes], limits: ArchiveLimits) -> None:
    """Read what follows a tar's end: zeros, and the checksum of what it is packed with.

    A tar is padded with zeros to its block, mostly of 10 KiB.
    """
    at = unpacked.tell()
    while chunk := unpacked.read(1 << 20):
        at += len(chunk)
        if chunk.count(0) != len(chunk):
            raise tarfile.ReadError("its end is followed by something else")
        _refuse_growth(path, 0, at, limits)


class _Bounded:
    """A file of which no one asks for more than a few megabytes at once, as a tar's headers may.

    Attributes:
        last: what was read last.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.last = b""
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LARGEST_READ:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        self.last = self._file.read(size)
        return self.last


def _safe_name(path: Path, name: str, limits: ArchiveLimits) -> PurePosixPath | None:
    """Where a member belongs; None where it is hidden or the root itself."""
    plain = name.replace("\\", "/")
    parts = [part for part in plain.split("/") if part not in {"", "."}]
    if plain.startswith("/") or re.match("[A-Za-z]:", plain) or ".." in parts:
        raise _refused(path, name, "would be written outside its folder")
    if any(ord(letter) < 32 for letter in name):
        raise _refused(path, name, "has control characters in its name")
    if len(parts) > limits.depth + 1:
        raise _refused(path, name, f"is more than {limits.depth} folders deep")
    if any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts):
        raise _refused(path, name, "has a name of more than 255 bytes")
    hidden = not parts or any(is_hidden(part) for part in parts)
    return None if hidden else PurePosixPath(*parts)


def _refuse_growth(path: Path, count: int, total: int, limits: ArchiveLimits) -> None:
    allowed = limits.total(path)
    if count > limits.members or total > allowed:
        raise ConvlensError(
            f"{path} is refused: it would unpack to {total / 1e6:,.0f} MB in {count:,} files or "
            f"more; expected at most {allowed / 1e6:,.0f} MB in {limits.members:,} files from an "
            "archive of its size. If you trust it, unpack it yourself and pass the folder",
            code="archive-refused",
        )


def _refused(path: Path, name: str, why: str) -> ConvlensError:
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    return ConvlensError(
        f"{path} is refused: its member {shown!r} {why}; expected plain files in class folders. "
        "If you trust it, unpack it yourself and pass the folder",
        code="archive-refused",
    )
