"""An image moved pixel by pixel: what follows exactly, and what only in steps."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection import shift
from convlens.inspection.shift import follows, move

SPEC = InputSpec(height=20, width=24, channels=1)


@pytest.fixture
def net() -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        stages = {
            "plain": nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()),
            "strided": nn.Sequential(nn.Conv2d(4, 5, 3, stride=2), nn.ReLU()),
        }
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 3))
        return Classifier(stages, head, SPEC)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 24, 1), np.uint8)


@pytest.mark.parametrize("axis", ["x", "y"])
def test_plain_convolutions_follow_exactly_strided_ones_every_other_pixel(
    net: Classifier, image: np.ndarray, axis: str
) -> None:
    found = shift(net, image, reach=6, axis=axis)
    plain, strided = found.layers
    assert found.offsets.tolist() == list(range(-6, 7))
    np.testing.assert_allclose(plain.agreement, 1, atol=1e-6)
    np.testing.assert_allclose(strided.agreement[::2], 1, atol=1e-6)
    assert (strided.agreement[1::2] < 0.98).all()


def test_the_logits_and_maps_are_those_of_each_moved_image(
    net: Classifier, image: np.ndarray
) -> None:
    found = shift(net, image, reach=5, layers=["strided"])
    net.eval()
    with torch.no_grad():
        for number, offset in enumerate(found.offsets):
            moved = move(image, int(offset), "x")
            np.testing.assert_array_equal(found.pixels[number], moved)
            x = torch.from_numpy(moved)[None].permute(0, 3, 1, 2)
            np.testing.assert_allclose(found.logits[number], net(x)[0], atol=1e-6)
            maps = net.stages(x)[0, found.layers[0].channel]
            np.testing.assert_allclose(found.layers[0].maps[number], maps, atol=1e-6)


def test_moving_fills_with_the_border() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    assert move(image, 2, "x")[0, :, 0].tolist() == [0, 0, 0, 1]
    assert move(image, -1, "y")[:, 0, 0].tolist() == [4, 8, 8]
    np.testing.assert_array_equal(move(image, 0, "x"), image)


def test_half_a_step_is_interpolated() -> None:
    still = np.array([[[0.0, 2.0, 4.0, 6.0]]], np.float32)
    moved = np.array([[[9.0, 1.0, 3.0, 5.0]]], np.float32)
    assert follows(still, moved, 0.5, "x") == pytest.approx(1)
    assert follows(still, moved, 0.0, "x") < 0.99


@pytest.mark.parametrize("step", [4.0, -3.5, math.nan])
def test_nothing_left_to_compare_is_not_a_number(step: float) -> None:
    maps = np.ones((2, 1, 4), np.float32)
    assert math.isnan(follows(maps, maps, step, "x"))


@pytest.mark.parametrize("reach", [0, 24, -1])
def test_the_reach_stays_inside_the_image(net: Classifier, image: np.ndarray, reach: int) -> None:
    with pytest.raises(ConvlensError, match=f"by {reach} pixels; expected 1 to 23"):
        shift(net, image, reach=reach)
