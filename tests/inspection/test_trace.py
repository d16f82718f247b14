import json

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from convlens.core.classifier import Classifier
from convlens.core.input_spec import InputSpec
from convlens.inspection import build_named, describe, trace
from convlens.models import known_models

SMALL_ENOUGH = tuple(name for name in known_models() if name not in {"resnet101", "resnet152"})


def traced(text, shape=None, **options):
    head = options.pop("head", "published")
    named = build_named(describe(text, head=head), input_shape=shape, **options)
    return trace(named.network, shape or named.input_shape, notes=named.notes)


def rows(found):
    """Rows of their own, by name: activations and the like left out."""
    return {layer.name: layer for layer in found.layers if not layer.follows}


class TestTheSmallNetwork:
    """The 28×28 network, figure by figure."""

    @pytest.fixture
    def found(self):
        return traced("simple")

    def test_shapes_height_width_channels(self, found):
        shapes = [row["output_shape"] for row in found.as_json()["layers"] if not row["follows"]]
        assert shapes == [
            [26, 26, 16],
            [13, 13, 16],
            [11, 11, 32],
            [5, 5, 32],
            [3, 3, 64],
            [576],
            [128],
            [10],
        ]

    def test_how_they_follow(self, found):
        assert [row.formula for row in found.layers if not row.follows] == [
            "(28 − 3 + 2·0)/1 + 1 = 26",
            "(26 − 2 + 2·0)/2 + 1 = 13",
            "(13 − 3 + 2·0)/1 + 1 = 11",
            "⌊(11 − 2 + 2·0)/2⌋ + 1 = 5",
            "(5 − 3 + 2·0)/1 + 1 = 3",
            "3·3·64 = 576",
            "576 → 128",
            "128 → 10",
        ]

    def test_parameters(self, found):
        weighted = [row.parameters for row in found.layers if row.parameters]
        assert weighted == [160, 4_640, 18_496, 73_856, 1_290]
        assert found.parameters == found.trainable_parameters == 98_442

    def test_multiply_adds_counted_by_hand(self, found):
        macs = [row.macs for row in found.layers if row.macs]
        by_hand = [26 * 26 * 16 * 9, 11 * 11 * 32 * 9 * 16, 3 * 3 * 64 * 9 * 32, 576 * 128, 1280]
        assert macs == by_hand
        assert found.macs == sum(by_hand)

    def test_receptive_fields_and_jumps(self, found):
        seen = [(row.receptive_field, row.jump) for row in found.layers if not row.follows]
        assert seen[:5] == [(3, 1), (4, 2), (8, 2), (10, 4), (18, 4)]
        assert seen[6] == (18 + 2 * 4, None)  # a dense layer reads all 3×3 places

    def test_activation_memory(self, found):
        layers = {layer.name: layer for layer in found.layers}
        assert layers["block1.conv1"].activation_bytes == 26 * 26 * 16 * 4
        assert layers["head.flatten"].activation_bytes == 0  # the same numbers, seen as a vector
        assert found.activation_bytes == sum(la.activation_bytes for la in found.layers)

    def test_activations_are_rows_named_with_what_they_follow(self, found):
        layers = {layer.name: layer for layer in found.layers}
        assert layers["block1.conv1_relu"].follows == "block1.conv1"
        assert layers["block1.conv1_relu"].type == "ReLU"

    def test_the_json_is_json_and_has_the_agreed_keys(self, found):
        told = json.loads(json.dumps(found.as_json(), allow_nan=False))
        assert told["input"] == [28, 28, 1]
        assert {"layers", "parameters", "trainable_parameters", "macs"} <= told.keys()
        assert {
            "name",
            "type",
            "output_shape",
            "parameters",
            "trainable_parameters",
            "macs",
            "receptive_field",
        } <= told["layers"][0].keys()


@pytest.mark.parametrize(
    ("name", "parameters", "statistics"),
    [("standard", 815_530, 816_938 - 815_530), ("standard_no_bn", 814_122, 0)],
)
def test_the_standard_networks(name, parameters, statistics):
    found = traced(name)
    assert (found.parameters, found.statistics) == (parameters, statistics)


