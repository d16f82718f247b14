"""What a JPEG's header says.

ITU-T T.81 annex B (markers), Exif 2.32 section 4.6.2 (orientation).
"""

import re
from dataclasses import dataclass
from struct import error as StructError
from struct import unpack_from

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_BARE = frozenset(range(0xD0, 0xD8)) | {0x01}
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
EXIF = b"Exif\0\0"
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_ORIENTATION_TAG = 0x0112
_MOST_SEGMENTS = 20_000  # photographs have dozens; each costs an iteration in Python
_MOST_ENTRIES = 1_000
_NOT_FILL = re.compile(rb"[^\xff]")
_SCAN_ENDS = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")  # a marker that is no restart, no stuffing


class BrokenJpegError(Exception):
    """The bytes break the marker structure; the text says how."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands before the coded data.

    Attributes:
        width: stored columns, before orientation.
        height: stored rows, before orientation.
        components: 1 gray, 3 color, 4 CMYK.
        precision: bits a sample.
        orientation: EXIF orientation, 1 to 8.
        progressive: whether all coefficients are held until the last scan.
        samples: samples a pixel after chroma subsampling: 3 for 4:4:4, 1.5 for 4:2:0, 1 for gray.
        coded_from: where the coded data begin.
    """

    width: int
    height: int
    components: int
    precision: int
    orientation: int
    progressive: bool
    samples: float
    coded_from: int


def parse_jpeg(data: bytes) -> JpegHeader:
    """Read the segments up to the first scan.

    Raises:
        BrokenJpegError: a segment is not one, or there is no frame header.
        IndexError: the bytes end before the first scan.
        struct.error: likewise.
    """
    frame: tuple[int, int, int, int] | None = None
    orientation = from_xmp = 0
    progressive, samples = False, 1.0
    at = 2
    for _ in range(_MOST_SEGMENTS):
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
            progressive = marker in _PROGRESSIVE
            samples = _samples(data[at + 8 : at + length], frame[3])
        elif marker == _APP1 and not orientation:
            body = data[at + 2 : at + length]
            if body.startswith(EXIF):
                orientation = exif_orientation(body[len(EXIF) :])
            elif body.startswith(_XMP):
                from_xmp = xmp_orientation(body)
        at += length
    else:
        raise BrokenJpegError(f"its header has more than {_MOST_SEGMENTS:,} segments")
    if frame is None:
        raise BrokenJpegError("its header has no frame")
    precision, height, width, components = frame
    chosen = orientation or from_xmp or 1
    return JpegHeader(
        width, height, components, precision, chosen, progressive, samples, coded_from=at - 1
    )


def count_scans(data: bytes, header: JpegHeader, *, most: int) -> int:
    """Count the scans of a JPEG; stops above ``most``, or at the end-of-image marker.

    Args:
        data: the whole file.
        header: as `parse_jpeg` read it.
        most: the count above which it does not matter how many there are.
    """
    if data.count(b"\xff\xda", header.coded_from) <= 1:  # most files: no walk is needed
        return 1
    scans, at = 0, header.coded_from
    for _ in range(_MOST_SEGMENTS):
        marker = data[at + 1] if at + 1 < len(data) else _END
        if marker == _END or scans > most:
            return scans
        scans += marker == _SCAN
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        found = _SCAN_ENDS.search(data, at + 2 + (length if marker not in _BARE else 0))
        if found is None:
            return scans
        at = found.end() - 2
    return most + 1


def _samples(factors: bytes, components: int) -> float:
    """Samples a pixel, from a frame header's sampling factors (section B.2.2)."""
    pairs = [(byte >> 4, byte & 15) for byte in factors[1 : 3 * components : 3]]
    largest = max((h for h, _ in pairs), default=1) * max((v for _, v in pairs), default=1)
    return sum(h * v for h, v in pairs) / max(1, largest) or float(components)


def exif_orientation(tiff: bytes) -> int:
    """The orientation in an EXIF block, 1 to 8; 0 where it has none, or is damaged."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 0
    try:
        (at,) = unpack_from(f"{order}I", tiff, 4)
        (entries,) = unpack_from(f"{order}H", tiff, at)
        for entry in range(at + 2, at + 2 + 12 * min(entries, _MOST_ENTRIES), 12):
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
    found = _NOT_FILL.search(data, at)  # any number of fill bytes may stand before a marker
    if found is None:
        raise IndexError(at)
    return found.start()
