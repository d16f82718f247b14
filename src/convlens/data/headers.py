"""What an image file says of itself, read from its first bytes: nothing is decoded here."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from struct import error as StructError
from struct import unpack_from
from typing import BinaryIO

from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pydantic import BaseModel, ConfigDict, Field

from convlens.core.errors import ConvlensError
from convlens.data.jpeg import (
    EXIF,
    BrokenJpegError,
    JpegHeader,
    exif_orientation,
    parse_jpeg,
    xmp_orientation,
)

_HEAD = 1 << 16
_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"RIFF", "WEBP"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
)
_PHONE_FORMATS = {b"ftypheic", b"ftypheix", b"ftypmif1", b"ftypavif"}
_PLUGINS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
}
_CHANNELS = {"1": 1, "L": 1, "I;16": 1, "I;16B": 1, "I": 1, "F": 1, "LA": 2, "P": 3, "RGB": 3}
_JPEG_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_ORIENTATION_TAG, _BITS_TAG = 0x0112, 0x0102
_FIRST_TURNED = 5  # from this EXIF orientation on, rows and columns change places


class ImageLimits(BaseModel):
    """How large an image may claim to be before any of it is decoded.

    Attributes:
        pixels: width times height; the default admits the largest photographs of telephones.
        bytes: size of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: int = Field(default=200_000_000, ge=1)
    bytes: int = Field(default=1 << 28, ge=1)


LIMITS = ImageLimits()