@pytest.mark.parametrize(
    ("name", "features"),
    [("vgg16", (512, 7, 7)), ("resnet50", (2048, 7, 7)), ("mobilenet_v2", (1280, 7, 7))],
)
def test_features_without_a_head(name, features):
    found = traced(name, head="none")
    assert found.output_shape == features
    if name == "vgg16":
        assert found.parameters == 14_714_688


@pytest.mark.parametrize(("head", "cost"), [("flatten", 6_422_784), ("globalavgpool", 131_328)])
def test_a_dense_layer_behind_flatten_and_behind_global_pooling(head, cost):
    found = traced("vgg16", head=f"{head}, dense 256 relu, dense")
    assert rows(found)["head.dense1"].parameters == cost


def test_a_dense_layer_on_raw_pixels():
    found = traced("flatten, dense 1024, dense", shape=(3, 224, 224))
    assert rows(found)["head.dense1"].parameters == 154_141_696


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("alexnet", 0.714e9),
        ("vgg16", 15.47e9),
        ("resnet18", 1.814e9),
        ("resnet34", 3.664e9),
        ("resnet50", 4.089e9),
        ("mobilenet_v2", 0.301e9),
    ],
)
def test_multiply_adds_as_published(name, published):
    """torchvision's table of weights, column GFLOPS, which counts multiply-adds."""
    assert traced(name).macs == pytest.approx(published, rel=2e-3)


@pytest.mark.parametrize("name", SMALL_ENOUGH)
def test_totals_are_the_real_ones(name):
    named = build_named(describe(name), numbers=False)
    network, shape = named.network, named.input_shape
    found = trace(network, shape)
    assert found.parameters == sum(p.numel() for p in network.parameters())
    assert found.parameters == sum(layer.parameters for layer in found.layers)
    kept = [t for n, t in network.state_dict().items() if "running" in n]
    assert found.statistics == sum(t.numel() for t in kept)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros((1, *shape), device="meta"))
    assert found.macs == counter.get_total_flops() // 2
    assert len({layer.name for layer in found.layers}) == len(found.layers)


@pytest.mark.parametrize("name", ["standard", "resnet18", "mobilenet_v2"])
def test_every_module_gives_the_shape_that_the_trace_says(name):
    """A run with numbers, and plain hooks: neither the meta device nor the dispatch mode."""
    shape = (3, 48, 40)
    network = build_named(describe(name), input_shape=shape, numbers=True).network.eval()
    real = {}
    for path, module in network.named_modules():
        key = path.removeprefix("stages.")
        module.register_forward_hook(lambda _m, _i, out, key=key: real.update({key: out.shape}))
    with torch.no_grad():
        network(torch.zeros(1, *shape))
    for layer in trace(network, shape).layers:
        if layer.name in real:
            assert layer.output_shape == tuple(real[layer.name][1:])


