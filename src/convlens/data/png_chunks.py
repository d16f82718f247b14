"""The chunks of a PNG, counted: of a million empty ones Pillow is busy for half a minute."""

from struct import unpack
from typing import BinaryIO

from convlens.data.limits import UnreadableImageError

_START = 8  # bytes of signature
_AROUND = 12  # bytes of length, kind and checksum
_MOST = 4_000
_LEAST_MEAN = 2_048
"""Bytes a chunk, beyond the first thousands: encoders write 8 KB and more at once."""


def check_png_chunks(file: BinaryIO, size: int, name: str, *, to_pixels: bool) -> None:
    """Refuse a PNG of so many chunks that reading them would take long; the file ends at its start.

    Args:
        file: the image, from its start.
        size: its bytes.
        name: what errors call it.
        to_pixels: look no further than where its pixels begin.

    Raises:
        UnreadableImageError: there are too many.
    """
    most = _MOST + size // _LEAST_MEAN
    at = _START
    for _ in range(most):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or (to_pixels and head[4:] == b"IDAT") or head[4:] == b"IEND":
            file.seek(0)
            return
        at += unpack(">I", head[:4])[0] + _AROUND
    raise UnreadableImageError(name, f"it is a PNG of more than {most:,} chunks")
