"""Decoded pixels on disk: one memory-mapped file for the images of a split.

    <cache>/pixels/<how>/<what>/pixels.bin    M×H×W×C uint8, the images that could be read
                                rows.bin      M×16 bytes: which image each row is of
                                entry.json    shape, and which images could not be read, and why

*How* is a hash of all that turns a file into pixels: size, resize rule, margin, our version and
those of the decoders. *What* is a hash of the images' keys (see `convlens.data.file_keys`), in
order, missing files included. An entry is used only where its rows are the images asked for.
Feature maps (see `convlens.data.kept_features`) are kept beside them in the same way, M×h×w×c
float32 in ``pixels.bin``, so that one limit holds for all.
An entry is written beside its place and renamed, so a process killed half-way leaves only a folder
that the next one sweeps away, and of two that write the same entry the first wins. Pixels are
written, never stored through a memory map: on a full disk that would kill the process.
"""

import json
import os
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import cv2
import numpy as np
import PIL
import simplejpeg
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.core.parsing import parse_json
from convlens.core.partial import SUFFIX, is_abandoned, make_partial_folder
from convlens.data.decode import DECODE_VERSION
from convlens.data.file_keys import KEY_BYTES, digest_of, key_of_all
from convlens.data.resample import Pixels8
from convlens.data.resize import kept_shape

Kind: TypeAlias = Literal["pixels", "features"]

_VERSION = 2
_DIGEST = KEY_BYTES
_BYTES_A_NUMBER: dict[Kind, int] = {"pixels": 1, "features": 4}


def _default_gigabytes() -> float:
    said = os.environ.get("CONVLENS_CACHE_GIGABYTES") or "20"
    with suppress(ValueError):
        if float(said) > 0:
            return float(said)
    raise ConvlensError(
        f"CONVLENS_CACHE_GIGABYTES is '{said}'; expected a number above 0",
        remedy="as in CONVLENS_CACHE_GIGABYTES=50, or none for 20",
        between=", ",
        code="bad-cache-limit",
    )


