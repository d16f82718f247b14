"""A window sliding over an image, standing still and moving."""

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.inspection import EXAMPLE_IMAGE, convolution, find_kernel, pooling
from convlens.inspection.pictures import ConvolutionPicture, PoolingPicture, png, save_animation
from convlens.inspection.pictures.matrix import format_number


def _words(picture: ConvolutionPicture | PoolingPicture) -> list[str]:
    figure = picture.figure
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [axes.get_title(), *(t.get_text() for t in axes.texts if t.get_visible())]
    return found


def test_the_picture_has_the_numbers_of_one_stop() -> None:
    picture = ConvolutionPicture(convolution(EXAMPLE_IMAGE, find_kernel("vertical edge")))
    words = _words(picture)
    assert "Convolution: vertical edge" in words
    assert "3×3 kernel, stride 1, padding 0; feature map: (5 − 3 + 2·0)/1 + 1 = 3" in words
    assert {"image 5×5", "feature map 3×3", "under the window", "kernel", "products"} <= {*words}
    after = words[words.index("products") :]
    assert after[1:10] == ["−1", "0", "0", "0", "0", "2", "−1", "0", "1"]
    assert after[after.index("sum") + 2] == "1"
    picture.show(2, 1)
    words = _words(picture)
    assert words[words.index("sum") + 2] == "−2"
    assert "at (2, 1)" in words


def test_padding_is_shown_and_told() -> None:
    shown = convolution(EXAMPLE_IMAGE, find_kernel("blur"), padding="same", stride=2, dilation=2)
    words = _words(ConvolutionPicture(shown))
    assert "image 5×5, padded with zeros" in words
    assert any("stride 2, padding 2, dilation 2" in word for word in words)
    uneven = convolution(np.ones((4, 4)), find_kernel("blur"), padding="same", stride=2)
    told = "padding 0 above, 1 below, 0 left, 1 right"
    assert any(told in word for word in _words(ConvolutionPicture(uneven)))


def test_pooling_shows_the_largest_and_the_mean() -> None:
    picture = PoolingPicture(pooling(EXAMPLE_IMAGE))
    picture.show(1, 0)
    words = _words(picture)
    assert words[words.index("largest") + 2] == "2"
    assert words[words.index("mean") + 2] == "1"
    assert "largest (max pooling) 2×2" in words
    padded = PoolingPicture(pooling(EXAMPLE_IMAGE, 2, padding=1))
    assert any("padded (0 in the mean)" in word for word in _words(padded))
    assert png(padded.figure)


def test_a_large_image_is_drawn_without_numbers_but_with_a_scale() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 90)).astype(float)
    shown = convolution(image, find_kernel("emboss"), padding=1)
    picture = ConvolutionPicture(shown)
    picture.show(*shown.strongest())
    assert len(_words(picture)) < 60
    assert any(hasattr(axes, "_colorbar") for axes in picture.figure.axes)
    assert png(picture.figure)


@pytest.mark.parametrize("kernel", ["1", "-1 2", "1;2;3", "; ".join(["0 " * 17] * 17)])
def test_kernels_of_any_shape_are_drawn(kernel: str) -> None:
    picture = ConvolutionPicture(convolution(np.ones((20, 20)), find_kernel(kernel)))
    assert png(picture.figure)


def test_so_far_leaves_out_what_is_to_come() -> None:
    picture = ConvolutionPicture(convolution(EXAMPLE_IMAGE, find_kernel("vertical edge")))
    whole = len(_words(picture))
    picture.show(0, 0, so_far=True)
    assert len(_words(picture)) == whole - 8
    picture.show(2, 2)
    assert len(_words(picture)) == whole


@pytest.mark.parametrize("form", ["gif", "webp"])
def test_the_window_stops_everywhere_once(tmp_path: Path, form: str) -> None:
    picture = PoolingPicture(pooling(EXAMPLE_IMAGE))
    path = tmp_path / f"slide.{form}"
    assert save_animation(picture, path, Quiet()) == (4, 4)
    with Image.open(path) as image:
        assert image.format == form.upper()
        assert image.info["loop"] == 0
        frames = [np.asarray(one.convert("RGB")) for one in ImageSequence.Iterator(image)]
    assert len(frames) == len({one.tobytes() for one in frames}) == 4
    still = np.asarray(Image.open(io.BytesIO(png(picture.figure))).convert("RGB"))
    assert (frames[0][0] == 255).all()  # white stays white
    assert frames[0].shape[0] * 3 == still.shape[0] * 2  # 100 to 150 dots per inch
    small = cv2.resize(still, frames[0].shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(frames[-1].astype(float) - small).mean() < 3  # the last stop, all numbers made


def test_of_too_many_stops_some_are_shown_the_last_among_them(tmp_path: Path) -> None:
    picture = PoolingPicture(pooling(np.arange(900.0).reshape(30, 30), 3, stride=1))
    assert save_animation(picture, tmp_path / "a.gif", Quiet(), most=3) == (3, 784)
    assert "at (27, 27)" in _words(picture)
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 3


def test_one_stop_is_an_animation_too(tmp_path: Path) -> None:
    picture = PoolingPicture(pooling([[1.0]], 1))
    assert save_animation(picture, tmp_path / "a.GIF", Quiet()) == (1, 1)
    with Image.open(tmp_path / "a.GIF") as image:
        assert getattr(image, "n_frames", 1) == 1


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    picture = PoolingPicture(pooling([[1.0]], 1))
    with pytest.raises(
        ConvlensError, match=r"a\.mp4; expected a name that ends in \.gif or \.webp"
    ):
        save_animation(picture, tmp_path / "a.mp4", Quiet())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (12.0, "12"),
        (-3.456, "−3.46"),
        (0.004, "0.004"),
        (99.96, "99.96"),
        (1234.5, "1234"),
        (1.26e6, "1.3e+06"),
        (-1e-7, "−1e-07"),
        (float("nan"), ""),
        (float("inf"), "∞"),
    ],
)
def test_numbers_are_short_and_tell_small_from_nothing(value: float, text: str) -> None:
    assert format_number(value) == text
