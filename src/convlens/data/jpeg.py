"""What a JPEG's header says.

ITU-T T.81 annex B (markers), Exif 2.32 section 4.6.2 (orientation).
"""

import re
from dataclasses import dataclass
from struct import error as StructError
from struct import unpack_from

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_ORIENTATION_TAG = 0x0112


class BrokenJpegError(Exception):
    """The bytes break the marker structure; the text says how."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands before the coded data.

    Attributes:
        width: stored columns, before orientation.
        height: stored rows, before orientation.
        components: 1 grey, 3 colour, 4 CMYK.
        precision: bits a sample.
        orientation: EXIF orientation, 1 to 8.
    """

    width: int
    height: int
    components: int
    precision: int
    orientation: int


def parse_jpeg(data: bytes) -> JpegHeader:
    """Read the segments up to the first scan.

    Raises:
        BrokenJpegError: a segment is not one, or there is no frame header.
        IndexError: the bytes end before the first scan.
        struct.error: likewise.
    """
    frame: tuple[int, int, int, int] | None = None
    orientation = from_xmp = 0
    at = 2
    while True:
        at = _marker_at(data, at)
        marker = data[at]
        if marker == _SCAN:
            break
        at += 1
        if marker in _BARE:
            continue
        (length,) = unpack_from(">H", data, at)
        if length < 2 or marker == _END:
            raise BrokenJpegError("its header is damaged")
        if marker in _FRAMES:
            frame = unpack_from(">BHHB", data, at + 2)
        elif marker == _APP1 and not orientation:
            body = data[at + 2 : at + length]
            if body.startswith(EXIF):
                orientation = exif_orientation(body[len(EXIF) :])
            elif body.startswith(_XMP):
                from_xmp = xmp_orientation(body)
        at += length
    if frame is None:
        raise BrokenJpegError("its header has no frame")
    precision, height, width, components = frame
    chosen = orientation or from_xmp or 1
    return JpegHeader(width, height, components, precision, chosen)


def exif_orientation(tiff: bytes) -> int:
    """The orientation in an EXIF block, 1 to 8; 0 where it has none, or is damaged."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 0
    try:
        (at,) = unpack_from(f"{order}I", tiff, 4)
        (entries,) = unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            tag, kind = unpack_from(f"{order}HH", tiff, entry)
            if tag == _ORIENTATION_TAG:
                (value,) = unpack_from(f"{order}{'I' if kind == 4 else 'H'}", tiff, entry + 8)
                return int(value) if 1 <= value <= 8 else 0
    except StructError:
        pass
    return 0


def xmp_orientation(xmp: bytes) -> int:
    """The orientation that an XMP packet states, 1 to 8; 0 where it states none."""
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 0


def _marker_at(data: bytes, at: int) -> int:
    if data[at] != 0xFF:
        raise BrokenJpegError("its header is damaged")
    while data[at] == 0xFF:  # any number of fill bytes may stand before a marker
        at += 1
    return at
