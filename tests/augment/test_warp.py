"""Each geometric option alone against an independent library, then all of them composed."""

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from convlens.augment import compose
from convlens.augment.settings import Fill
from convlens.augment.warp import each_image, warp

SCIPY_MODES = {
    "nearest": "nearest",
    "constant": "grid-constant",
    "reflect": "reflect",
    "wrap": "grid-wrap",
}
# OpenCV 4, and 5 for other than 1, 3 and 4 channels, reads at the nearest 1/32 of a pixel.
EXACT = int(cv2.__version__.partition(".")[0]) >= 5
LEVEL = 1 if EXACT else 8
EVERYTHING = {
    "rotation": [17.3, -28, 4, 160],
    "shift_x": [5.2, -20.7, 33.1, 0],
    "shift_y": [-3.4, 9.9, -14.2, 70],
    "shear": [8, -5, 0.15, 30],
    "zoom_x": [0.83, 1.17, 1.02, 2.5],
    "zoom_y": [1.11, 0.95, 0.81, 2.5],
    "flip_x": [True, False, True, False],
    "flip_y": [False, True, True, False],
}


@pytest.fixture(params=["cv2", "torch"])
def path(request):
    """Both ways to warp: what the processor does, and what other devices do."""
    if request.param == "torch":
        request.getfixturevalue("torch_path")
    return request.param


def warped(tools, images, draws, fill=Fill(), size=None):  # noqa: B008 - a tuple
    height, width = size or images.shape[1:3]
    matrices = compose(
        draws, height=height, width=width, stored_height=images.shape[1],
        stored_width=images.shape[2],
    )  # fmt: skip
    done = warp(tools.as_batch(images), matrices, height=height, width=width, fill=fill)
    assert done.is_contiguous(memory_format=torch.channels_last)
    return tools.as_images(done)


def scipy_warp(image, matrix, mode, cval=0.0):
    """One image through one (x, y) matrix in float64."""
    rows = matrix[::-1, [1, 0, 2]]
    channels = [
        ndimage.affine_transform(
            image[..., c].astype(np.float64), rows[:, :2], rows[:, 2], order=1,
            mode=SCIPY_MODES[mode], cval=cval,
        )
        for c in range(image.shape[2])
    ]  # fmt: skip
    return np.stack(channels, axis=-1)


def inner(images, border=3):
    return images[..., border:-border, border:-border, :].astype(float)


def pillow(images, change):
    return np.stack([np.asarray(change(Image.fromarray(image))) for image in images])


@pytest.mark.parametrize("mode", SCIPY_MODES)
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_the_composition_equals_scipys_in_float64(tools, photographs, path, mode, dtype):
    images = photographs if dtype == "uint8" else (photographs / 255).astype(np.float32)
    draws = tools.at_rest(4, **EVERYTHING)
    done = warped(tools, images, draws, Fill(mode, 0.4))
    matrices = compose(draws, height=96, width=128, stored_height=96, stored_width=128)
    scale = 255 if dtype == "uint8" else 1
    for image, matrix, result in zip(images, matrices, done, strict=True):
        difference = np.abs(result - scipy_warp(image, matrix, mode, 0.4 * scale)) * 255 / scale
        assert difference.max() <= (0.51 if EXACT or path == "torch" else 8.5)
        if EXACT:  # rounding to whole levels costs a quarter of one
            assert difference.mean() <= (0.26 if dtype == "uint8" else 0.001)


@pytest.mark.parametrize("mode", SCIPY_MODES)
def test_both_paths_agree_within_one_level(tools, photographs, mode, request):
    draws = tools.at_rest(4, **EVERYTHING)
    fill = Fill(mode, 0.4)
    by_cv2 = warped(tools, photographs, draws, fill).astype(int)
    request.getfixturevalue("torch_path")
    difference = np.abs(by_cv2 - warped(tools, photographs, draws, fill))
    assert difference.max() <= LEVEL
    assert difference.mean() < (0.01 if EXACT else 0.5)


def test_rotation_equals_pillows(tools, photographs, path):
    angle = 23.0
    done = warped(tools, photographs, tools.at_rest(4, rotation=angle))
    expected = pillow(photographs, lambda im: im.rotate(angle, Image.Resampling.BILINEAR))
    filled = pillow(np.full_like(photographs, 255), lambda im: im.rotate(angle))
    seen = ndimage.binary_erosion(filled[0, ..., 0] == 255, iterations=2)
    assert seen.sum() > 5000
    assert np.abs(done.astype(int) - expected)[:, seen].max() <= LEVEL


