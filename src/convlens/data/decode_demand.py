"""What decoding an image costs, known from its first bytes.

Width times height alone says little: a palette with one transparent color, a chroma plane or a
decoder's own canvas can make sixteen bytes of a pixel.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from struct import error as StructError
from struct import unpack_from
from typing import NamedTuple

from convlens.data.formats import PLAIN_PNM, jpeg_header, png_size, webp_size
from convlens.data.jpeg import JpegHeader, count_scans
from convlens.data.limits import ImageLimits, check_memory, check_scans
from convlens.data.tiff import BrokenTiffError, read_directories

_PIXEL = {"PNG": 7, "GIF": 5, "WEBP": 19, "BMP": 7, "TIFF": 11, "PNM": 7, "AVIF": 16, "HEIF": 13}
"""Bytes a pixel at the peak, as measured: the decoder's own, Pillow's image and our array."""
_FOREIGN = frozenset({"AVIF", "HEIF"})
HELD_HERE = 160_000_000
"""Bytes; what takes more is decoded in a process of its own."""

_WORK_HERE = 48_000_000  # pixels; about half a second
_FILE_HERE = 64_000_000  # bytes of a file, which may be a million tiny chunks
_COUNTED = 16_000_000  # bytes below which a decode does not wait for others
_RLE = frozenset({1, 2})  # BMP compressions, which Pillow decodes byte by byte in Python


class Demand(NamedTuple):
    """What a decode takes.

    Attributes:
        memory: bytes at its peak.
        apart: whether it belongs into a process that can be ended: it may take long, or its
            decoder writes complaints to the terminal.
    """

    memory: int
    apart: bool


def demand_of(data: bytes, kind: str, name: str, limits: ImageLimits) -> Demand:
    """What it takes to decode an image.

    Args:
        data: the whole file.
        kind: as `format_of` names it.
        name: what errors call it.
        limits: what is refused.

    Raises:
        UnreadableImageError: it is over a limit, or its header is damaged.
    """
    if kind == "JPEG":
        return _of_jpeg(data, name, limits)
    try:
        pixels, slow = _pixels(data, kind)
    except (StructError, IndexError, BrokenTiffError):
        return Demand(0, apart=False)  # what reads the header names the damage
    memory = pixels * _PIXEL[kind]
    long = memory > HELD_HERE or len(data) > _FILE_HERE
    return Demand(memory + len(data), apart=slow or long or kind in _FOREIGN)


def jpeg_memory(jpeg: JpegHeader, scans: int, *, scale: int, file_bytes: int) -> int:
    """Bytes that libjpeg holds: 16 bits a coefficient where scans are collected, and the picture.

    Args:
        jpeg: the header.
        scans: how many there are.
        scale: the picture comes out at 1/scale of its size.
        file_bytes: size of the file.
    """
    pixels = jpeg.width * jpeg.height
    coefficients = 2 * pixels * jpeg.samples if jpeg.progressive or scans > 1 else 0
    return int(coefficients) + pixels // scale**2 * jpeg.components + file_bytes


def _of_jpeg(data: bytes, name: str, limits: ImageLimits) -> Demand:
    try:
        jpeg = jpeg_header(data, name, limits)
    except EOFError:
        return Demand(0, apart=False)
    pixels = jpeg.width * jpeg.height
    scans = count_scans(data, jpeg, most=limits.scans)
    check_scans(scans, pixels, name, limits)
    smallest = jpeg_memory(jpeg, scans, scale=8, file_bytes=len(data))
    check_memory(smallest, name, limits)
    whole = jpeg_memory(jpeg, scans, scale=1, file_bytes=len(data))
    apart = whole > HELD_HERE or scans * pixels > _WORK_HERE or len(data) > _FILE_HERE
    return Demand(min(whole, limits.memory), apart)


def _pixels(data: bytes, kind: str) -> tuple[int, bool]:
    """Pixels that a header claims, and whether its kind of coding is slow, or its decoder loud."""
    if kind == "PNG":
        width, height = png_size(data)
        return width * height, False
    if kind == "GIF":
        width, height = unpack_from("<HH", data, 6)
        return width * height, False
    if kind == "WEBP":
        width, height = webp_size(data)
        return width * height, False
    if kind == "BMP":
        if unpack_from("<I", data, 14)[0] == 12:
            width, height = unpack_from("<HH", data, 18)
            return width * height, False
        width, height = unpack_from("<ii", data, 18)
        return abs(width * height), unpack_from("<I", data, 30)[0] in _RLE
    if kind == "TIFF":
        first = read_directories(data, most=1)[0]
        return first.width * first.height, first.compression != 1
    if kind == "PNM":
        return 8 * len(data) if data[:2] == b"P4" else len(data), data[:2] in PLAIN_PNM
    return 0, True


class _Memory:
    """What all decodes of this process hold together; who would exceed the limit waits."""

    def __init__(self) -> None:
        self._held = 0
        self._changed = threading.Condition()

    @contextmanager
    def held(self, size: int, limit: int) -> Iterator[None]:
        """Within it the memory is ours."""
        if size < _COUNTED:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self._held or self._held + size <= limit)
            self._held += size
        try:
            yield
        finally:
            with self._changed:
                self._held -= size
                self._changed.notify_all()


MEMORY = _Memory()
