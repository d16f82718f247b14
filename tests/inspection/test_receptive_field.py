"""Receptive fields against the support of a gradient: a method that knows nothing of formulas."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convlens.core.input_spec import InputSpec
from convlens.inspection import trace
from convlens.inspection.receptive_field import UNKNOWN, Axis, Seen
from convlens.models import ModelSpec, build_architecture


def softened(module):
    """A copy whose gradient reaches whatever a unit can see, with nothing to cancel it.

    Kernels are positive, max pools average, normalization does nothing. One channel is enough
    everywhere: what a unit sees does not depend on how many there are.
    """
    module = copy.deepcopy(module).eval()
    for name, child in list(module.named_modules()):
        if isinstance(child, nn.Conv2d):
            shape = (child.kernel_size, child.stride, child.padding, child.dilation)
            thin = nn.Conv2d(1, 1, *shape, bias=False)
            nn.init.constant_(thin.weight, 1 / thin.weight.numel())
            module.set_submodule(name, thin)
        elif isinstance(child, nn.MaxPool2d):
            pool = (child.kernel_size, child.stride, child.padding, child.ceil_mode)
            module.set_submodule(name, nn.AvgPool2d(*pool))
        elif isinstance(child, nn.BatchNorm2d):
            module.set_submodule(name, nn.Identity())
    return module.double()


def support(module, side):
    """Rows and columns of the input that the central output unit's gradient reaches."""
    image = torch.full((1, 1, side, side), 1e-3, dtype=torch.float64, requires_grad=True)
    out = softened(module)(image)
    out[0, :, out.shape[2] // 2, out.shape[3] // 2].sum().backward()
    reached = image.grad[0, 0] > 0
    rows, columns = reached.any(1).nonzero(), reached.any(0).nonzero()
    return int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1


def stages(name, side, channels=3, **options):
    spec = InputSpec(height=side, width=side, channels=channels)
    return build_architecture(ModelSpec(name=name, head="none", **options), spec, classes=0).stages


@pytest.mark.parametrize(
    ("name", "side", "channels", "field"),
    [
        ("simple", 48, 1, 18),
        ("standard", 64, 3, 36),
        ("lenet5", 32, 1, 16),
        ("alexnet", 256, 3, 195),
        ("vgg11", 256, 3, 150),
        ("vgg16", 320, 3, 212),
    ],
)
def test_sequential_families(name, side, channels, field):
    network = stages(name, side, channels)
    found = trace(network, (channels, side, side))
    assert found.receptive_field == field
    assert support(network, side) == (field, field)


@pytest.mark.parametrize(
    ("name", "small_stem", "side", "field"),
    [
        ("resnet18", True, 160, 109),
        ("resnet18", False, 512, 435),
        ("resnet34", False, 1024, 899),
        ("resnet50", False, 512, 427),
        ("mobilenet_v2", False, 576, 491),
    ],
)
def test_residual_families(name, small_stem, side, field):
    network = stages(name, side, small_stem=small_stem)
    assert trace(network, (3, side, side)).receptive_field == field
    assert support(network, side) == (field, field)


def test_every_layer_of_a_residual_network():
    """Stage by stage, the branch that sees more decides."""
    network = stages("resnet18", 160, small_stem=True)
    layers = {layer.name: layer for layer in trace(network, (3, 160, 160)).layers}
    for end in range(2, len(network) + 1):
        name = [*dict(network.named_children())][end - 1]
        last = [layer for layer in layers.values() if layer.name.startswith(name)][-1]
        assert support(network[:end], 160)[0] == last.receptive_field


layer = st.builds(
    dict,
    kernel_size=st.sampled_from([(1, 1), (3, 3), (5, 5), (3, 1), (2, 4)]),
    stride=st.sampled_from([1, 2, (2, 1)]),
    dilation=st.sampled_from([1, 2]),
    padding=st.sampled_from([0, 1]),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(layer, min_size=1, max_size=4))
def test_any_stack_of_windows(layers):
    side = 150
    network = nn.Sequential(*(nn.Conv2d(1, 1, **each) for each in layers))
    found = trace(network, (1, side, side))
    rows, columns = support(network, side)
    # A kernel with gaps and strides may skip pixels inside, never at the ends.
    assert found.receptive_field == max(rows, columns)


@settings(deadline=None, max_examples=30)
@given(st.lists(layer, min_size=0, max_size=2), st.sampled_from([1, 2]))
def test_branches_that_meet(layers, stride):
    """A branch of any depth around a strided 1×1 convolution."""

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            same = [
                nn.Conv2d(1, 1, each["kernel_size"], dilation=each["dilation"], padding="same")
                for each in layers
                if each["kernel_size"][0] % 2 == 1 and each["kernel_size"][1] % 2 == 1
            ]
            self.long = nn.Sequential(*same, nn.Conv2d(1, 1, 3, stride, padding=1))
            self.short = nn.Conv2d(1, 1, 1, stride)

        def forward(self, x):
            return self.long(x) + self.short(x)

    network = nn.Sequential(nn.Conv2d(1, 1, 3), Block(), nn.Conv2d(1, 1, 3))
    found = trace(network, (1, 100, 100))
    assert found.receptive_field == max(support(network, 100))


def test_asymmetric_padding_moves_the_field_and_does_not_widen_it():
    network = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(1, 1, 3, 2), nn.Conv2d(1, 1, 3))
    assert trace(network, (1, 30, 30)).receptive_field == max(support(network, 30)) == 7


def test_two_small_kernels_see_what_a_large_one_sees():
    twice = trace(nn.Sequential(nn.Conv2d(64, 64, 3), nn.Conv2d(64, 64, 3)), (64, 9, 9))
    once = trace(nn.Conv2d(64, 64, 5), (64, 9, 9))
    assert twice.receptive_field == once.receptive_field == 5
    assert twice.parameters == 2 * (9 * 64 * 64 + 64) < once.parameters == 25 * 64 * 64 + 64


def test_axes():
    pixels = Axis.of_input(20)
    pooled = pixels.window(kernel=2, stride=2, before=0, dilation=1, count=10)
    assert (pooled.size, pooled.jump, pooled.end) == (2, 2, 20)
    assert pooled.gathered() == Axis(0, 20, None, 20, whole=True)
    assert pixels.joined(pooled) is None  # maps of other jumps never meet unit by unit
    assert pooled.adaptive(10, 5).size == 4
    uneven = pooled.adaptive(10, 4)
    assert (uneven.size, uneven.jump) == (6, None)
    assert uneven.window(kernel=3, stride=1, before=0, dilation=1, count=2) is None
    assert uneven.padded(1, 1) is None
    gate = pooled.gathered().joined(pooled)
    assert (gate.size, gate.jump, gate.whole) == (20, 2, True)
    assert Seen.of_image(4, 4).joined(UNKNOWN) is UNKNOWN
    assert UNKNOWN.gathered() is UNKNOWN
