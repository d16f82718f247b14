"""Formats beside the usual six."""

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.data import UnreadableImageError, decode, find_images, read_header

RAMP = np.stack([np.tile(np.linspace(0, 255, 48).astype(np.uint8), (32, 1))] * 3, axis=2)
SPEC = InputSpec(height=32, width=48)


def saved(kind: str, image: Image.Image, **how: object) -> bytes:
    image.save(file := BytesIO(), kind, **how)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "1"])
def test_ppm_pgm_and_pbm(mode: str) -> None:
    image = Image.fromarray(RAMP).convert(mode)
    data = saved("PPM", image)
    assert (decode(data, SPEC) == np.asarray(image.convert("RGB"))).all()
    header = read_header(data)
    assert (header.format, header.width, header.height) == ("PNM", 48, 32)


def test_the_plain_forms_of_pnm() -> None:
    text = b"P2\n# a comment\n4 4 15\n" + b"0 5 10 15 " * 4
    pixels = decode(text, InputSpec(height=4, width=4, channels=1))
    assert pixels[0, :, 0].tolist() == [0, 85, 170, 255]


def test_a_pgm_of_12_bits_is_scaled_by_its_own_header() -> None:
    values = np.tile(np.linspace(0, 4_095, 8).astype(">u2"), (8, 1))
    data = b"P5 8 8 4095\n" + values.tobytes()
    pixels = decode(data, InputSpec(height=8, width=8, channels=1))[0, :, 0]
    assert (np.abs(pixels - values[0] * (255 / 4_095)) <= 1).all()


def test_avif() -> None:
    data = saved("AVIF", Image.fromarray(RAMP), quality=95)
    assert read_header(data).format == "AVIF"
    assert np.abs(decode(data, SPEC).astype(int) - RAMP).max() < 12


def test_a_turned_avif_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved("AVIF", Image.fromarray(RAMP), quality=95, exif=exif)
    header = read_header(data)
    assert (header.width, header.height) == (32, 48)
    pixels = decode(data, InputSpec(height=48, width=32)).astype(int)
    assert np.abs(pixels - np.rot90(RAMP, -1)).max() < 12


def test_heic_or_the_extra_that_reads_it() -> None:
    if find_spec("pillow_heif") is None:
        heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
        for read in (read_header, lambda data: decode(data, SPEC)):
            with pytest.raises(UnreadableImageError, match=r"pip install 'convlens\[heic\]'"):
                read(heic)
        pytest.skip("pillow-heif is not installed: that HEIC is named as what it is was tested")
    import pillow_heif

    pillow_heif.register_heif_opener()
    data = saved("HEIF", Image.fromarray(RAMP), quality=95)
    assert read_header(data).format == "HEIF"
    assert np.abs(decode(data, SPEC).astype(int) - RAMP).max() < 16


def test_jpeg_xl_is_named() -> None:
    with pytest.raises(UnreadableImageError, match="JPEG XL"):
        read_header(b"\xff\x0a" + bytes(30))


def test_new_suffixes_are_found_and_so_are_files_without_one(tmp_path: Path) -> None:
    image = Image.fromarray(RAMP)
    for name, kind in {
        "a.ppm": "PPM",
        "b.pgm": "PPM",
        "c.avif": "AVIF",
        "d": "PPM",
        "e": "AVIF",
    }.items():
        (tmp_path / name).write_bytes(saved(kind, image))
    (tmp_path / "f").write_text("Photographs of the summer")
    found, skipped = find_images([tmp_path], Quiet())
    assert [Path(path).name for path in found] == ["a.ppm", "b.pgm", "c.avif", "d", "e"]
    assert [Path(file.path).name for file in skipped] == ["f"]


@pytest.mark.parametrize("kind", ["PPM", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_truncated_files_are_refused(kind: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    data = saved(kind, Image.fromarray(noise))
    with pytest.raises(UnreadableImageError):
        decode(data[: int(len(data) * share)], SPEC)