@pytest.mark.parametrize("mode", SCIPY_MODES)
def test_a_shift_moves_right_and_down_as_scipys(tools, photographs, path, mode):
    done = warped(tools, photographs, tools.at_rest(4, shift_x=10.25, shift_y=-7.5), Fill(mode))
    expected = ndimage.shift(
        photographs.astype(float), (0, -7.5, 10.25, 0), order=1, mode=SCIPY_MODES[mode]
    )
    assert np.abs(done - expected).max() <= 0.51


def test_zoom_equals_pillows_resize_of_the_middle(tools, photographs, path):
    """A factor of 0.5 shows the middle half, magnified; Pillow takes a box and interpolates."""
    done = warped(tools, photographs, tools.at_rest(4, zoom_x=0.5, zoom_y=0.8))
    box = (128 * 0.25, 96 * 0.1, 128 * 0.75, 96 * 0.9)
    expected = pillow(
        photographs, lambda im: im.resize((128, 96), Image.Resampling.BILINEAR, box=box)
    )
    # Pillow stops at the box's edge, where the image goes on.
    assert np.abs(inner(done) - inner(expected)).max() <= LEVEL


def test_a_zoom_above_one_shows_more(tools, photographs, path):
    image = np.zeros((1, 40, 40, 1), np.uint8)
    image[:, 10:30, 10:30] = 255
    done = warped(tools, image, tools.at_rest(zoom_x=2, zoom_y=1))
    assert (done[0, 20, :, 0] > 127).sum() == 10
    assert (done[0, :, 20, 0] > 127).sum() == 20


def test_shear_equals_pillows_affine(tools, photographs, path):
    degrees = 12.0
    done = warped(tools, photographs, tools.at_rest(4, shear=degrees))
    sin, cos = np.sin(np.deg2rad(degrees)), np.cos(np.deg2rad(degrees))
    cx, cy = 64.0, 48.0  # Pillow counts from the corner of the first pixel
    data = (1, -sin, sin * cy, 0, cos, cy - cos * cy)
    expected = pillow(
        photographs,
        lambda im: im.transform(im.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR),
    )
    assert cx == photographs.shape[2] / 2
    difference = np.abs(done.astype(int) - expected)[:, 5:-5, 15:-15]
    assert difference.max() <= LEVEL


@pytest.mark.parametrize(("parameter", "axis"), [("skew_x", 0), ("skew_y", 1)])
def test_trivials_shear_equals_pillows_about_the_center(tools, photographs, path, parameter, axis):
    done = warped(tools, photographs, tools.at_rest(4, **{parameter: 0.2}))
    data = [1, 0, 0, 0, 1, 0]
    data[1 if axis == 0 else 3] = 0.2
    data[2 if axis == 0 else 5] = -0.2 * (48 if axis == 0 else 64)
    expected = pillow(
        photographs,
        lambda im: im.transform(im.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR),
    )
    assert np.abs(done.astype(int) - expected)[:, 16:-16, 16:-16].max() <= LEVEL


@pytest.mark.parametrize("mode", SCIPY_MODES)
def test_flips_and_whole_shifts_are_exact(tools, photographs, path, mode):
    done = warped(tools, photographs, tools.at_rest(4, flip_x=True, shift_x=-9), Fill(mode))
    names = {"nearest": "edge", "constant": "constant", "reflect": "symmetric", "wrap": "wrap"}
    moved = np.pad(photographs, ((0, 0), (0, 0), (0, 9), (0, 0)), names[mode])[:, :, 9:]
    assert np.array_equal(done, moved[:, :, ::-1])


def test_a_crop_equals_pillows_resize_of_a_box(tools, photographs, path):
    """From pixels with a margin: the box is magnified to the input."""
    draws = tools.at_rest(4, crop_area=0.3, crop_aspect=1.2, crop_x=0.3, crop_y=0.8)
    done = warped(tools, photographs, draws, size=(84, 112))
    area, aspect = 0.3 * 96 * 128, 1.2 * 112 / 84
    width, height = np.sqrt(area * aspect), np.sqrt(area / aspect)
    left, top = 0.3 * (128 - width), 0.8 * (96 - height)
    box = (left, top, left + width, top + height)
    expected = pillow(
        photographs, lambda im: im.resize((112, 84), Image.Resampling.BILINEAR, box=box)
    )
    assert np.abs(inner(done) - inner(expected)).max() <= LEVEL


