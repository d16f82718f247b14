from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from convlens.core.classifier import Classifier
from convlens.core.device import placed
from convlens.core.input_spec import InputSpec
from convlens.data import Pixels
from convlens.models import ModelSpec, build
from convlens.runs.frozen_stages import probe, stage_maps

SPEC = InputSpec(height=12, width=20)
LAYERS = (
    "conv 6 3 same, batchnorm, relu, dropout 0.5, maxpool 2,"
    "conv 8 3 same relu, dropout 0.3, maxpool 2, globalavgpool, dense"
)


def network(spec: InputSpec = SPEC, layers: str = LAYERS) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = placed(build(ModelSpec(layers=layers), spec, classes=4), torch.device("cpu"))
        with torch.no_grad():
            for name, buffer in net.named_buffers():
                if name.endswith("running_mean"):
                    buffer.normal_()
    return net


def pixels(count: int) -> Pixels:
    array = np.random.default_rng(0).integers(0, 256, (200, 12, 20, 3), np.uint8)
    return Pixels(array[:count], np.arange(count) * 3)


def maps(net: Classifier, count: int = 30, start: int = 0, stop: int = 3) -> np.ndarray:
    return np.concatenate([*stage_maps(net, pixels(count), start=start, stop=stop)])


def test_features_are_what_the_stages_give_in_prediction() -> None:
    net = network().train()
    found = maps(net)
    x = torch.from_numpy(pixels(30).array).permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = net.eval().stages(x).permute(0, 2, 3, 1)
    assert (found.dtype, found.shape) == (np.float32, (30, 3, 5, 8))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("count", [1, 2, 63, 64, 65, 128, 131])
def test_an_images_features_depend_on_no_other(count: int) -> None:
    net = network()
    assert np.array_equal(maps(net, count), maps(net, 200)[:count])


def test_computing_leaves_everything_as_it_was() -> None:
    net = network().train()
    net.stages[1].eval()
    modes = [module.training for module in net.modules()]
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random, cudnn = torch.get_rng_state(), torch.backends.cudnn
    flags = cudnn.benchmark, cudnn.deterministic
    probe(net, [2, 3])
    left = stage_maps(net, pixels(200), start=0, stop=3)
    next(left)
    assert [module.training for module in net.modules()] == modes
    assert (cudnn.benchmark, cudnn.deterministic) == flags
    assert not torch.is_inference_mode_enabled()
    left.close()
    assert torch.equal(torch.get_rng_state(), random)
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.requires_grad and p.grad is None for p in net.parameters())


def test_a_probe_tells_the_shape() -> None:
    first, second = probe(network(), [3, 2])
    assert (first.stages, first.shape) == (2, (6, 10, 6))
    assert (second.stages, second.shape, second.bytes_an_image) == (3, (3, 5, 8), 480)
    assert first.problem == second.problem == ""
    assert first.digest != second.digest


def test_a_probe_is_the_same_by_whatever_way() -> None:
    assert probe(network(), [3])[0] == probe(network(), [1, 2, 3])[2]
    net = network()
    net.train()
    net.head[-1].weight.data.zero_()
    assert probe(net, [2, 3]) == probe(network(), [2, 3])


def weights(net: Classifier) -> None:
    net.stages[1][0].weight.data[0, 0, 0, 0] += 1e-3


def statistics(net: Classifier) -> None:
    net.get_buffer("stages.block1.conv1_norm.running_var").mul_(1.01)


def dropped_activation(net: Classifier) -> None:
    """Another function of the same weights, which looks the same when it is printed."""
    relu = next(m for m in net.stages[1].modules() if isinstance(m, nn.ReLU))
    relu.forward = lambda x: x.abs()  # type: ignore[method-assign]


def a_rate(net: Classifier) -> None:
    dropout = next(m for m in net.stages[1].modules() if isinstance(m, nn.Dropout))
    dropout.p = 0.25


@pytest.mark.parametrize("change", [weights, statistics, dropped_activation, a_rate])
def test_other_stages_have_another_digest(change: Callable[[Classifier], None]) -> None:
    net = network()
    change(net)
    assert {p.digest for p in probe(net, [2, 3])}.isdisjoint(
        p.digest for p in probe(network(), [2, 3])
    )


def test_what_comes_later_changes_no_digest() -> None:
    net = network()
    net.stages[2][0].weight.data.zero_()
    (before, after), (same, other) = probe(network(), [2, 3]), probe(net, [2, 3])
    assert before == same
    assert after != other


def test_another_normalization_has_another_digest() -> None:
    other = InputSpec(height=12, width=20, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    assert probe(network(), [2])[0].digest != probe(network(other), [2])[0].digest


@pytest.mark.parametrize("what", ["threads", "torch", "processor", "device"])
def test_another_machine_has_another_digest(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from convlens.core.device import describe_machine

    before = probe(network(), [2])[0].digest
    monkeypatch.setattr(
        "convlens.runs.frozen_stages.describe_machine",
        lambda device: {**describe_machine(device), what: "another"},
    )
    assert probe(network(), [2])[0].digest != before


class _Random(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


class _Vector(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


@pytest.mark.parametrize(
    ("stage", "problem"),
    [
        (_Random(), "is random, or depends on the others of its batch"),
        (nn.BatchNorm2d(3, track_running_stats=False), "depends on the others of its batch"),
        (_Vector(), "has 2 dimensions, a feature map has 4"),
        (nn.Conv2d(3, 4, 1).double(), "torch.float64, features are kept in float32"),
    ],
)
def test_stages_whose_features_cannot_be_kept(stage: nn.Module, problem: str) -> None:
    class Doubled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.double() if problem.startswith("torch") else x

    stages = {"first": nn.Conv2d(3, 3, 1), "second": nn.Sequential(Doubled(), stage)}
    first, second = probe(Classifier(stages, nn.Flatten(), SPEC), [2, 3])
    assert first.problem == ""
    assert problem in second.problem


def test_an_interruption_leaves_no_thread() -> None:
    """The fixture for all tests looks for threads."""
    running: Iterator[np.ndarray] = stage_maps(network(), pixels(200), start=0, stop=2)
    next(running)
    running.close()  # type: ignore[attr-defined]
