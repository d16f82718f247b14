"""The formats that are read: how each is recognized, and what its header says."""

from importlib import import_module
from io import BytesIO
from struct import error as StructError
from struct import unpack_from
from typing import BinaryIO

from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.PpmImagePlugin import PpmImageFile
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
from convlens.data.limits import (
    ImageLimits,
    UnreadableImageError,
    check_memory,
    check_pixels,
    naming_damage,
)
from convlens.data.png_chunks import check_png_chunks
from convlens.data.tiff import check_directories

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
    *((b"P%d%c" % (kind, space), "PNM") for kind in range(1, 7) for space in b" \t\r\n"),
)
READ = "JPEG, PNG, WebP, AVIF, BMP, GIF, TIFF, PPM, PGM and PBM are read, HEIC with convlens[heic]"
PLAIN_PNM = frozenset({b"P1", b"P2", b"P3"})
_BRANDS = {b"avif": "AVIF", b"avis": "AVIF"} | dict.fromkeys(
    (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), "HEIF"
)
HEAD = 64
"""Bytes by which a format is recognized; of an ISO media file, those in which its brands stand."""
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_PLUGINS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "GIF": GifImageFile,
    "WEBP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "PNM": PpmImageFile,
    "AVIF": AvifImageFile,
}
_ORIENTATION_TAG = 0x0112
_BITS_TAG, _COMPRESSION_TAG, _ROWS_TAG = 0x0102, 0x0103, 0x0116
_PNG_DEPTHS = {"1": 1, "L;2": 2, "L;4": 4, "I;16B": 16, "RGB;16B": 16, "LA;16B": 16}
_PNG_DEPTHS |= {"RGBA;16B": 16, "P;1": 1, "P;2": 2, "P;4": 4}
_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}  # all others: 4 bytes a pixel
_GRAY = frozenset({"1", "L", "I", "F", "I;16", "I;16B", "I;16L"})
_OWN = {"GIF": 1, "WEBP": 12, "TIFF": 4, "JPEG": 8, "AVIF": 9, "HEIF": 6}
"""Bytes a pixel that a decoder holds beside Pillow's image, as measured."""


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
    if head[4:8] == b"ftyp" and (branded := _branded(head)):
        return branded
    if head.startswith(_JPEG_XL):
        raise UnreadableImageError(name, f"it is a JPEG XL image ({READ}; convert it)")
    raise UnreadableImageError(name, f"it is not an image ({READ})")


def _branded(head: bytes) -> str:
    """AVIF or HEIF by the brands of an ISO media file (ISO/IEC 14496-12, section 4.3)."""
    (size,) = unpack_from(">I", head)
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, min(size, HEAD), 4))]
    kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    return "AVIF" if "AVIF" in kinds else next(iter(kinds), "")


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


def open_with_pillow(
    file: BinaryIO, kind: str, name: str, limits: ImageLimits, *, file_bytes: int
) -> ImageFile:
    """Pillow's image, its pixels not yet decoded, of a format that `format_of` named.

    The plugin is called by name: `PIL.Image.open` would try formats that we do not read, and has
    limits of its own.

    Raises:
        UnreadableImageError: its header is damaged, or over a limit.
    """
    with naming_damage(name, f"{kind} header"):
        if kind == "WEBP":  # its plugin reserves the whole canvas as it opens
            check_pixels(*webp_size(file.read(30)), name, limits)
            file.seek(0)
        if kind == "TIFF":
            check_directories(file)
        if kind == "PNG":
            check_png_chunks(file, file_bytes, name, to_pixels=not isinstance(file, BytesIO))
        image = _plugin(kind, name)(file)
    check_pixels(*image.size, name, limits)
    check_memory(_memory_to_decode(image, kind) + file_bytes, name, limits)
    return image


def _memory_to_decode(image: ImageFile, kind: str) -> int:
    """Bytes at the peak: the decoder's own, Pillow's image, a turned copy, and our array."""
    stored = _STORED.get(image.mode, 4)
    turned = stored if kind != "TIFF" and orientation_of(image) > 1 else 0
    array = 1 if image.mode in _GRAY else 3
    own = _OWN.get(kind, 0) * _share_at_once(image)
    return int(image.width * image.height * (own + stored + turned + array))


def _share_at_once(image: ImageFile) -> float:
    """The share of a picture that its decoder holds: of a TIFF a strip, or nothing."""
    if not isinstance(image, TiffImageFile):
        return 1.0
    if image.tag_v2.get(_COMPRESSION_TAG, 1) == 1:
        return 0.0
    rows = image.tag_v2.get(_ROWS_TAG, image.height)
    return min(1.0, rows / image.height) if isinstance(rows, int) else 1.0


def _plugin(kind: str, name: str) -> type[ImageFile]:
    if kind != "HEIF":
        return _PLUGINS[kind]
    try:
        plugin: type[ImageFile] = import_module("pillow_heif.as_plugin").HeifImageFile
    except ImportError:
        raise UnreadableImageError(
            name, "it is a HEIC image, which needs pillow-heif: pip install 'convlens[heic]'"
        ) from None
    return plugin


def bit_depth_of(image: ImageFile) -> int:
    """Bits a sample, of an image whose header Pillow has read."""
    if isinstance(image, TiffImageFile):
        return int(image.tag_v2.get(_BITS_TAG, (1,))[0])
    if isinstance(image, PngImageFile):  # the raw mode says what Pillow makes 8 bits of
        mode = image.tile[0].args if image.tile else image.mode
        return _PNG_DEPTHS.get(str(mode), 8)
    return 1 if image.mode == "1" else 8


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


def png_size(head: bytes) -> tuple[int, int]:
    """Width and height of a PNG (PNG specification, section 11.2.1)."""
    width, height = unpack_from(">II", head, 16)
    return width, height


def webp_size(head: bytes) -> tuple[int, int]:
    """Width and height of a WebP (RFC 9649, sections 2.5 to 2.7)."""
    kind = head[12:16]
    if kind == b"VP8X":
        (low, high) = (int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
        return low + 1, high + 1
    if kind == b"VP8L":
        (packed,) = unpack_from("<I", head, 21)
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    width, height = unpack_from("<HH", head, 26)
    return width & 0x3FFF, height & 0x3FFF
