"""Finding layers by name, recording what they give, and leaving no trace."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection.recording import (
    as_input,
    chosen_layers,
    find_layer,
    held_in_eval,
    last_stage,
    layer_names,
    record,
    stage_names,
)

SPEC = InputSpec(height=8, width=6, channels=3, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


class Split(nn.Module):
    """Gives a pair, which is no feature map."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class TakeFirst(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.split = Split()
        self.never = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        first: Tensor = self.split(x)[0]
        return first


def _net() -> Classifier:
    torch.manual_seed(0)
    stages = {
        "block1": nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
        "block2": nn.Sequential(nn.Conv2d(4, 4, 3), nn.Dropout(0.9), TakeFirst()),
    }
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    return Classifier(stages, head, SPEC)


@pytest.fixture
def net() -> Classifier:
    with torch.random.fork_rng():
        return _net()


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), np.uint8)


def test_layers_are_named_without_stages_before_them(net: Classifier) -> None:
    names = layer_names(net)
    assert {"normalize", "block1", "block1.0", "block2.2.split", "head.2"} <= set(names)
    assert stage_names(net) == ("block1", "block2")
    assert last_stage(net) == "block2"
    assert find_layer(net, "block1.0") is net.stages.block1[0]
    assert find_layer(net, "stages.block1.0") is net.stages.block1[0]
    assert find_layer(net, "head.2") is net.head[2]


def test_an_unknown_layer_says_the_nearest_and_the_stages(net: Classifier) -> None:
    with pytest.raises(ConvlensError, match=r"did you mean block1.*Stages: block1, block2;"):
        find_layer(net, "blok1")


def test_layers_are_chosen_once_each_and_are_the_stages_by_default(net: Classifier) -> None:
    assert chosen_layers(net, ()) == ("block1", "block2")
    assert chosen_layers(net, ("head.2", "stages.block1", "block1")) == ("head.2", "block1")


def test_pixels_become_what_the_network_is_fed(net: Classifier, pixels: np.ndarray) -> None:
    x = as_input(net, pixels)
    assert x.dtype == torch.uint8
    assert x.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(x.permute(0, 2, 3, 1), pixels)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((8, 6, 3), np.uint8),
        np.zeros((1, 6, 8, 3), np.uint8),
        np.zeros((1, 3, 8, 6), np.uint8),
        np.zeros((1, 8, 6, 1), np.uint8),
        np.zeros((1, 8, 6, 3), np.float32),
    ],
)
def test_pixels_of_another_shape_are_refused(net: Classifier, wrong: np.ndarray) -> None:
    with pytest.raises(ConvlensError, match="expected uint8 N×8×6×3"):
        as_input(net, wrong)


def test_what_a_layer_gives_is_kept_before_the_next_overwrites_it(
    net: Classifier, pixels: np.ndarray
) -> None:
    x = as_input(net, pixels)
    logits, kept = record(net, x, ["block1.0", "block1", "head.2"])
    net.eval()
    with torch.no_grad():
        first = net.stages.block1[0](net.stages.normalize(x))
        torch.testing.assert_close(kept["block1.0"], first)
        assert kept["block1.0"].min() < 0
        torch.testing.assert_close(kept["block1"], net.stages[:2](x))
        torch.testing.assert_close(logits, net(x))
        torch.testing.assert_close(kept["head.2"], logits)


def test_the_network_is_left_as_it_was(net: Classifier, pixels: np.ndarray) -> None:
    net.train()
    net.stages.block1[1].eval()  # a mixture of modes must come back too
    modes = {name: module.training for name, module in net.named_modules()}
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    record(net, as_input(net, pixels), ["block1"])
    assert {name: module.training for name, module in net.named_modules()} == modes
    assert all(not module._forward_hooks for module in net.modules())
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_the_network_is_left_as_it_was_after_an_error(net: Classifier, pixels: np.ndarray) -> None:
    net.train()
    with pytest.raises(ConvlensError, match=r"'block2.2.split' gives a tuple"):
        record(net, as_input(net, pixels), ["block1", "block2.2.split"])
    with pytest.raises(ConvlensError, match="unknown layer"):
        record(net, as_input(net, pixels), ["block1", "nowhere"])
    assert all(module.training for module in net.modules())
    assert all(not module._forward_hooks for module in net.modules())


def test_a_layer_that_does_not_run_is_named(net: Classifier, pixels: np.ndarray) -> None:
    with pytest.raises(ConvlensError, match=r"'block2.2.never' does not run"):
        record(net, as_input(net, pixels), ["block2.2.never"])


def test_a_module_that_runs_twice_is_kept_at_its_last(pixels: np.ndarray) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.times_two = nn.Conv2d(3, 3, 1, bias=False, groups=3)
            nn.init.constant_(self.times_two.weight, 2.0)

        def forward(self, x: Tensor) -> Tensor:
            doubled: Tensor = self.times_two(self.times_two(x))
            return doubled

    net = Classifier({"only": Twice()}, nn.Flatten(), InputSpec(height=8, width=6))
    x = as_input(net, pixels)
    _, kept = record(net, x, ["only.times_two"])
    torch.testing.assert_close(kept["only.times_two"], x.float() / 255 * 4)


def test_eval_mode_is_held_only_inside(net: Classifier) -> None:
    net.train()
    with held_in_eval(net):
        assert not any(module.training for module in net.modules())
    assert all(module.training for module in net.modules())
