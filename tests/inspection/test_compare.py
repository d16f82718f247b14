import json

import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.core.rng import Stream, derived_seed
from convlens.inspection import (
    PublishedAccuracy,
    Timing,
    build_named,
    common_input,
    compare,
    describe,
    given_network,
    gradient_by_depth,
    published_accuracy,
    trained_network,
)
from convlens.inspection.compare import guidance

QUICK = {"repeats": 3, "seconds": 0.0, "batch_size": 2}


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def test_two_small_kernels_against_a_large_one():
    """The same receptive field, and fewer parameters."""
    channels = 16
    stacked = nn.Sequential(nn.Conv2d(channels, channels, 3), nn.Conv2d(channels, channels, 3))
    single = nn.Conv2d(channels, channels, 5)
    found = compare({"3×3 twice": stacked, "5×5": single}, (channels, 12, 12), **QUICK)
    twice, once = found.networks
    assert twice.receptive_field == once.receptive_field == 5
    assert twice.feature_shape == once.feature_shape == (channels, 8, 8)
    assert twice.parameters == 2 * (9 * channels**2 + channels)
    assert once.parameters == 25 * channels**2 + channels
    assert twice.parameters < once.parameters


class Residual(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return x + self.inner(x)


def stack(depth, *, skips):
    def block():
        inner = nn.Sequential(nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))
        return Residual(inner) if skips else inner

    return seeded(lambda: nn.Sequential(*(block() for _ in range(depth))))


def test_gradients_fade_without_skips_and_hold_with_them():
    networks = {"plain": stack(16, skips=False), "residual": stack(16, skips=True)}
    found = compare(networks, (8, 10, 10), gradients=True, **QUICK)
    plain, residual = (network.gradient_ratio for network in found.networks)
    assert plain < 1e-3
    assert residual > 0.1
    norms = [gradient.norm for gradient in found.networks[0].gradients]
    assert norms[0] < norms[5] < norms[10] < norms[-1]


class TestTheRow:
    @pytest.fixture
    def found(self):
        names = ("vgg11", "resnet18", "simple")
        networks = {
            name: build_named(
                describe(name, head="globalavgpool, dense"),
                input_shape=(3, 64, 64),
                classes=10,
                numbers=True,
            ).network
            for name in names
        }
        top1 = published_accuracy(networks)
        return compare(networks, (3, 64, 64), top1=top1, **QUICK)

    def test_what_they_are(self, found):
        vgg, resnet, simple = found.networks
        assert (vgg.weighted_layers, resnet.weighted_layers, simple.weighted_layers) == (9, 21, 4)
        assert vgg.feature_shape == (512, 2, 2)
        assert vgg.weight_bytes == 4 * vgg.parameters
        assert resnet.weight_bytes > 4 * resnet.parameters  # and its statistics
        assert resnet.top1 == PublishedAccuracy(percent=69.758, source=resnet.top1.source)
        assert simple.top1 is None

    def test_how_fast(self, found):
        for network in found.networks:
            for timing in (network.latency, network.throughput):
                assert timing.n >= 3
                assert 0 < timing.low <= timing.median <= timing.high

    def test_one_json_object(self, found):
        told = json.loads(json.dumps(found.as_json(), allow_nan=False))
        assert told["input"] == [64, 64, 3]
        assert told["networks"][0]["feature_shape"] == [2, 2, 512]
        assert told["networks"][1]["top1"]["percent"] == 69.758
        assert set(told["networks"][0]["latency"]) == {"n", "median", "low", "high"}
        assert told["machine"]["torch"] == torch.__version__

    def test_the_networks_keep_their_modes(self):
        net = build_named(describe("simple"), numbers=True).network.train()
        net.stages.eval()
        compare({"a": net}, (1, 28, 28), **QUICK)
        assert net.training
        assert not any(module.training for module in net.stages.modules())


