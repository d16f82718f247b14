"""Writers of image files that write whatever is asked for, right or wrong."""

import struct
import zlib
from collections.abc import Iterable
from io import BytesIO

from PIL import Image

from tests.hostile.mutations import PNG_START, png_chunk

PIXEL = zlib.compress(bytes(4))
"""The coded data of a PNG of one pixel."""


def deflated_zeros(size: int) -> bytes:
    """What zlib makes of so many zeros, without going through them all."""
    block = 1 << 20
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(block)) + packer.flush(zlib.Z_FULL_FLUSH)
    whole, rest = divmod(size, block)
    if not whole:
        return zlib.compress(bytes(size), 9)
    last = packer.compress(bytes(rest)) + packer.flush(zlib.Z_FINISH)
    # Adler-32 (RFC 1950) of n zeros: its sums are 1 and n. `last` ends with one of fewer zeros.
    checksum = struct.pack(">I", (size % 65521) << 16 | 1)
    return first + again * (whole - 1) + last[:-4] + checksum


def png(
    width: int,
    height: int,
    *,
    depth: int = 8,
    color: int = 2,
    interlaced: bool = False,
    before: bytes = b"",
    coded: bytes = PIXEL,
) -> bytes:
    """A PNG whose coded pixels are given as they are (PNG specification, sections 5 and 11)."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    whole = png_chunk(b"IDAT", coded) + png_chunk(b"IEND", b"")
    return PNG_START + png_chunk(b"IHDR", header) + before + whole


def png_of_zeros(side: int, depth: int, color: int, samples: int) -> bytes:
    """A sound PNG of one color."""
    row = 1 + -(-side * depth * samples // 8)
    palette = png_chunk(b"PLTE", bytes(6)) + png_chunk(b"tRNS", b"\0\x80") if color == 3 else b""
    coded = deflated_zeros(row * side)
    return png(side, side, depth=depth, color=color, before=palette, coded=coded)


def interlaced_png(side: int = 8, depth: int = 8) -> bytes:
    """A sound gray PNG in Adam7's seven passes."""
    total = 0
    for start, step, row_start, row_step in (
        (0, 8, 0, 8),
        (4, 8, 0, 8),
        (0, 4, 4, 8),
        (2, 4, 0, 4),
        (0, 2, 2, 4),
        (1, 2, 0, 2),
        (0, 1, 1, 2),
    ):
        columns, rows = -(-(side - start) // step), -(-(side - row_start) // row_step)
        total += rows * (1 + -(-columns * depth // 8)) if columns > 0 and rows > 0 else 0
    return png(side, side, depth=depth, color=0, interlaced=True, coded=deflated_zeros(total))


def segment(marker: int, content: bytes) -> bytes:
    """A segment of a JPEG: marker, length, content."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(*before: bytes) -> bytes:
    """A sound JPEG with segments put in behind its beginning."""
    file = BytesIO()
    Image.new("RGB", (16, 16), (9, 99, 199)).save(file, "JPEG")
    whole = file.getvalue()
    return whole[:2] + b"".join(before) + whole[2:]


def jpeg_frame(
    marker: int, side: int, *, components: int = 1, precision: int = 8, after: bytes = b""
) -> bytes:
    """A JPEG of a frame header, and what follows it (ITU-T T.81, B.2.2)."""
    parts = b"".join(bytes((number + 1, 0x11, 0)) for number in range(components))
    frame = segment(marker, struct.pack(">BHHB", precision, side, side, components) + parts)
    return b"\xff\xd8" + frame + after + b"\xff\xd9"


def progressive_jpeg(side: int, scans: int) -> bytes:
    """Scans of nothing but "no more coefficients", 32,767 blocks a code (ITU-T T.81, G.1.2.2)."""
    tables = segment(0xDB, b"\0" + b"\1" * 64)
    tables += segment(0xC4, bytes((0x00, 1, *[0] * 15, 0)))  # one code, of one bit: no difference
    tables += segment(0xC4, bytes((0x10, 1, *[0] * 15, 0xE0)))  # one code: 2^14 blocks and more
    blocks = (-(-side // 8)) ** 2
    first = segment(0xDA, bytes((1, 1, 0x00, 0, 0, 0))) + bytes(-(-blocks // 8))
    bits = "0" + "1" * 14  # the last of them may promise more blocks than there are
    bits *= -(-blocks // 32767)
    bits += "1" * (-len(bits) % 8)
    coded = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    scan = segment(0xDA, bytes((1, 1, 0x00, 1, 63, 0))) + coded
    return jpeg_frame(0xC2, side, after=tables + first + scan * scans)


def exif_loop(times: int) -> bytes:
    """EXIF whose every directory leads to itself, with entries that claim 2^32 - 1 values."""
    tags = b"".join(
        struct.pack("<HHII", tag, 4, count, 8)
        for tag, count in ((0x8769, 1), (0x8825, 1), (0x010E, 0xFFFFFFFF), (0x014A, 0xFFFFFFFF))
    )
    return b"II*\0\x08\0\0\0" + struct.pack("<H", 4 * times) + tags * times + b"\x08\0\0\0"


def gif(width: int, height: int, *frames: bytes) -> bytes:
    """A GIF of two colors."""
    start = struct.pack("<6sHHBBB", b"GIF89a", width, height, 0x80, 0, 0) + bytes(6)
    return start + b"".join(frames) + b";"


def gif_frame(width: int, height: int, coded: bytes, at: int = 0) -> bytes:
    """A frame, its coded pixels in blocks of 255 bytes (GIF89a, section 20)."""
    blocks = (coded[start : start + 255] for start in range(0, len(coded), 255))
    packed = b"".join(bytes([len(block)]) + block for block in blocks)
    return struct.pack("<BHHHHBB", 0x2C, at, at, width, height, 0, 2) + packed + b"\0"


def lzw_zeros(size: int) -> bytes:
    """Codes for so many zeros, each for a longer run than the last (GIF89a, appendix F)."""
    codes, length, code = [(4, 3), (0, 3)], 1, 6
    left, width = size - 1, 3
    while left > 0:
        length = min(length + 1, left) if code <= 4095 else min(length, left)
        # A run of n is the code 4 + n from 2 on: 6 is the first, made by the one before it.
        codes.append((4 + length if length > 1 else 0, width))
        left -= length
        code += code <= 4095
        if code == 1 << width and width < 12:
            width += 1
    codes.append((5, width))
    text = "".join(f"{number:0{bits}b}"[::-1] for number, bits in codes)
    text += "0" * (-len(text) % 8)
    return int(text[::-1], 2).to_bytes(len(text) // 8, "little")


def bmp(
    width: int, height: int, bits: int, *, packing: int = 0, colors: int = 0, coded: bytes = b""
) -> bytes:
    """A BMP with a BITMAPINFOHEADER."""
    palette = bytes(1024) if bits <= 8 else b""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, packing, 0, 0, 0, colors, 0)
    start = struct.pack("<2sIHHI", b"BM", 0, 0, 0, 54 + len(palette))
    return start + info + palette + coded


def run_length_bmp(side: int) -> bytes:
    """A sound BMP of zeros in runs of at most 255 bytes that end with their row."""
    runs = [255] * (side // 255) + [side % 255] * (side % 255 > 0)
    row = b"".join(bytes((run, 0)) for run in runs)
    return bmp(side, side, 8, packing=1, coded=(row + b"\0\0") * side + b"\0\1")


def tiff(entries: Iterable[tuple[int, int, int, int]], *, following: int = 0) -> bytes:
    """A little-endian TIFF of one directory: tag, type, count, value or offset."""
    tags = [struct.pack("<HHII", *entry) for entry in entries]
    start = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags) & 0xFFFF)
    return start + b"".join(tags) + struct.pack("<I", following)


def tiff_image(width: int, height: int, *, packing: int, coded: bytes, **more: int) -> bytes:
    """A TIFF of one strip; ``more`` gives ``bits``, ``samples``, ``rows``, ``following``."""
    values = {
        256: width,
        257: height,
        258: more.get("bits", 8),
        259: packing,
        262: 2 if more.get("samples") == 3 else 1,  # RGB, or gray
        273: 8 + 2 + 9 * 12 + 4,  # where the strip begins
        277: more.get("samples", 1),
        278: more.get("rows", height),
        279: len(coded),
    }
    following = more.get("following", 0)
    return tiff(((tag, 4, 1, value) for tag, value in values.items()), following=following) + coded


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of chunks (RFC 9649, section 2.3)."""
    body = b"".join(
        kind + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
        for kind, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_of_one_color(side: int) -> bytes:
    """A VP8L image whose five codes have one symbol each: its pixels take no bits at all."""
    bits, at = (side - 1) | (side - 1) << 14, 32  # 28 bits of size, 1 of alpha, 3 of version
    at += 3  # no transform, no color cache, no groups of codes
    for _ in range(5):
        bits |= 1 << at  # a simple code, of one symbol, of one bit: 0
        at += 4
    return webp((b"VP8L", b"\x2f" + bits.to_bytes(at // 8 + 9, "little")))


def webp_canvas(side: int, *more: tuple[bytes, bytes]) -> bytes:
    """An animated WebP with a canvas of this size."""
    size = (side - 1).to_bytes(3, "little") * 2
    return webp((b"VP8X", b"\x02\0\0\0" + size), (b"ANIM", bytes(6)), *more)


def avif(side: int) -> bytes:
    """A small AVIF that claims another size in its ``ispe`` box (ISO/IEC 23008-12, 6.5.3)."""
    file = BytesIO()
    try:
        Image.new("RGB", (16, 16)).save(file, "AVIF")
    except (KeyError, OSError):  # this Pillow writes none; what its beginning says is left
        return b"\0\0\0\x1cftypavif" + bytes(100)
    data = file.getvalue()
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", side, side) + data[at + 8 :]
