"""The formats that are read: how each is recognised, and what its header says."""

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

from convlens.data.jpeg import (
    EXIF,
    BrokenJpegError,
    JpegHeader,
    exif_orientation,
    parse_jpeg,
    xmp_orientation,
)
from convlens.data.limits import ImageLimits, UnreadableImageError, check_pixels, naming_damage

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
_ORIENTATION_TAG = 0x0112


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
    with naming_damage(name, f"{kind} header"):
        if kind == "WEBP":  # its plugin reserves the whole canvas as it opens
            check_pixels(*_webp_size(file.read(30)), name, limits)
            file.seek(0)
        image = _PLUGINS[kind](file)
    check_pixels(*image.size, name, limits)
    return image


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
