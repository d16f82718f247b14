"""Small image files that ask for much: memory, time, or recursion."""

import struct
from collections.abc import Callable, Mapping

from tests.hostile.formats import (
    avif,
    bmp,
    deflated_zeros,
    exif_loop,
    gif,
    gif_frame,
    interlaced_png,
    jpeg,
    jpeg_frame,
    lzw_zeros,
    png,
    png_of_zeros,
    progressive_jpeg,
    run_length_bmp,
    segment,
    tiff,
    tiff_image,
    webp,
    webp_canvas,
    webp_of_one_color,
)
from tests.hostile.mutations import png_chunk

Bombs = Mapping[str, Callable[[], bytes]]

SIDE = 14_000
"""As large as is just within the limit of 200 million pixels."""


def sound_bombs(side: int = SIDE) -> Bombs:
    """Valid files of this many rows and columns, all of one color: what they ask for is their size.

    The beginning of a name, up to a hyphen, is the suffix.
    """
    return {
        "png-palette-transparency": lambda: png_of_zeros(side, 1, 3, 1),
        "png-palette-8": lambda: png_of_zeros(side, 8, 3, 1),
        "png-16-bits": lambda: png_of_zeros(side, 16, 0, 1),
        "png-16-bits-alpha": lambda: png_of_zeros(side, 16, 6, 4),
        "png-rgb": lambda: png_of_zeros(side, 8, 2, 3),
        "png-interlaced": lambda: interlaced_png(side, 1),
        "jpg-a-thousand-scans": lambda: progressive_jpeg(side, 1000),
        "gif-zeros": lambda: gif(side, side, gif_frame(side, side, lzw_zeros(side**2))),
        "tif-zeros": lambda: tiff_image(side, side, packing=8, coded=deflated_zeros(side**2)),
        "tif-rgb": lambda: tiff_image(
            side, side, packing=8, samples=3, coded=deflated_zeros(3 * side**2)
        ),
        "webp-one-color": lambda: webp_of_one_color(side),
        "pgm-zeros": lambda: b"P5 %d %d 255\n" % (side, side) + bytes(side**2),
        "bmp-run-length": lambda: run_length_bmp(side),
    }


def _text(kind: bytes, start: bytes, times: int) -> bytes:
    chunk = png_chunk(kind, start + deflated_zeros(1 << 28))
    return png(1, 1, before=chunk * times)


def _frames() -> bytes:
    control = png_chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0))
    return png(1, 1, before=png_chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)) + control * 20_000)


def _profile() -> bytes:
    parts = (bytes((number, 255)) + bytes(65_000) for number in range(1, 256))
    return jpeg(*(segment(0xE2, b"ICC_PROFILE\0" + part) for part in parts))


_XMP = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<tiff:Orientation" * 3700)

