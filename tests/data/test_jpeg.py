from contextlib import suppress
from io import BytesIO
from struct import error as StructError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convlens.data.jpeg import (
    BrokenJpegError,
    exif_orientation,
    parse_jpeg,
    xmp_orientation,
)


def jpeg(mode: str = "RGB", size: tuple[int, int] = (40, 24), **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels[..., :3]).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


KINDS = {
    "baseline": jpeg(),
    "gray": jpeg("L"),
    "cmyk": jpeg("CMYK"),
    "progressive": jpeg(progressive=True),
    "restart markers": jpeg(restart_marker_blocks=2),
    "full chroma": jpeg(subsampling=0, quality=98),
    "a preview of its own": jpeg(exif=b"Exif\0\0" + jpeg(size=(8, 8))),
}


@pytest.mark.parametrize("data", KINDS.values(), ids=KINDS)
def test_header_says_what_pillow_says(data: bytes) -> None:
    header = parse_jpeg(data)
    with Image.open(BytesIO(data)) as image:
        assert (header.width, header.height) == image.size
        assert header.components == len(image.getbands())
    assert header.precision == 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_in_exif(orientation: int, order: str) -> None:
    exif = Image.Exif()
    exif.endian = order
    exif[0x010F] = "a maker"
    exif[0x0112] = orientation
    assert parse_jpeg(jpeg(exif=exif)).orientation == orientation


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_counts_for_nothing(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert parse_jpeg(jpeg(exif=exif)).orientation == 1


def test_orientation_in_xmp_counts_where_exif_has_none() -> None:
    packet = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    assert xmp_orientation(packet) == 6
    assert xmp_orientation(b"<tiff:Orientation>8</tiff:Orientation>") == 8
    assert parse_jpeg(jpeg(xmp=packet)).orientation == 6
    exif = Image.Exif()
    exif[0x0112] = 3
    assert parse_jpeg(jpeg(xmp=packet, exif=exif)).orientation == 3


def test_fill_bytes_before_a_marker_are_passed_over() -> None:
    data = jpeg()
    padded = data[:2] + b"\xff\xff\xff" + data[2:]
    assert parse_jpeg(padded).width == parse_jpeg(data).width


@given(st.binary(max_size=200))
def test_any_bytes_either_parse_or_raise_what_is_announced(noise: bytes) -> None:
    with suppress(BrokenJpegError, IndexError, StructError):
        assert parse_jpeg(b"\xff\xd8" + noise).components >= 0


@given(st.binary(max_size=64), st.sampled_from([b"II*\0", b"MM\0*", b""]))
def test_any_exif_block_has_an_orientation_or_none(noise: bytes, start: bytes) -> None:
    assert 0 <= exif_orientation(start + noise) <= 8