def test_guidance_says_what_can_be_told_and_what_cannot():
    def network(name, median, spread, size, top1=None):
        timing = Timing(n=5, median=median, low=median - spread, high=median + spread)
        found = compare({name: nn.Conv2d(1, 1, 1)}, (1, 4, 4), **QUICK).networks[0]
        accuracy = PublishedAccuracy(percent=top1, source="a paper") if top1 else None
        changes = {"latency": timing, "weight_bytes": size, "top1": accuracy}
        return type(found)(**{**vars(found), **changes})

    slow = network("slow", 1.0, 0.01, 50, 80.0)
    fast = network("fast", 0.1, 0.01, 10, 70.0)
    alike = network("alike", 0.105, 0.01, 99)
    assert guidance([slow, fast]) == (
        "fast is the fastest here and the smallest, slow the most accurate on ImageNet "
        "(80.0 %); which is best on your images, only training them tells."
    )
    assert guidance([alike, fast]).startswith(
        "alike and fast are too close in speed here to tell apart, fast the smallest; "
    )
    assert "two networks or more" in guidance([fast])


def test_a_network_that_does_not_fit_is_told_before_anything_is_timed():
    networks = {"fits": nn.Conv2d(1, 1, 3), "does not": nn.Conv2d(3, 1, 3)}
    with pytest.raises(ConvlensError, match="takes 3 channels, but 1 reach"):
        compare(networks, (1, 8, 8), **QUICK)


class TestGradientByDepth:
    def test_against_a_sum_by_hand(self):
        net = seeded(lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)))
        (found,) = gradient_by_depth(net, (1, 2, 2), seed=5)
        generator = torch.Generator().manual_seed(derived_seed(5, slot=Stream.WEIGHTS))
        images = torch.rand((8, 1, 2, 2), generator=generator)
        weighing = torch.randn((8, 3), generator=generator)
        by_hand = weighing.T @ images.flatten(1) / 3**0.5 / 8
        assert found.name == "1"
        assert found.norm == pytest.approx(float(by_hand.square().mean().sqrt()), rel=1e-5)

    def test_the_network_is_left_alone(self):
        net = build_named(describe("standard"), numbers=True).network.eval()
        before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
        generator = torch.get_rng_state()
        first = gradient_by_depth(net, (3, 32, 32))
        assert first == gradient_by_depth(net, (3, 32, 32))
        assert torch.equal(torch.get_rng_state(), generator)
        assert all(p.grad is None for p in net.parameters())
        assert not net.training
        for name, tensor in net.state_dict().items():
            assert torch.equal(tensor, before[name])

    def test_nothing_to_measure(self):
        assert gradient_by_depth(nn.Flatten(), (1, 2, 2)) == ()


class TestNamed:
    def test_layers_are_told_from_names(self):
        assert describe("vgg16").name == "vgg16"
        assert describe("conv 8 3").layers == ("conv 8 3",)
        assert describe("flatten", written=True).layers == ("flatten",)
        assert describe(["conv 8 3", "flatten"]).layers == ("conv 8 3", "flatten")

    def test_no_numbers_are_drawn_unless_needed(self):
        state = torch.get_rng_state()
        assert next(build_named(describe("simple")).network.parameters()).is_meta
        assert not next(build_named(describe("simple"), numbers=True).network.parameters()).is_meta
        assert torch.equal(torch.get_rng_state(), state)

    def test_the_input_must_be_known(self):
        with pytest.raises(ConvlensError, match="pass --input"):
            build_named(describe("conv 8 3, flatten, dense"))
        with pytest.raises(ConvlensError, match="pass --input"):
            given_network(nn.Conv2d(1, 1, 1), None)

    def test_something_that_is_no_network(self):
        with pytest.raises(ConvlensError, match="model is a ndarray; expected a network"):
            given_network(torch.zeros(3, 8, 8).numpy(), None)

    def test_a_trained_network_has_its_head(self):
        spec = InputSpec(height=8, width=8)
        net = Classifier({"block1": nn.Conv2d(3, 4, 3)}, nn.Flatten(), spec)
        model = describe("simple")
        whole = trained_network(net, model, head=None, classes=None)
        assert whole.network is net
        features = trained_network(net, model, head="none", classes=None).network
        assert features(torch.zeros(1, 3, 8, 8)).shape == (1, 4, 6, 6)
        for asked in ({"head": "flatten, dense", "classes": None}, {"head": None, "classes": 3}):
            with pytest.raises(ConvlensError, match="trained network has its head"):
                trained_network(net, model, **asked)

    def test_a_common_input(self):
        assert common_input([(3, 32, 32)]) == (3, 32, 32)
        assert common_input([(3, 32, 32), (1, 28, 28)]) == (3, 224, 224)
