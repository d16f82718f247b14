"""16-bit images of which not all bits are in use."""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import convlens
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.data import UnreadableImageError, decode, open_source, read_pixels, value_range
from convlens.prediction import load_bundle

SPEC = InputSpec(height=8, width=8, channels=1)


def saved(values: np.ndarray, kind: str = "PNG", **how: object) -> bytes:
    Image.fromarray(values).save(file := BytesIO(), kind, **how)
    return file.getvalue()


def spec(bits: int, channels: int = 1) -> InputSpec:
    return InputSpec(height=8, width=8, channels=channels, value_bits=bits)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("how", [{"kind": "PNG"}, {"kind": "TIFF"},
                                 {"kind": "TIFF", "compression": "tiff_lzw"}])  # fmt: skip
def test_white_is_the_largest_value_of_the_bits_in_use(bits: int, how: dict[str, str]) -> None:
    white = (1 << bits) - 1
    values = np.tile(np.linspace(0, white, 8).astype(np.uint16), (8, 1))
    pixels = decode(saved(values, **how), spec(bits))[..., 0]
    assert (np.abs(pixels.astype(float) - values * (255 / white)) <= 0.51).all()


def test_values_above_are_white() -> None:
    assert (decode(saved(np.full((8, 8), 5_000, np.uint16)), spec(12)) == 255).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bits_a_color_are_scaled_too(tmp_path: Path, suffix: str) -> None:
    values = np.random.default_rng(0).integers(0, 4_096, (8, 8, 3), np.uint16)
    file = str(tmp_path / f"a{suffix}")
    assert cv2.imwrite(file, values[..., ::-1])
    pixels = decode(file, spec(12, channels=3))
    assert (np.abs(pixels.astype(float) - values * (255 / 4_095)) <= 0.51).all()


def test_transparent_16_bit_colors_lie_over_white(tmp_path: Path) -> None:
    values = np.zeros((8, 8, 4), np.uint16)
    values[:4, :, 3] = 65_535
    file = str(tmp_path / "a.png")
    assert cv2.imwrite(file, values)
    pixels = decode(file, spec(12, channels=3))
    assert (pixels[:4] == 0).all()
    assert (pixels[4:] == 255).all()


def write(folder: Path, largest: int, count: int = 6) -> list[str]:
    draws = np.random.default_rng(largest)
    paths = []
    for number in range(count):
        path = folder / ("dim" if number % 2 else "bright") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = draws.integers(0, largest // (1 + number % 2), (40, 40)).astype(np.uint16)
        values[0, 0] = largest if number == 0 else 0
        Image.fromarray(values).save(path)
        paths.append(str(path))
    return paths


@pytest.mark.parametrize(
    ("largest", "bits"),
    [(255, 8), (1_023, 10), (1_024, 12), (4_095, 12), (16_000, 14), (60_000, 16)],
)
def test_the_range_is_that_of_all_images_together(tmp_path: Path, largest: int, bits: int) -> None:
    found = value_range(write(tmp_path, largest))
    assert found is not None
    assert (found.bits, found.largest, found.images) == (bits, largest, 6)


def test_8_bit_and_damaged_files_say_nothing_of_it(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(saved(np.arange(64, dtype=np.uint16).reshape(8, 8) * 999)[:70])
    (tmp_path / "c.png").write_bytes(b"nothing")
    assert value_range([str(tmp_path / name) for name in ("a.png", "b.png", "c.png", "d")]) is None


def test_a_run_scales_all_images_alike_says_so_and_its_bundle_keeps_it(tmp_path: Path) -> None:
    paths = write(tmp_path / "images", 4_095, count=12)
    checked = convlens.check(str(tmp_path / "images"), measure=False, quiet=True)
    codes = {finding.code: finding for finding in checked.findings}
    assert not {"blank", "dark"} & codes.keys()
    assert "4,095 is white" in codes["few-bits"].message
    run = convlens.train(
        str(tmp_path / "images"), model="simple", epochs=1, out=tmp_path / "run", quiet=True
    )
    assert run.recipe.input.value_bits == 12
    assert load_bundle(run.bundle).input_spec.value_bits == 12
    kept = convlens.train(
        str(tmp_path / "images"),
        model="simple",
        epochs=1,
        out=tmp_path / "wide",
        quiet=True,
        settings=["input.value_bits=16"],
    )
    assert kept.recipe.input.value_bits == 16
    assert len(convlens.load(run.bundle).predict(paths)) == 12


def test_the_cache_tells_the_scales_apart(tmp_path: Path) -> None:
    write(tmp_path / "images", 4_095)
    images = open_source(tmp_path / "images", reporter=Quiet())
    numbers = np.arange(len(images))
    narrow, wide = (
        read_pixels(images, numbers, spec(bits), reporter=Quiet()).array for bits in (12, 16)
    )
    assert narrow.max() > 100
    assert wide.max() < 16


def test_what_opencv_says_of_damage_is_not_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    values = np.random.default_rng(0).integers(0, 4_096, (40, 40, 3), np.uint16)
    file = tmp_path / "a.png"
    assert cv2.imwrite(str(file), values)
    data = bytearray(file.read_bytes())
    data[200:260] = bytes(60)
    with pytest.raises(UnreadableImageError):
        decode(bytes(data), spec(12, channels=3))
    assert capfd.readouterr() == ("", "")
