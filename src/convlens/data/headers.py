"""What an image file says of itself, read from its first bytes: nothing is decoded here."""

import os
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL.ImageFile import ImageFile

from convlens.data.formats import (
    bit_depth_of,
    format_of,
    jpeg_header,
    open_with_pillow,
    orientation_of,
)
from convlens.data.limits import (
    LIMITS,
    ImageLimits,
    UnreadableImageError,
    check_bytes,
    naming_damage,
    opened,
)
from convlens.data.tiff import has_several_images

_HEAD = 1 << 16
_CHANNELS = {"1": 1, "L": 1, "I;16": 1, "I;16B": 1, "I": 1, "F": 1, "LA": 2, "P": 3, "RGB": 3}
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_FIRST_TURNED = 5  # from this EXIF orientation on, rows and columns change places


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself.

    Attributes:
        format: ``"JPEG"``, ``"PNG"``, ``"WEBP"``, ``"AVIF"``, ``"HEIF"``, ``"BMP"``, ``"GIF"``,
            ``"TIFF"`` or ``"PNM"`` (PPM, PGM, PBM).
        width: columns, as the picture is to be seen: EXIF orientation applied.
        height: rows, likewise.
        mode: Pillow's word for the kind of pixel (``"RGB"``, ``"L"``, ``"P"``, ``"CMYK"``).
        bit_depth: bits a sample.
        orientation: EXIF orientation, 1 (as stored) to 8.
        file_bytes: size of the file.
        several_frames: whether it is an animation or has several pages, of which the first is used.
    """

    format: str
    width: int
    height: int
    mode: str
    bit_depth: int
    orientation: int
    file_bytes: int
    several_frames: bool = False

    @property
    def channels(self) -> int:
        """Samples a pixel: 1 gray, 2 gray and alpha, 3 color, 4 color and alpha, or CMYK."""
        return _CHANNELS.get(self.mode, 4)


def read_header(source: str | Path | bytes, *, limits: ImageLimits = LIMITS) -> Header:
    """Read what an image file says of itself.

    Args:
        source: a file, or the bytes of one.
        limits: what is refused unseen.

    Raises:
        UnreadableImageError: no such file, not an image, damaged in its header, or over a limit.

    Example:
        >>> from io import BytesIO
        >>> from PIL import Image
        >>> Image.new("L", (40, 30)).save(file := BytesIO(), "PNG")
        >>> header = read_header(file.getvalue())
        >>> header.format, header.width, header.height, header.channels
        ('PNG', 40, 30, 1)
    """
    if isinstance(source, bytes):
        check_bytes(len(source), "the image", limits)
        return _header(BytesIO(source), len(source), "the image", limits)
    with opened(source, limits) as file:
        return _header(file, os.fstat(file.fileno()).st_size, str(source), limits)


def _header(file: BinaryIO, size: int, name: str, limits: ImageLimits) -> Header:
    head = file.read(_HEAD)
    kind = format_of(head, name)
    if kind == "JPEG":
        return _of_jpeg(file, head, size, name, limits)
    file.seek(0)
    with (
        naming_damage(name, f"{kind} header"),
        open_with_pillow(file, kind, name, limits, file_bytes=size) as image,
    ):
        width, height = image.size
        orientation = orientation_of(image)
        if orientation >= _FIRST_TURNED and kind != "TIFF":  # whose size Pillow gives turned
            width, height = height, width
        depth, several = bit_depth_of(image), _several(image, file, kind)
        return Header(kind, width, height, image.mode, depth, orientation, size, several)


def _of_jpeg(file: BinaryIO, head: bytes, size: int, name: str, limits: ImageLimits) -> Header:
    try:
        try:
            jpeg = jpeg_header(head, name, limits)
        except EOFError:  # previews and color profiles can fill megabytes
            jpeg = jpeg_header(head + file.read(), name, limits)
    except EOFError:
        raise UnreadableImageError(name, "it is truncated within its header") from None
    width, height = jpeg.width, jpeg.height
    if jpeg.orientation >= _FIRST_TURNED:
        width, height = height, width
    mode = _JPEG_MODES.get(jpeg.components, "unknown")
    return Header("JPEG", width, height, mode, jpeg.precision, jpeg.orientation, size)


def _several(image: ImageFile, file: BinaryIO, kind: str) -> bool:
    if kind == "TIFF":
        return has_several_images(file)
    with suppress(Exception):  # damage behind the first frame is no matter
        return bool(getattr(image, "is_animated", False))
    return False