class CacheSettings(BaseModel):
    """Whether and where decoded pixels, and feature maps, are kept.

    Attributes:
        enabled: False keeps them in memory, for this process alone (``--no-cache``).
        folder: None for ``pixels`` in the cache folder of convlens.
        max_gigabytes: what all of it may fill (10^9 bytes); the least recently used goes first.
            By default what ``CONVLENS_CACHE_GIGABYTES`` says, else 20.

    Raises:
        ConvlensError: ``CONVLENS_CACHE_GIGABYTES`` is no such number.

    Example:
        >>> CacheSettings(max_gigabytes=5).enabled
        True
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    folder: Path | None = None
    max_gigabytes: float = Field(default_factory=_default_gigabytes, gt=0)

    @property
    def place(self) -> Path:
        """The folder in force."""
        return self.folder or cache_folder("pixels")

    @property
    def max_bytes(self) -> int:
        """The limit in bytes."""
        return int(self.max_gigabytes * 1e9)


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """The kept pixels, or feature maps, of the images of a split.

    Attributes:
        kind: ``"pixels"``, uint8, or ``"features"``, float32.
        folder: where they are.
        shape: images that could be read, height, width, channels.
        failed: position among the images asked for, and reason, of those that could not be read.
        name: the image set they were first read for; of features, and what they were made by.
        size: bytes that they fill.
        used: when they were last used, in seconds since 1970.
    """

    kind: Kind
    folder: Path
    shape: tuple[int, int, int, int]
    failed: tuple[tuple[int, str], ...]
    name: str
    size: int
    used: float

    def pixels(self) -> Pixels8:
        """The pixels, memory-mapped, read-only; of features, four bytes a channel."""
        *image, channels = self.shape
        shape = (*image, channels * _BYTES_A_NUMBER[self.kind])
        return np.memmap(self.folder / "pixels.bin", np.uint8, "r", shape=shape).view(np.ndarray)

    def features(self) -> NDArray[np.float32]:
        """The feature maps, memory-mapped, read-only."""
        return self.pixels().view(np.float32)

    def holds(self, digests: Sequence[bytes], image: tuple[int, int, int]) -> bool:
        """Whether its rows are these images, those that could not be read left out.

        Args:
            digests: of all images asked for, in order.
            image: height, width and channels of each row.
        """
        gone = {position for position, _ in self.failed}
        wanted = [digest for at, digest in enumerate(digests) if at not in gone]
        fits = max(gone, default=0) < len(digests) and b"" not in wanted
        if not fits or self.shape != (len(wanted), *image):
            return False
        try:
            return (self.folder / "rows.bin").read_bytes() == b"".join(wanted)
        except OSError:  # another process may just have removed it
            return False

    def digests(self) -> list[bytes]:
        """Which image each row is of: see `convlens.data.file_keys` and `array_digests`."""
        rows = (self.folder / "rows.bin").read_bytes()
        return [rows[at : at + _DIGEST] for at in range(0, len(rows), _DIGEST)]


def array_digests(images: Iterable[Pixels8]) -> list[bytes]:
    """What tells one array from another: shape and content."""
    return [digest_of(repr(i.shape).encode() + i.tobytes()) for i in images]


def entry_folder(place: Path, digests: Sequence[bytes], spec: InputSpec, margin: float) -> Path:
    """Where the pixels of these images, brought to this size, are or would be."""
    rows, columns = kept_shape(spec, margin)
    how = [_VERSION, rows, columns, spec.channels, spec.resize, spec.height, spec.width, margin]
    bits = [spec.value_bits] if spec.value_bits != 16 else []  # most caches stay valid
    libraries = [DECODE_VERSION, cv2.__version__, PIL.__version__, simplejpeg.__version__]
    how_all = json.dumps([*how, *bits, *libraries])
    return place / digest_of(how_all.encode()).hex() / key_of_all(digests)


def open_entry(folder: Path) -> CacheEntry | None:
    """The entry in a folder, marked as used; None where there is none that is whole."""
    entry = _read_entry(folder)
    if entry is not None:
        with suppress(OSError):  # a read-only cache is not evicted either
            os.utime(folder / "entry.json")
    return entry


def list_entries(place: Path) -> list[CacheEntry]:
    """All that a cache holds, least recently used first."""
    found = [_read_entry(file.parent) for file in place.glob("*/*/entry.json")]
    return sorted((entry for entry in found if entry), key=lambda entry: entry.used)


def known_rows(how: Path, digests: Sequence[bytes]) -> dict[bytes, Pixels8]:
    """Rows that entries for other splits of the same images hold, by digest.

    So adding images to a folder, another seed's split or the next fold decodes only what is new.

    Args:
        how: the folder of entries that were made in the same way.
        digests: the images that are looked for.
    """
    wanted, found = set(digests), dict[bytes, Pixels8]()
    for file in how.glob("*/entry.json"):
        entry = _read_entry(file.parent)
        if entry is not None:
            with suppress(OSError):  # another process may just be making room
                rows, pixels = entry.digests(), entry.pixels()
                found |= {row: pixels[at] for at, row in enumerate(rows) if row in wanted}
    return found


class EntryWriter:
    """Writes an entry beside its place; leaving it unfinished leaves nothing.

    Args:
        folder: the entry's place.
        image: height, width, channels; of features, four bytes a channel.
        kind: what it is that is written.

    Raises:
        OSError: the folder cannot be written to, or the disk is full.
    """

    def __init__(self, folder: Path, image: tuple[int, int, int], *, kind: Kind = "pixels") -> None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._kind: Kind = kind
        self._folder, self._image, self._count = folder, image, 0
        self._partial = make_partial_folder(folder.parent)
        self._file = (self._partial / "pixels.bin").open("w+b", buffering=0)

    def append(self, images: Pixels8) -> None:
        """Write (N, H, W, C) images after those written before; raises OSError."""
        left = memoryview(images.tobytes())
        while left:  # one call may write less than it is given
            left = left[self._file.write(left) or 0 :]
        self._count += len(images)

    def written(self) -> Pixels8:
        """What was written so far, read back, wherever the file has gone since."""
        self._file.seek(0)
        images = np.fromfile(self._file, np.uint8)
        size = int(np.prod(self._image))
        return images[: self._count * size].reshape(-1, *self._image)

    def finish(
        self, name: str, digests: Sequence[bytes], failed: Sequence[tuple[int, str]]
    ) -> None:
        """Put the entry in its place, unless another process was first; raises OSError."""
        height, width, wide = self._image
        shape = [self._count, height, width, wide // _BYTES_A_NUMBER[self._kind]]
        about = {"kind": self._kind, "name": name, "shape": shape, "failed": list(failed)}
        os.fsync(self._file.fileno())  # a power cut must leave no entry that only looks whole
        for file, content in {
            "rows.bin": b"".join(digests),
            "entry.json": json.dumps(about, indent=2).encode(),
        }.items():
            with (self._partial / file).open("wb", buffering=0) as opened:
                opened.write(content)
                os.fsync(opened.fileno())
        if _read_entry(self._folder) is None:
            shutil.rmtree(self._folder, ignore_errors=True)
            try:
                self._partial.rename(self._folder)
            except OSError:
                if _read_entry(self._folder) is None:
                    raise

    def close(self) -> None:
        """Remove what was not finished."""
        self._file.close()
        shutil.rmtree(self._partial, ignore_errors=True)


def make_room(place: Path, needed: int, *, limit: int, free: int) -> None:
    """Remove what writers left that are no more, then the least recently used entries.

    Args:
        place: the cache's folder.
        needed: bytes about to be written.
        limit: bytes that the cache may fill.
        free: bytes that the disk can still take.
    """
    for partial in place.glob(f"*/.*{SUFFIX}"):
        if is_abandoned(partial):
            shutil.rmtree(partial, ignore_errors=True)
    entries = list_entries(place)
    filled = sum(entry.size for entry in entries)
    for entry in entries:
        if filled + needed <= limit and needed <= free:
            break
        shutil.rmtree(entry.folder, ignore_errors=True)
        with suppress(OSError):  # others may be left in it
            entry.folder.parent.rmdir()
        filled, free = filled - entry.size, free + entry.size


def _read_entry(folder: Path) -> CacheEntry | None:
    try:
        file = folder / "entry.json"
        about, used = parse_json(file.read_text("utf-8")), file.stat().st_mtime
        count, height, width, channels = about["shape"]
        failed = tuple((position, reason) for position, reason in about["failed"])
        kind: Kind = about.get("kind", "pixels")
        size = (folder / "pixels.bin").stat().st_size
        whole = size == count * height * width * channels * _BYTES_A_NUMBER[kind] > 0
    except (OSError, ValueError, KeyError, TypeError):
        return None
    shape = count, height, width, channels
    return CacheEntry(kind, folder, shape, failed, about["name"], size, used) if whole else None
