"""The user's own images, to be looked at."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.data import decode
from convlens.inspection.images import MOST_IMAGES, read_gray, read_images, short_names

SPEC = InputSpec(height=12, width=16)


class Warned(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, text: str) -> None:
        self.lines.append(text)


def _photo(path: Path, height: int = 20, width: int = 30) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(path.name)).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_images_are_what_the_network_is_fed(tmp_path: Path) -> None:
    paths = [_photo(tmp_path / "été" / "猫.png"), _photo(tmp_path / "b.png", 40, 16)]
    found = read_images(paths, SPEC, Quiet())
    assert found.names == ("猫.png", "b.png")
    for image, path in zip(found.pixels, paths, strict=True):
        np.testing.assert_array_equal(image, decode(path, SPEC))
    alone = read_images(str(paths[0]), SPEC, Quiet())
    np.testing.assert_array_equal(alone.pixels, found.pixels[:1])
    folder = read_images(tmp_path / "été", SPEC, Quiet())
    np.testing.assert_array_equal(folder.pixels, found.pixels[:1])


def test_arrays_are_images_too() -> None:
    arrays = np.random.default_rng(0).integers(0, 256, (2, 12, 16, 3), np.uint8)
    found = read_images(arrays, SPEC, Quiet())
    np.testing.assert_array_equal(found.pixels, arrays)
    assert found.names == ("image 0", "image 1")
    gray = read_images(arrays[..., 0], SPEC.model_copy(), Quiet())
    assert gray.pixels.shape == (2, 12, 16, 3)


def test_what_cannot_be_read_is_named_and_left_out(tmp_path: Path) -> None:
    good = _photo(tmp_path / "good.png")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"nothing like an image")
    warned = Warned()
    found = read_images([bad, good], SPEC, warned)
    assert found.names == ("good.png",)
    assert len(warned.lines) == 1
    assert "bad.png" in warned.lines[0]
    with pytest.raises(ConvlensError, match=r"bad\.png"):
        read_images([bad], SPEC, Quiet())


def test_too_many_images_do_not_fit_side_by_side(tmp_path: Path) -> None:
    arrays = np.zeros((MOST_IMAGES + 1, 12, 16, 3), np.uint8)
    with pytest.raises(ConvlensError, match=f"name {MOST_IMAGES} at most"):
        read_images(arrays, SPEC, Quiet())
    paths = [_photo(tmp_path / "a.png")] * (MOST_IMAGES + 1)
    with pytest.raises(ConvlensError, match=f"{MOST_IMAGES + 1} images"):
        read_images(paths, SPEC, Quiet())


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["a.png"], ("a.png",)),
        (["x/1.png", "y/2.png"], ("1.png", "2.png")),
        (["p/x/1.png", "q/x/1.png", "q/y/1.png"], ("p/x/1.png", "q/x/1.png", "q/y/1.png")),
        (["1.png", "x/1.png"], ("1.png", "x/1.png")),
        (["x/1.png", "x/1.png"], ("1.png", "1.png")),
        ([], ()),
    ],
)
def test_names_are_as_short_as_tells_them_apart(paths: list[str], names: tuple[str, ...]) -> None:
    assert short_names(paths) == names


def test_a_gray_image_keeps_its_shape(tmp_path: Path) -> None:
    path = _photo(tmp_path / "a.png", 20, 30)
    assert read_gray(path, longest=224).shape == (20, 30)
    assert read_gray(path, longest=15).shape == (10, 15)
    levels = np.array([[0, 128], [255, 3]], np.uint8)
    Image.fromarray(levels).save(tmp_path / "g.png")
    np.testing.assert_array_equal(read_gray(tmp_path / "g.png", longest=9), levels)
    with pytest.raises(ConvlensError, match=r"nope\.png"):
        read_gray(tmp_path / "nope.png", longest=9)


def test_pictures_and_single_images_are_read() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    spec = InputSpec(height=8, width=8)
    picture = Image.fromarray(pixels)
    for given in (picture, pixels, [picture], pixels[None].transpose(0, 3, 1, 2)):
        found = read_images(given, spec, Quiet())
        assert (found.pixels == pixels).all()
        assert found.names == ("image 0",)
