"""TrivialAugment's tone operations against Pillow's."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps

from convlens.augment.tone import retone


def retoned(tools, images, **changes):
    return tools.as_images(retone(tools.as_batch(images), tools.at_rest(len(images), **changes)))


# Pillow's operation, and the levels by which it may differ: it divides in floating point.
OPERATIONS = {
    "equalize": ({"equalize": True}, ImageOps.equalize, 0),
    "autocontrast": ({"autocontrast": True}, ImageOps.autocontrast, 1),
    "solarize": ({"solarize": 100}, lambda im: ImageOps.solarize(im, 100), 0),
    "invert": ({"solarize": 0}, ImageOps.invert, 0),
    "posterize": ({"posterize": 3}, lambda im: ImageOps.posterize(im, 3), 0),
    "blur": ({"sharpness": 0.01}, lambda im: ImageEnhance.Sharpness(im).enhance(0.01), 1),
    "sharpen": ({"sharpness": 1.9}, lambda im: ImageEnhance.Sharpness(im).enhance(1.9), 1),
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("kind", ["color", "gray", "flat", "two-valued", "tiny"])
def test_an_operation_equals_pillows(tools, photographs, name, kind):
    changes, operation, levels = OPERATIONS[name]
    images = {
        "color": photographs,
        "gray": photographs[..., :1],
        "flat": np.full((1, 9, 9, 3), 77, np.uint8),
        "two-valued": (photographs[:1] > 100).astype(np.uint8) * 90 + 30,
        "tiny": photographs[:, :2, :2],
    }[kind]
    done = retoned(tools, images, **changes)
    expected = [np.asarray(operation(Image.fromarray(im.squeeze()))) for im in images]
    difference = np.abs(done.astype(int) - np.reshape(expected, done.shape))
    assert difference.max() <= levels


def test_only_the_images_drawn_change(tools, photographs):
    changes = {"posterize": [8, 2, 8, 8], "equalize": [True, False, False, False]}
    done = retoned(tools, photographs, **changes)
    assert (done != photographs).any(axis=(1, 2, 3)).tolist() == [True, True, False, False]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_floats_take_the_same_eight_bits(tools, photographs, dtype):
    pixels = (tools.as_batch(photographs).float() / 255).to(dtype)
    draws = tools.at_rest(4, equalize=[True, False, False, False], solarize=[256, 90, 256, 256])
    done = retone(pixels, draws)
    expected = retone(tools.as_batch(photographs), draws).float() / 255
    assert done.dtype == dtype
    assert (done.float() - expected).abs().max() < 0.001


def test_the_images_given_stay_as_they_are(tools, photographs):
    pixels = tools.as_batch(photographs.copy())
    assert retone(pixels, tools.at_rest(4)) is pixels
    retone(pixels, tools.at_rest(4, solarize=10))
    assert np.array_equal(tools.as_images(pixels), photographs)
