"""Feature maps: what is kept, and which channels are dead."""

import numpy as np
import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection import feature_maps
from convlens.inspection.feature_maps import dead_channels

SPEC = InputSpec(height=8, width=8, channels=1)


def _net(conv: nn.Conv2d) -> Classifier:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(conv.out_channels, 2))
    return Classifier({"block1": nn.Sequential(conv, nn.ReLU())}, head, SPEC)


def _conv(weights: list[float], biases: list[float]) -> nn.Conv2d:
    conv = nn.Conv2d(1, len(weights), 1)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(weights).view(-1, 1, 1, 1))
        conv.bias.copy_(torch.tensor(biases))
    return conv


def test_a_channel_is_dead_only_where_all_images_get_the_same_from_it() -> None:
    net = _net(_conv([1.0, -1.0, 1.0, -1.0, 0.0], [0.0, -0.1, -0.9, 0.5, 0.5]))
    gray, bright = np.full((1, 8, 8, 1), 128, np.uint8), np.full((1, 8, 8, 1), 255, np.uint8)
    gray[0, 3, 4] = 100
    (found,) = feature_maps(net, gray)
    assert found.dead.tolist() == [1, 2, 4]  # never opens, never opens, sees nothing
    (found,) = feature_maps(net, np.concatenate([gray, bright]))
    assert found.dead.tolist() == [1, 4]
    np.testing.assert_allclose(found.maps[1, :, 0, 0], [1, 0, 0.1, 0, 0.5], atol=1e-6)


def test_a_rectifier_that_never_opens_is_dead_behind_a_normalization_too() -> None:
    conv = _conv([1.0, 1.0], [0.0, -2.0])
    norm = nn.BatchNorm2d(2)
    with torch.no_grad():
        norm.bias.copy_(torch.tensor([0.3, 0.7]))
        norm.running_mean.copy_(torch.tensor([0.1, 0.2]))
    stage = nn.Sequential(conv, nn.ReLU(), norm, nn.MaxPool2d(2))
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))
    net = Classifier({"block1": stage}, head, SPEC)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), np.uint8)
    (found,) = feature_maps(net, pixels)
    assert found.dead.tolist() == [1]
    assert found.maps[0, 1, 0, 0] != 0


def test_of_a_single_number_only_zero_is_dead() -> None:
    assert dead_channels(np.array([[[[0.0]], [[2.0]]]], np.float32)).tolist() == [0]


def test_dead_channels_are_those_of_all_images_together() -> None:
    maps = np.zeros((3, 5, 2, 2), np.float32)
    maps[2, 3, 1, 0] = 1e-20
    maps[0, 1] = -1
    assert dead_channels(maps).tolist() == [0, 2, 4]


def test_every_stage_is_shown_unless_layers_are_named() -> None:
    net = _net(_conv([1.0], [0.0]))
    pixels = np.zeros((2, 8, 8, 1), np.uint8)
    assert [found.layer for found in feature_maps(net, pixels)] == ["block1"]
    named = feature_maps(net, pixels, layers=["block1.0", "head.2"])
    assert [(found.layer, found.maps.shape) for found in named] == [
        ("block1.0", (2, 1, 8, 8)),
        ("head.2", (2, 2, 1, 1)),
    ]


def test_a_layer_without_a_map_or_vector_is_refused() -> None:
    net = Classifier({"block1": nn.Flatten(2)}, nn.Flatten(), SPEC)
    with pytest.raises(ConvlensError, match=r"'block1' gives 3 axes \(1×1×64\)"):
        feature_maps(net, np.zeros((1, 8, 8, 1), np.uint8))


def test_half_precision_is_shown_in_full() -> None:
    net = _net(_conv([0.5], [0.0])).half()
    (found,) = feature_maps(net, np.full((1, 8, 8, 1), 255, np.uint8))
    assert found.maps.dtype == np.float32
    assert found.maps[0, 0, 0, 0] == 0.5
