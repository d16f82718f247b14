import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convlens.data import Header, ImageLimits, UnreadableImageError, read_header

STARTS = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*"]


def encoded(kind: str, mode: str = "RGB", size: tuple[int, int] = (40, 30), **how: object) -> bytes:
    file = BytesIO()
    Image.new("L", size, 90).convert(mode).save(file, kind, **how)
    return file.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded("JPEG"), ("JPEG", "RGB", 3, 8)),
        (encoded("JPEG", "L"), ("JPEG", "L", 1, 8)),
        (encoded("JPEG", "CMYK"), ("JPEG", "CMYK", 4, 8)),
        (encoded("PNG"), ("PNG", "RGB", 3, 8)),
        (encoded("PNG", "RGBA"), ("PNG", "RGBA", 4, 8)),
        (encoded("PNG", "LA"), ("PNG", "LA", 2, 8)),
        (encoded("PNG", "I;16"), ("PNG", "I;16", 1, 16)),
        (encoded("PNG", "1"), ("PNG", "1", 1, 1)),
        (encoded("PNG", "P"), ("PNG", "P", 3, 8)),
        (encoded("GIF"), ("GIF", "P", 3, 8)),
        (encoded("BMP"), ("BMP", "RGB", 3, 8)),
        (encoded("WEBP"), ("WEBP", "RGB", 3, 8)),
        (encoded("TIFF"), ("TIFF", "RGB", 3, 8)),
        (encoded("TIFF", "I;16"), ("TIFF", "I;16", 1, 16)),
    ],
)
def test_each_format(data: bytes, expected: tuple[str, str, int, int]) -> None:
    header = read_header(data)
    found = header.format, header.mode, header.channels, header.bit_depth
    if expected[0] == "GIF":  # one of one gray may be stored as gray or with a palette
        found = (found[0], "P", 3, found[3])
    assert found == expected
    assert (header.width, header.height) == (40, 30)
    assert (header.orientation, header.file_bytes) == (1, len(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_size_is_as_the_picture_is_to_be_seen(kind: str, orientation: int) -> None:
    header = read_header(encoded(kind, exif=turned(orientation)))
    assert header.orientation == orientation
    assert (header.width, header.height) == ((30, 40) if orientation > 4 else (40, 30))


def test_a_file_says_the_same_as_its_bytes(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"):
        data = encoded(kind)
        file = tmp_path / "bïld 像"  # the name tells nothing of the format
        file.write_bytes(data)
        assert read_header(file) == read_header(str(file)) == read_header(data)


def test_a_preview_larger_than_what_is_read_first() -> None:
    exif = b"Exif\0\0" + turned(6).tobytes()[6:] + bytes(40_000)
    data = encoded("JPEG", exif=exif, icc_profile=bytes(200_000))
    header = read_header(data)
    assert (header.width, header.height, header.orientation) == (30, 40, 6)


def claims_50000(kind: str) -> bytes:
    """A small file whose header claims 50,000 × 50,000 pixels (16,384 × 16,384 for WebP)."""
    data = bytearray(
        encoded(kind, lossless=True, exif=turned(1)) if kind == "WEBP" else encoded(kind)
    )
    side = 50_000
    if kind == "PNG":
        data[16:24] = struct.pack(">II", side, side)
        data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    elif kind == "JPEG":
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", side, side)
    elif kind == "GIF":
        data[6:10] = struct.pack("<HH", side, side)
    elif kind == "BMP":
        data[18:26] = struct.pack("<ii", side, side)
    elif kind == "WEBP":
        assert data[12:16] == b"VP8X"
        data[24:30] = (16_383).to_bytes(3, "little") * 2
    else:
        for tag in (256, 257):
            entry = struct.pack("<HHI", tag, 3 if tag < 256 else 4, 1)
            at = data.find(entry)
            if at < 0:
                at = data.index(struct.pack("<HHI", tag, 3, 1))
                data[at + 2 : at + 4] = struct.pack("<H", 4)
            data[at + 8 : at + 12] = struct.pack("<I", side)
    return bytes(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
def test_an_image_that_claims_too_many_pixels_is_refused_unseen(kind: str) -> None:
    with pytest.raises(UnreadableImageError) as raised:
        read_header(claims_50000(kind))
    side = "16,384" if kind == "WEBP" else "50,000"
    assert f"it claims {side} × {side} pixels" in raised.value.reason
    assert raised.value.exit_status == 2


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF"])
def test_a_size_between_pillows_limits_and_ours_is_read_without_a_warning(kind: str) -> None:
    data = bytearray(claims_50000(kind))
    with pytest.raises(UnreadableImageError):
        read_header(bytes(data))
    limits = ImageLimits(pixels=2_500_000_000, memory=40_000_000_000)
    assert read_header(bytes(data), limits=limits).width == 50_000


def test_limits_can_be_set() -> None:
    data = encoded("PNG")
    with pytest.raises(UnreadableImageError, match=r"it claims 40 × 30 pixels \(1 to 1,000 are"):
        read_header(data, limits=ImageLimits(pixels=1000))
    with pytest.raises(UnreadableImageError, match=r"bytes \(at most 10\)"):
        read_header(data, limits=ImageLimits(bytes=10))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"hello", "it is not an image"),
        (b"RIFF\0\0\0\0WAVE", "it is not an image"),
        (b"\xff\x0a" + bytes(20), "it is a JPEG XL image"),
        (encoded("JPEG")[:100], "it is truncated within its header"),
        (b"\xff\xd8\xff\xe0\0\x01", "its header is damaged"),
        (encoded("PNG")[:20], "its PNG header is damaged"),
    ],
)
def test_what_is_no_image(content: bytes, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(content)
    with pytest.raises(UnreadableImageError) as raised:
        read_header(file)
    assert reason in raised.value.reason
    assert str(raised.value).startswith(f"cannot read {file}: ")


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, reason in {
        tmp_path / "missing.jpg": "no such file",
        tmp_path: "it is not a file",
        tmp_path / "a\0b": "null",
    }.items():
        with pytest.raises(UnreadableImageError) as raised:
            read_header(path)
        assert reason in raised.value.reason


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(UnreadableImageError, match="not a file"):
        read_header(tmp_path / "pipe.jpg")


def test_a_file_that_may_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_image: Callable[..., Path]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    file = write_image(tmp_path / "a.png")
    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(UnreadableImageError, match="permission denied"):
        read_header(file)


@given(start=st.sampled_from(STARTS), noise=st.binary(max_size=300))
def test_hostile_bytes_are_refused_and_never_crash(start: bytes, noise: bytes) -> None:
    with suppress(UnreadableImageError):
        assert isinstance(read_header(start + noise), Header)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF"])
@given(at=st.integers(0, 400), value=st.integers(0, 255))
def test_one_damaged_byte_is_refused_or_survived(kind: str, at: int, value: int) -> None:
    data = bytearray(encoded(kind))
    data[at % len(data)] = value
    with suppress(UnreadableImageError):
        header = read_header(bytes(data))
        assert 0 < header.width * header.height <= ImageLimits().pixels


def test_headers_of_many_files_are_small() -> None:
    header = read_header(encoded("JPEG"))
    assert not hasattr(header, "__dict__")


def test_pixels_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("decoded")

    data = [encoded(kind) for kind in ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")]
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", fail)
    assert {read_header(file).width for file in data} == {40}
