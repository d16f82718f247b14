from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_avg_fn

from convlens.core.classifier import Classifier
from convlens.training.ema import EmaSettings, WeightAverage

Network = Callable[[], Classifier]


def wander(network: nn.Module, step: int) -> None:
    """Move every weight and statistic, as a step of training would."""
    generator = torch.Generator().manual_seed(step)
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.add_(torch.randn(tensor.shape, generator=generator))
            else:
                tensor.add_(1)


def weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def averaged(average: WeightAverage, network: nn.Module) -> dict[str, Tensor]:
    with average.swapped_in():
        return weights(network)


def torchs_average(network: nn.Module, decay: float) -> AveragedModel:
    theirs = AveragedModel(network, avg_fn=get_ema_avg_fn(decay), use_buffers=True)
    theirs.n_averaged.fill_(1)  # from the weights as they are, not from the first update's
    return theirs


def test_a_low_decay_is_torchs_from_the_first_update(network: Network) -> None:
    net = network()
    average, theirs = WeightAverage(net, EmaSettings(decay=0.1)), torchs_average(net, 0.1)
    for step in range(1, 6):
        wander(net, step)
        average.update(step)
        theirs.update_parameters(net)
    found = averaged(average, net)
    for name, expected in theirs.module.state_dict().items():
        if expected.is_floating_point():
            torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-6)


def test_a_high_decay_is_torchs_once_it_is_reached(network: Network) -> None:
    net = network()
    average = WeightAverage(net, EmaSettings(decay=0.9))
    for step in range(1, 83):  # (1 + 81) / (10 + 81) is above 0.9
        wander(net, step)
        average.update(step)
    with average.swapped_in():
        theirs = torchs_average(net, 0.9)
    for step in range(83, 90):
        wander(net, step)
        average.update(step)
        theirs.update_parameters(net)
    found = averaged(average, net)
    for name, expected in theirs.module.state_dict().items():
        if expected.is_floating_point():
            torch.testing.assert_close(found[name], expected, rtol=1e-5, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0, 0.999))
def test_the_decay_rises_to_its_value(values: list[float], decay: float) -> None:
    layer = nn.Linear(1, 1, bias=False, dtype=torch.float64)
    expected = layer.weight.item()
    average = WeightAverage(layer, EmaSettings(decay=decay))
    for n, value in enumerate(values):
        layer.weight.data.fill_(value)
        average.update(n + 1)
        kept = min(decay, (1 + n) / (10 + n))
        expected = kept * expected + (1 - kept) * value
    assert averaged(average, layer)["weight"].item() == pytest.approx(expected, abs=1e-9)


def test_it_is_updated_every_so_many_steps(network: Network) -> None:
    net = network()
    seldom = WeightAverage(net, EmaSettings(decay=0.5, every=3))
    always = WeightAverage(net, EmaSettings(decay=0.5))
    for step in range(1, 10):
        wander(net, step)
        seldom.update(step)
        if step % 3 == 0:
            always.update(step)
    for ours, theirs in zip(seldom.tensors().values(), always.tensors().values(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_networks_own_weights_come_back_to_the_bit(network: Network) -> None:
    net = network()
    average = WeightAverage(net, EmaSettings(decay=0.5))
    wander(net, 1)
    average.update(1)
    wander(net, 2)
    before, kept = weights(net), average.tensors()
    before_average = {name: tensor.clone() for name, tensor in kept.items()}
    with pytest.raises(RuntimeError, match="half-way"), average.swapped_in():
        assert not torch.equal(weights(net)["head.2.weight"], before["head.2.weight"])
        raise RuntimeError("half-way")
    assert all(torch.equal(weights(net)[name], tensor) for name, tensor in before.items())
    assert all(torch.equal(average.tensors()[n], t) for n, t in before_average.items())


def test_statistics_are_averaged_and_counters_are_not(network: Network) -> None:
    net = network()
    average = WeightAverage(net, EmaSettings(decay=0.5))
    before = weights(net)
    wander(net, 1)
    average.update(1)
    found, now = averaged(average, net), weights(net)
    mean, count = "stages.block1.1.running_mean", "stages.block1.1.num_batches_tracked"
    torch.testing.assert_close(found[mean], 0.1 * before[mean] + 0.9 * now[mean])
    assert found[count] == now[count]


def test_what_does_not_learn_is_left_alone(network: Network) -> None:
    net = network()
    net.stages.requires_grad_(False)
    average = WeightAverage(net, EmaSettings(decay=0.5))
    names = {name.removeprefix("weights/") for name in average.tensors()} - {"updates"}
    assert names == {
        "head.2.weight",
        "head.2.bias",
        "stages.block1.1.running_mean",
        "stages.block1.1.running_var",
    }


def test_it_goes_on_from_its_tensors_to_the_bit(network: Network) -> None:
    net = network()
    whole = WeightAverage(net, EmaSettings(decay=0.9))
    for step in range(1, 8):
        wander(net, step)
        whole.update(step)
    resumed = WeightAverage(net, EmaSettings(decay=0.9))
    resumed.load({name: tensor.clone() for name, tensor in whole.tensors().items()})
    for step in range(8, 12):
        wander(net, step)
        whole.update(step)
        resumed.update(step)
    for ours, theirs in zip(resumed.tensors().values(), whole.tensors().values(), strict=True):
        assert torch.equal(ours, theirs)
