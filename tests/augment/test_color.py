"""Brightness and color against Pillow, colorsys and Keras's formula."""

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from convlens.augment.color import color_matrices, recolor, shift_channels
from convlens.core.errors import ConvlensError

# With the levels by which Pillow may differ: it rounds the mean, and each pixel's gray, to one.
ENHANCERS = {
    "brightness": (ImageEnhance.Brightness, 1),
    "contrast": (ImageEnhance.Contrast, 2),
    "saturation": (ImageEnhance.Color, 2),
}


@pytest.fixture(params=["cv2", "torch"])
def path(request):
    if request.param == "torch":
        request.getfixturevalue("torch_path")
    return request.param


def recolored(tools, images, **changes):
    done = recolor(tools.as_batch(images), tools.at_rest(len(images), **changes))
    assert done.is_contiguous(memory_format=torch.channels_last)
    return tools.as_images(done)


@pytest.mark.parametrize("factor", [0.0, 0.5, 0.8, 1.3, 3.0])
@pytest.mark.parametrize("name", ENHANCERS)
def test_a_factor_does_what_pillows_enhancer_does(tools, photographs, path, name, factor):
    enhancer, levels = ENHANCERS[name]
    done = recolored(tools, photographs, **{name: factor})
    expected = [np.asarray(enhancer(Image.fromarray(im)).enhance(factor)) for im in photographs]
    assert np.abs(done.astype(int) - expected).max() <= levels


@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_gray_images_are_brightened_as_pillow_does(tools, photographs, path, name):
    gray = photographs[..., :1]
    done = recolored(tools, gray, **{name: 1.4})
    enhancer, levels = ENHANCERS[name]
    expected = [np.asarray(enhancer(Image.fromarray(im[..., 0])).enhance(1.4)) for im in gray]
    assert np.abs(done[..., 0].astype(int) - expected).max() <= levels


@pytest.mark.parametrize("degrees", [-120, -18, 36, 180])
def test_hue_turns_the_chroma_plane_at_constant_luma(tools, photographs, path, degrees):
    images = (photographs[:, ::8, ::8] / 255 * 0.5 + 0.25).astype(np.float32)  # no clipping
    done = recolored(tools, images, hue=degrees)
    for before, after in zip(images.reshape(-1, 3), done.reshape(-1, 3), strict=True):
        y, i, q = colorsys.rgb_to_yiq(*before.tolist())
        turned = np.exp(1j * np.deg2rad(degrees)) * (i + 1j * q)
        assert colorsys.rgb_to_yiq(*after.tolist()) == pytest.approx(
            (y, turned.real, turned.imag), abs=0.02
        )


def test_gray_equals_pillows(tools, photographs, path):
    done = recolored(tools, photographs, gray=True, saturation=1.7)
    expected = np.stack([np.asarray(Image.fromarray(im).convert("L")) for im in photographs])
    assert np.abs(done.astype(int) - expected[..., None]).max() <= 1


def test_all_at_once_equals_one_after_another_where_nothing_clips(tools, photographs, path):
    images = (photographs / 255 * 0.4 + 0.3).astype(np.float32)
    changes = {"brightness": 1.1, "contrast": 0.8, "saturation": 0.6, "hue": 20}
    expected = images
    for name, value in changes.items():
        expected = recolored(tools, expected, **{name: value})
    assert np.abs(recolored(tools, images, **changes) - expected).max() < 1e-5


def test_both_paths_agree_within_one_level(tools, photographs, request):
    changes = {"brightness": [1.2, 0.9, 1, 1], "contrast": [1.3, 1, 0.5, 1],
               "saturation": [0.2, 1.8, 1, 1], "hue": [0, 30, -60, 0]}  # fmt: skip
    by_cv2 = recolored(tools, photographs, **changes).astype(int)
    request.getfixturevalue("torch_path")
    assert np.abs(by_cv2 - recolored(tools, photographs, **changes)).max() <= 1


def test_floats_are_clipped_to_their_range(tools, photographs, path):
    images = (photographs / 255).astype(np.float32)
    done = recolored(tools, images, brightness=1.5, contrast=2)
    assert done.dtype == np.float32
    assert (done.min(), done.max()) == (0, 1)


def test_a_gray_image_has_no_color_to_change(tools, photographs, path):
    gray = photographs[..., :1]
    assert np.array_equal(recolored(tools, gray, saturation=0.2, hue=90, gray=True), gray)


def test_color_of_other_than_rgb_is_refused(tools):
    with pytest.raises(ConvlensError, match=r"images have 4 channels; .*are for RGB") as caught:
        color_matrices(tools.at_rest(saturation=0.5), 4)
    assert caught.value.code == "not-rgb"
    assert color_matrices(tools.at_rest(brightness=0.5), 4)[0].diagonal().tolist() == [0.5] * 4


def test_five_channels_have_contrast_about_their_mean(tools, path):
    image = np.arange(2 * 2 * 5, dtype=np.uint8).reshape(1, 2, 2, 5) * 10
    done = recolored(tools, image, contrast=0.5)
    assert np.abs(done - (image * 0.5 + 0.5 * image.mean())).max() <= 0.5


@pytest.mark.parametrize("amount", [-60, 25.5, 200])
def test_a_channel_shift_is_keras_formula(tools, photographs, amount):
    images = np.clip(photographs, 20, 230)
    done = shift_channels(tools.as_batch(images), tools.at_rest(4, channel_shift=amount))
    for image, result in zip(images, tools.as_images(done), strict=True):
        expected = np.clip(image.astype(float) + amount, image.min(), image.max())
        assert np.abs(result - expected).max() <= 0.5


def test_what_is_at_rest_is_not_copied(tools, photographs):
    pixels, still = tools.as_batch(photographs), tools.at_rest(4)
    assert recolor(pixels, still) is pixels
    assert shift_channels(pixels, still) is pixels
