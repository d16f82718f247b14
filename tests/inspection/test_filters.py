"""A convolution's kernels, found by name."""

import numpy as np
import pytest
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection import filters


def _net(channels: int = 3) -> Classifier:
    stages = {
        "stem": nn.Conv2d(channels, 8, 5),
        "block1": nn.Sequential(nn.ReLU(), nn.Conv2d(8, 6, 3), nn.Conv2d(6, 6, 3, groups=6)),
        "block10": nn.Conv2d(6, 3, (1, 3)),
        "rest": nn.ReLU(),
    }
    return Classifier(stages, nn.Flatten(), InputSpec(height=16, width=16, channels=channels))


def test_the_first_convolution_is_meant_unless_one_is_named() -> None:
    net = _net()
    found = filters(net)
    assert (found.layer, found.weights.shape, found.sees_color) == ("stem", (8, 3, 5, 5), True)
    np.testing.assert_array_equal(found.weights, net.stages.stem.weight.detach())
    norms = [np.linalg.norm(one) for one in found.weights]
    np.testing.assert_allclose(found.norms, norms, rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "meant", "shape"),
    [
        ("block1", "block1.1", (6, 8, 3, 3)),
        ("stages.block1.2", "block1.2", (6, 1, 3, 3)),
        ("block10", "block10", (3, 6, 1, 3)),
    ],
)
def test_a_stage_means_its_first_convolution(
    layer: str, meant: str, shape: tuple[int, ...]
) -> None:
    found = filters(_net(), layer=layer)
    assert (found.layer, found.weights.shape, found.sees_color) == (meant, shape, False)


def test_gray_kernels_see_no_color() -> None:
    assert not filters(_net(1)).sees_color


def test_a_layer_without_a_convolution_is_refused() -> None:
    with pytest.raises(ConvlensError, match=r"'rest' holds no convolution; expected one of: stem,"):
        filters(_net(), layer="rest")
    with pytest.raises(ConvlensError, match="unknown layer 'blok10'; did you mean block10"):
        filters(_net(), layer="blok10")


def test_a_network_without_a_convolution_is_refused() -> None:
    net = Classifier({"only": nn.ReLU()}, nn.Flatten(), InputSpec(height=4, width=4))
    with pytest.raises(ConvlensError, match="the network holds no convolution"):
        filters(net)


def test_the_weights_are_a_copy() -> None:
    net = _net()
    filters(net).weights[:] = 0
    assert net.stages.stem.weight.abs().sum() > 0
