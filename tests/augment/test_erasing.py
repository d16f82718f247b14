import numpy as np
import pytest
import torch

from convlens.augment.erasing import erase


def erased(tools, images, **changes):
    return tools.as_images(erase(tools.as_batch(images), tools.at_rest(len(images), **changes)))


def test_a_gray_square_is_cut_and_nothing_else(tools, photographs):
    boxes = [[10, 20, 30, 30], [-5, 90, 12, 12], [120, -4, 20, 20], [0, 0, 0, 0]]
    done = erased(tools, photographs, cutout=boxes)
    expected = photographs.copy()
    expected[0, 20:50, 10:40] = 128
    expected[1, 90:, :7] = 128
    expected[2, :16, 120:] = 128
    assert np.array_equal(done, expected)


def test_a_square_wholly_outside_cuts_nothing(tools, photographs):
    done = erased(tools, photographs, cutout=[[-20, -20, 10, 10]] * 4)
    assert np.array_equal(done, photographs)


def test_a_rectangle_becomes_noise_of_the_whole_range(tools, photographs):
    done = erased(tools, photographs, erase=[[8, 4, 100, 80]] * 4, noise=[[0.1, 0.7]] * 4)
    outside = np.ones((96, 128), bool)
    outside[4:84, 8:108] = False
    assert np.array_equal(done[:, outside], photographs[:, outside])
    noise = done[0, 4:84, 8:108].astype(float)
    assert noise.mean() == pytest.approx(127.5, abs=3)
    assert noise.std() == pytest.approx(255 / np.sqrt(12), abs=3)
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.03
    assert abs(np.corrcoef(noise[..., 0].ravel(), noise[..., 1].ravel())[0, 1]) < 0.03


def test_noise_is_another_at_another_place(tools, photographs):
    done = erased(
        tools, photographs[:2], erase=[[0, 0, 50, 50]] * 2, noise=[[0.1, 0.7], [0.5, 0.2]]
    )
    assert (done[0, :50, :50] != done[1, :50, :50]).mean() > 0.9


def test_floats_take_the_same_noise(tools, photographs):
    changes = {"erase": [[0, 0, 50, 50]] * 4, "cutout": [[60, 60, 20, 20]] * 4}
    pixels = tools.as_batch(photographs)
    whole = erase(pixels, tools.at_rest(4, **changes)).float() / 255
    real = erase(pixels.float() / 255, tools.at_rest(4, **changes))
    assert real.dtype == torch.float32
    assert (whole - real).abs().max() < 0.003


def test_the_images_given_stay_as_they_are(tools, photographs):
    pixels = tools.as_batch(photographs.copy())
    assert erase(pixels, tools.at_rest(4)) is pixels
    erase(pixels, tools.at_rest(4, erase=[[0, 0, 9, 9]] * 4))
    assert np.array_equal(tools.as_images(pixels), photographs)