def test_the_middle_of_a_margin_is_the_input_itself(tools, photographs, path):
    done = warped(tools, photographs, tools.at_rest(4), size=(84, 112))
    assert np.array_equal(done, photographs[:, 6:90, 8:120])


def test_what_lies_in_the_margin_is_shown_before_anything_is_filled(tools, photographs, path):
    done = warped(
        tools, photographs, tools.at_rest(4, shift_x=8), Fill("constant", 1), size=(84, 112)
    )
    assert np.array_equal(done, photographs[:, 6:90, 0:112])


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 8])
def test_any_number_of_channels(tools, photographs, path, channels):
    wide = np.concatenate([photographs] * 3, axis=3)[..., :channels]
    draws = tools.at_rest(4, **EVERYTHING)
    done = warped(tools, np.ascontiguousarray(wide), draws, Fill("constant", 0.4))
    three = warped(tools, photographs, draws, Fill("constant", 0.4)).astype(int)
    for channel in range(channels):
        difference = np.abs(done[..., channel] - three[..., channel % 3])
        assert difference.max() <= (0 if channels in (1, 4) or path == "torch" else 8)
        assert difference.mean() < 0.5


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_its_dtype(tools, photographs, dtype):
    pixels = (tools.as_batch(photographs).float() / 255).to(dtype)
    matrices = compose(
        tools.at_rest(4, rotation=10), height=96, width=128, stored_height=96, stored_width=128
    )
    done = warp(pixels, matrices, height=96, width=128, fill=Fill())
    exact = warp(pixels.float(), matrices, height=96, width=128, fill=Fill())
    assert done.dtype == dtype
    assert (done.float() - exact).abs().max() < 0.005 * LEVEL


def test_the_detour_of_large_images_changes_nothing(tools, photographs, monkeypatch):
    draws = tools.at_rest(4, **EVERYTHING)
    by_detour = warped(tools, photographs, draws, Fill("constant", 0.4))
    monkeypatch.setattr("convlens.augment.warp._WORTH_A_DETOUR", np.inf)
    assert np.array_equal(by_detour, warped(tools, photographs, draws, Fill("constant", 0.4)))


def test_memory_that_is_not_channels_last_gives_the_same(tools, photographs, path):
    pixels = tools.as_batch(photographs)
    matrices = compose(
        tools.at_rest(4, rotation=10), height=96, width=128, stored_height=96, stored_width=128
    )
    results = [
        warp(p, matrices, height=96, width=128, fill=Fill()) for p in (pixels, pixels.contiguous())
    ]
    assert torch.equal(*results)


def test_threads_change_nothing(tools, photographs, monkeypatch):
    many = np.concatenate([photographs] * 6)
    draws = tools.at_rest(24, rotation=np.linspace(-20, 20, 24))
    one = warped(tools, many, draws)
    monkeypatch.setattr("convlens.augment.warp.torch.get_num_threads", lambda: 3)
    assert np.array_equal(one, warped(tools, many, draws))


def test_every_image_is_worked_on_once_and_an_error_is_not_lost(monkeypatch):
    monkeypatch.setattr("convlens.augment.warp.torch.get_num_threads", lambda: 3)
    images, seen = np.empty((7, 1 << 18), np.uint8), []
    each_image(images, seen.append)
    assert sorted(seen) == list(range(7))
    with pytest.raises(ZeroDivisionError):
        each_image(images, lambda number: 1 // (number - 5))


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    mode=st.sampled_from(sorted(SCIPY_MODES)),
    angle=st.floats(-180, 180),
    shift=st.floats(-30, 30),
)
def test_images_of_any_size_stay_within_their_values(tools, size, mode, angle, shift):
    image = np.arange(100, 100 + size[0] * size[1], dtype=np.uint8).reshape(1, *size, 1)
    draws = tools.at_rest(rotation=angle, shift_x=shift, shift_y=-shift)
    done = warped(tools, image, draws, Fill(mode, 100 / 255))
    assert image.min() <= done.min() <= done.max() <= image.max()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("mode", SCIPY_MODES)
def test_a_gpu_agrees_with_the_processor_within_one_level(tools, photographs, mode):
    matrices = compose(
        tools.at_rest(4, **EVERYTHING), height=96, width=128, stored_height=96, stored_width=128
    )
    pixels, fill = tools.as_batch(photographs), Fill(mode, 0.4)
    here = warp(pixels, matrices, height=96, width=128, fill=fill)
    there = warp(pixels.cuda(), matrices, height=96, width=128, fill=fill)
    assert (here.int() - there.cpu().int()).abs().max() <= LEVEL