_LIES: Bombs = {
    "png-more-data-than-pixels": lambda: png(10, 10, coded=deflated_zeros(1 << 30)),
    "png-claims-all": lambda: png(2**31 - 1, 2**31 - 1),
    "png-claims-a-line": lambda: png(2**31 - 1, 1, depth=16, color=6),
    "png-no-data": lambda: png(SIDE, SIDE, depth=16, color=6, coded=b""),
    "png-ztxt": lambda: _text(b"zTXt", b"comment\0\0", 20),
    "png-itxt": lambda: _text(b"iTXt", b"comment\0\1\0\0\0", 20),
    "png-iccp": lambda: _text(b"iCCP", b"profile\0\0", 3),
    "png-frames": _frames,
    "png-a-million-chunks": lambda: png(1, 1, before=png_chunk(b"teXt", b"") * 1_000_000),
    "png-long-chunk": lambda: png(1, 1)[:-12] + b"\xff\xff\xff\xffIDAT",
    "png-exif-loop": lambda: png(1, 1, before=png_chunk(b"eXIf", exif_loop(2000))),
    "png-raw-profile": lambda: png(
        1, 1, before=png_chunk(b"tEXt", b"Raw profile type exif\0\n\n\n" + b"4d" * 2**20)
    ),
    "jpg-claims-all": lambda: jpeg_frame(0xC0, 65535, components=3),
    "jpg-no-data": lambda: jpeg_frame(0xC2, SIDE, components=4),
    "jpg-255-components": lambda: jpeg_frame(0xC0, 100, components=255),
    "jpg-12-bits": lambda: jpeg_frame(0xC1, SIDE, components=3, precision=12),
    "jpg-arithmetic": lambda: jpeg_frame(0xC9, SIDE, components=3),
    "jpg-a-million-comments": lambda: jpeg(segment(0xFE, b"") * 1_000_000),
    "jpg-endless-fill": lambda: jpeg(b"\xff" * 20_000_000),
    "jpg-exif-loop": lambda: jpeg(segment(0xE1, b"Exif\0\0" + exif_loop(1000))),
    "jpg-xmp": lambda: jpeg(_XMP * 200),
    "jpg-profile": _profile,
    "gif-canvas": lambda: gif(65535, 65535, gif_frame(1, 1, lzw_zeros(1))),
    "gif-frames": lambda: gif(1, 1, gif_frame(1, 1, lzw_zeros(1)) * 200_000),
    "gif-frame-outside": lambda: gif(1, 1, gif_frame(65535, 65535, lzw_zeros(9), 65535)),
    "gif-comments": lambda: gif(1, 1, b"!\xfe" + b"\xff" * 256 * 40_000 + b"\0"),
    "bmp-long-row": lambda: bmp(70_000_000, 1, 32, coded=bytes(1000)),
    "bmp-tall": lambda: bmp(1, -(2**31), 24, coded=bytes(1000)),
    "bmp-no-data": lambda: bmp(SIDE, SIDE, 32, packing=3, coded=bytes(12)),
    "bmp-palette": lambda: bmp(10, 10, 8, colors=2**32 - 1),
    "bmp-jumps": lambda: bmp(SIDE, SIDE, 8, packing=1, coded=b"\0\2\xff\xff" * 1_000_000),
    "tif-directory-loop": lambda: tiff_image(1, 1, packing=1, coded=b"\0", following=8),
    "tif-many-values": lambda: tiff((tag, 4, 2**32 - 1, 0) for tag in (256, 257, 273, 279)),
    "tif-many-tags": lambda: tiff((tag, 4, 1, 1) for tag in range(65535)),
    "tif-no-strips": lambda: tiff([(256, 4, 1, 1), (257, 4, 1, 1), (273, 4, 2**28, 0)]),
    "tif-65535-samples": lambda: tiff_image(9, 9, packing=1, samples=65535, coded=bytes(81)),
    "tif-64-bits": lambda: tiff_image(99, 99, packing=1, bits=64, coded=bytes(81)),
    "tif-one-row-strips": lambda: tiff_image(1, SIDE, packing=5, rows=1, coded=bytes(9)),
    "tif-bad-jpeg": lambda: tiff_image(16, 16, packing=7, coded=b"\xff\xd8\xff\xdb" + bytes(60)),
    "tif-big": lambda: b"II+\0\x08\0\0\0" + struct.pack("<QQ", 2**64 - 1, 2**64 - 1) + bytes(64),
    "webp-canvas": lambda: webp_canvas(1 << 24),
    "webp-animated-canvas": lambda: webp_canvas(SIDE, (b"ANMF", bytes(24))),
    "webp-long-chunk": lambda: b"RIFF\xff\xff\xff\xffWEBPVP8X\xff\xff\xff\xff" + bytes(40),
    "webp-profile": lambda: webp_canvas(16, (b"ICCP", bytes(1 << 24)), (b"EXIF", exif_loop(9999))),
    "webp-chunks": lambda: webp(*[(b"XXXX", b"")] * 1_000_000),
    "avif-claims-all": lambda: avif(65535),
    "avif-claims-much": lambda: avif(SIDE),
    "ppm-no-data": lambda: b"P6 %d %d 255\n" % (SIDE, SIDE),
    "ppm-claims-all": lambda: b"P6 99999999999999999999 1 255\n",
    "ppm-long-number": lambda: b"P3 " + b"1" * 5_000_000,
    "ppm-comments": lambda: b"P6 " + b"#\n" * 3_000_000 + b"1 1 255\n\0\0\0",
    "ppm-text": lambda: b"P3 4000 4000 255\n" + b"0 " * 20_000_000,
    "pgm-16-bits": lambda: b"P5 %d %d 65535\n" % (SIDE, SIDE) + bytes(1000),
}

BOMBS: Bombs = {**sound_bombs(), **_LIES}