@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("side", [7, 8, 28])
def test_same_and_valid(kernel, stride, side):
    text = f"conv 4 {kernel} /{stride} PADDING, globalavgpool, dense"
    found = traced(text.replace("PADDING", "same"), shape=(1, side, side))
    assert rows(found)["block1.conv1"].output_shape[1:] == (-(-side // stride),) * 2
    found = traced(text.replace("PADDING", "valid"), shape=(1, side, side))
    expected = (side - kernel) // stride + 1
    assert rows(found)["block1.conv1"].output_shape[1:] == (expected,) * 2


def test_same_with_stride_two_pads_below_and_right():
    found = rows(traced("conv 4 3 /2 same, globalavgpool, dense", shape=(1, 8, 8)))
    assert found["block1.conv1_pad"].formula == "8 + 0 + 1 = 9"
    assert found["block1.conv1"].formula == "(9 − 3 + 2·0)/2 + 1 = 4"


def test_same_inside_one_convolution_is_one_sum():
    found = trace(nn.Conv2d(1, 4, 4, padding="same", bias=False), (1, 9, 9))
    assert [layer.formula for layer in found.layers] == ["(9 − 4 + 1 + 2)/1 + 1 = 9"]


def test_height_and_width_may_differ():
    found = rows(traced("simple", shape=(1, 28, 32)))
    assert found["block1.conv1"].output_shape == (16, 26, 30)
    assert found["block1.conv1"].formula == ("(28 − 3 + 2·0)/1 + 1 = 26; (32 − 3 + 2·0)/1 + 1 = 30")


def test_branches_meet_in_a_row_of_their_own():
    found = rows(traced("resnet18", shape=(3, 224, 224)))
    joined = found["layer2.block1.add"]
    assert joined.formula == "sum of 2"
    long, short = found["layer2.block1.conv2.conv"], found["layer2.block1.shortcut.conv"]
    assert joined.receptive_field == max(long.receptive_field, short.receptive_field)
    assert long.receptive_field > short.receptive_field


def test_the_small_stem_is_told():
    assert any("small-image stem" in note for note in traced("resnet18", shape=(3, 32, 32)).notes)
    assert not any("stem" in note for note in traced("resnet18").notes)


def test_frozen_parameters():
    network = build_named(describe("simple")).network
    network.stages.requires_grad_(False)
    found = trace(network, (1, 28, 28))
    assert found.parameters == 98_442
    assert found.trainable_parameters == 73_856 + 1_290
    first = found.layers[0]
    assert (first.parameters, first.trainable_parameters) == (160, 0)


class TestTheModuleStaysAsItWas:
    @pytest.fixture
    def module(self):
        class Counting(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
                self.drop, self.runs = nn.Dropout(0.5), 0
                self.register_buffer("seen", torch.zeros(()))

            def forward(self, x):
                self.runs += 1
                self.seen += 1
                self.last = self.drop(self.norm(self.conv(x)))
                return self.last

        module = Counting()
        module.norm.eval()
        module.conv.register_forward_hook(lambda *_: None)
        return module

    def test_modes_hooks_buffers_attributes_and_gradients(self, module):
        def state():
            return (
                {name: child.training for name, child in module.named_modules()},
                {n: (len(c._forward_hooks), len(c._forward_pre_hooks)) for n, c in named()},
                {name: tensor.tolist() for name, tensor in module.state_dict().items()},
                sorted(vars(module)),
                module.runs,
                [p.grad for p in module.parameters()],
                torch.get_rng_state().tolist(),
            )

        def named():
            return module.named_modules()

        before, tensors = state(), [id(t) for t in module.state_dict(keep_vars=True).values()]
        trace(module, (1, 8, 8))
        assert state() == before
        assert [id(t) for t in module.state_dict(keep_vars=True).values()] == tensors

    def test_after_a_forward_that_left_a_graph_behind(self, module):
        module(torch.zeros(2, 1, 8, 8))  # `last` cannot be copied as it is
        runs, last = module.runs, module.last
        assert trace(module, (1, 8, 8)).output_shape == (4, 6, 6)
        assert module.runs == runs
        assert module.last is last

    def test_where_it_cannot_be_copied(self, module):
        class Locked(nn.Module):
            def __init__(self, inner):
                super().__init__()
                self.inner = inner

            def __deepcopy__(self, memo):
                raise TypeError("cannot pickle '_thread.lock' object")

            def forward(self, x):
                return self.inner(x)

        locked = Locked(module).train()
        module.norm.eval()
        before = {name: tensor.tolist() for name, tensor in locked.state_dict().items()}
        assert trace(locked, (1, 8, 8)).output_shape == (4, 6, 6)
        assert {name: tensor.tolist() for name, tensor in locked.state_dict().items()} == before
        assert [m.training for m in locked.modules()] == [True, True, True, False, True]
        assert not any(m._forward_pre_hooks for m in locked.modules())


def test_a_classifier_that_normalizes():
    spec = InputSpec(height=8, width=8, mean=(0.5,) * 3, std=(0.2,) * 3)
    network = Classifier({"block1": nn.Conv2d(3, 4, 3)}, nn.Flatten(), spec)
    found = trace(network, (3, 8, 8))
    assert [layer.name for layer in found.layers] == ["block1", "head"]