class UnreadableImageError(ConvlensError):
    """An image that cannot be read.

    Args:
        name: the file, as the user knows it.
        reason: why, in a few words, to stand after the name in a list.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"cannot read {name}: {reason}; replace the file or leave it out",
            code="unreadable-image",
        )
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Header:
    """What an image file says of itself.

    Attributes:
        format: ``"JPEG"``, ``"PNG"``, ``"WEBP"``, ``"BMP"``, ``"GIF"`` or ``"TIFF"``.
        width: columns, as the picture is to be seen: EXIF orientation applied.
        height: rows, likewise.
        mode: Pillow's word for the kind of pixel (``"RGB"``, ``"L"``, ``"P"``, ``"CMYK"``).
        bit_depth: bits a sample.
        orientation: EXIF orientation, 1 (as stored) to 8.
        file_bytes: size of the file.
    """

    format: str
    width: int
    height: int
    mode: str
    bit_depth: int
    orientation: int
    file_bytes: int

    @property
    def channels(self) -> int:
        """Samples a pixel: 1 grey, 2 grey and alpha, 3 colour, 4 colour and alpha, or CMYK."""
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


@contextmanager
def opened(path: str | Path, limits: ImageLimits) -> Iterator[BinaryIO]:
    """Open an image file that is not over the limit in bytes.

    Raises:
        UnreadableImageError: it is over the limit, or not a file, or cannot be read.
    """
    name = str(path)
    try:
        found = os.stat(name)  # noqa: PTH116 - a file a time: pathlib takes several times as long
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableImageError(name, "it is not a file")
        check_bytes(found.st_size, name, limits)
        with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - likewise
            yield file
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableImageError(name, reason[:1].lower() + reason[1:]) from error


def format_of(head: bytes, name: str) -> str:
    """The format that a file's first bytes announce, whatever its name ends in.

    Raises:
        UnreadableImageError: it is none that is read.
    """
    if not head:
        raise UnreadableImageError(name, "it is empty")
    for start, kind in _STARTS:
        if head.startswith(start) and (kind != "WEBP" or head[8:12] == b"WEBP"):
            return kind
    known = "JPEG, PNG, WebP, BMP, GIF and TIFF are read"
    if head[4:12] in _PHONE_FORMATS:
        raise UnreadableImageError(name, f"it is a HEIC or AVIF image ({known}; convert it)")
    raise UnreadableImageError(name, f"it is not an image ({known})")


def jpeg_header(data: bytes, name: str, limits: ImageLimits) -> JpegHeader:
    """The header of a JPEG that is not over the limits.

    Raises:
        UnreadableImageError: it is damaged, or over a limit.
        EOFError: the bytes end before the header does.
    """
    try:
        jpeg = parse_jpeg(data)
    except BrokenJpegError as error:
        raise UnreadableImageError(name, str(error)) from error
    except (IndexError, StructError) as error:
        raise EOFError from error
    check_pixels(jpeg.width, jpeg.height, name, limits)
    return jpeg


def open_with_pillow(file: BinaryIO, kind: str, name: str, limits: ImageLimits) -> ImageFile:
    """Pillow's image, its pixels not yet decoded, of a format that `format_of` named.

    The plugin is called by name: `PIL.Image.open` would try formats that we do not read, and has
    limits of its own.

    Raises:
        UnreadableImageError: its header is damaged, or over a limit.
    """
    try:
        if kind == "WEBP":  # its plugin reserves the whole canvas as it opens
            check_pixels(*_webp_size(file.read(30)), name, limits)
            file.seek(0)
        image = _PLUGINS[kind](file)
    except UnreadableImageError:
        raise
    except Exception as error:
        raise UnreadableImageError(name, f"its {kind} header is damaged ({error})") from error
    check_pixels(*image.size, name, limits)
    return image


def check_pixels(width: int, height: int, name: str, limits: ImageLimits) -> None:
    """Refuse an image that claims more pixels than the limit, or none."""
    if width < 1 or height < 1 or width * height > limits.pixels:
        raise UnreadableImageError(
            name, f"it claims {width:,} × {height:,} pixels (1 to {limits.pixels:,} are read)"
        )


def check_bytes(size: int, name: str, limits: ImageLimits) -> None:
    """Refuse a file larger than the limit."""
    if size > limits.bytes:
        raise UnreadableImageError(name, f"it has {size:,} bytes (at most {limits.bytes:,})")


def _header(file: BinaryIO, size: int, name: str, limits: ImageLimits) -> Header:
    head = file.read(_HEAD)
    kind = format_of(head, name)
    if kind == "JPEG":
        return _of_jpeg(file, head, size, name, limits)
    file.seek(0)
    with open_with_pillow(file, kind, name, limits) as image:
        width, height = image.size
        orientation = orientation_of(image)
        if orientation >= _FIRST_TURNED and kind != "TIFF":  # whose size Pillow gives turned
            width, height = height, width
        depth = _bit_depth(image, head)
        return Header(kind, width, height, image.mode, depth, orientation, size)


def _of_jpeg(file: BinaryIO, head: bytes, size: int, name: str, limits: ImageLimits) -> Header:
    try:
        try:
            jpeg = jpeg_header(head, name, limits)
        except EOFError:  # previews and colour profiles can fill megabytes
            jpeg = jpeg_header(head + file.read(), name, limits)
    except EOFError:
        raise UnreadableImageError(name, "it is truncated within its header") from None
    width, height = jpeg.width, jpeg.height
    if jpeg.orientation >= _FIRST_TURNED:
        width, height = height, width
    mode = _JPEG_MODES.get(jpeg.components, "unknown")
    return Header("JPEG", width, height, mode, jpeg.precision, jpeg.orientation, size)


def orientation_of(image: ImageFile) -> int:
    """The EXIF orientation, 1 to 8, of an image whose header Pillow has read."""
    if isinstance(image, TiffImageFile):
        value = image.tag_v2.get(_ORIENTATION_TAG)
        return value if isinstance(value, int) and 1 <= value <= 8 else 1
    exif = image.info.get("exif") or _raw_profile(image.info.get("Raw profile type exif"))
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp", "").encode()
    return exif_orientation(exif.removeprefix(EXIF)) or xmp_orientation(xmp) or 1


def _raw_profile(text: str | None) -> bytes:
    """An EXIF block as ImageMagick writes it into a PNG: hexadecimal, after three lines."""
    try:
        return bytes.fromhex("".join((text or "").split("\n")[3:]))
    except ValueError:
        return b""


def _bit_depth(image: ImageFile, head: bytes) -> int:
    if image.format == "PNG":
        return head[24]
    if isinstance(image, TiffImageFile):
        return int(image.tag_v2.get(_BITS_TAG, (1,))[0])
    return 1 if image.mode == "1" else 8


def _webp_size(head: bytes) -> tuple[int, int]:
    """Width and height (RFC 9649, sections 2.5 to 2.7)."""
    kind = head[12:16]
    if kind == b"VP8X":
        (low, high) = (int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
        return low + 1, high + 1
    if kind == b"VP8L":
        (packed,) = unpack_from("<I", head, 21)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF
