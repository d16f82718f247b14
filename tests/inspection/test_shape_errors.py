"""What a person reads when a shape does not fit; every case is another mistake."""

import re

import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection import build_named, check_input, describe, trace


def simple():
    return build_named(describe("simple")).network


class Meeting(nn.Module):
    """Two branches, and what is done where they meet."""

    def __init__(self, meet):
        super().__init__()
        self.long, self.short = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(3, 4, 1)
        self.meet = meet

    def forward(self, x):
        return self.meet(self.long(x), self.short(x))


def joined(a, b):
    return torch.cat([a, b], 1)


def reshaped(a, _):
    return a.view(-1, 8 * 16 * 16)


# One image's shape: channels, height, width. What must be told: problem, sum, remedy.
IN_THE_NETWORK = {
    "wrong channels": (
        simple,
        (3, 28, 28),
        "'block1.conv1' (Conv2d) fails: it takes 1 channel, but 3 reach it",
        "3 ≠ 1",
        "turn the images gray, or build the network for 3 channels",
    ),
    "an alpha channel": (
        lambda: nn.Conv2d(3, 8, 3),
        (4, 28, 28),
        "it takes 3 channels, but 4 reach it",
        "4 ≠ 3",
        "leave the alpha channel out: x[:, :3]",
    ),
    "wrong size": (
        simple,
        (1, 32, 32),
        "'head.dense1' (Linear) fails: it takes 576 numbers, but 1,024 reach it",
        "4·4·64 = 1,024 ≠ 576",
        "an input of 26 to 29 pixels a side; or a dense layer that takes 1,024; or global average",
    ),
    "a kernel that no longer fits": (
        simple,
        (1, 12, 12),
        "'block3.conv1' (Conv2d) fails: its 3×3 window does not fit the 1×1 map",
        "(1 − 3 + 2·0)/1 + 1 = −1",
        "an input of at least 18×18 pixels",
    ),
    "a dilated kernel that does not fit": (
        lambda: nn.Conv2d(1, 1, 3, dilation=4),
        (1, 8, 8),
        "its 9×9 window does not fit the 8×8 map",
        "(8 − 9 + 2·0)/1 + 1 = 0, 9 = 4·(3 − 1) + 1",
        "at least 9×9 pixels",
    ),
    "one pool too many": (
        lambda: build_named(describe("vgg16")).network,
        (3, 20, 20),
        "'block5.pool' (MaxPool2d) fails: its 2×2 window does not fit the 1×1 map",
        "⌊(1 − 2 + 2·0)/2⌋ + 1 = 0",
        "an input of at least 32×32 pixels; or a smaller window",
    ),
    "an average pool over too little": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.AvgPool2d(8)),
        (3, 8, 8),
        "its 8×8 window does not fit the 6×6 map",
        "⌊(6 − 8 + 2·0)/8⌋ + 1 = 0",
        "at least 10×10 pixels",
    ),
    "filters that the next convolution does not expect": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(16, 4, 3)),
        (3, 8, 8),
        "'1' (Conv2d) fails: it takes 16 channels, but 8 reach it from '0'",
        "8 ≠ 16",
        "in_channels=8 here; or 16 filters in the convolution before it",
    ),
    "groups": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3, groups=3), nn.Conv2d(4, 4, 3, groups=4)),
        (3, 8, 8),
        "it takes 4 channels, but 6 reach it",
        "6 ≠ 4",
        "in_channels=6 here",
    ),
    "normalization of other channels": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(16)),
        (3, 8, 8),
        "'1' (BatchNorm2d) fails: it takes 16 channels, but 8 reach it",
        "8 ≠ 16",
        "num_features=8 here",
    ),
    "group normalization": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.GroupNorm(2, 8)),
        (3, 8, 8),
        "it takes 8 channels, but 6 reach it",
        "6 ≠ 8",
        "num_channels=6 here",
    ),
    "layer normalization over the wrong axes": (
        lambda: nn.Sequential(nn.Conv2d(3, 6, 3), nn.LayerNorm([6, 8, 8])),
        (3, 8, 8),
        "it normalizes over 6×8×8",
        "6×6×6 ≠ 6×8×8",
        "normalized_shape as the map has it",
    ),
    "flatten forgotten": (
        lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.Linear(16, 4)),
        (3, 8, 8),
        "it takes vectors of 16, but a 6×6×8 map reaches it",
        "flattened it has 288",
        "flatten, or global average pooling, before it",
    ),
    "dense layers that do not follow": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(16, 4), nn.Linear(5, 3)),
        (1, 4, 4),
        "it takes 5 numbers, but 4 reach it",
        "4 ≠ 5",
        "a dense layer that takes 4",
    ),
    "a convolution behind flatten": (
        lambda: nn.Sequential(nn.Flatten(), nn.Conv2d(16, 4, 3)),
        (1, 4, 4),
        "it takes a map (C×H×W), but a vector of 16 reaches it",
        "2 ≠ 4 axes",
        "put it before flatten and global pooling",
    ),
    "branches of different shapes": (
        lambda: Meeting(torch.add),
        (3, 8, 8),
        "branches of different shapes meet (add)",
        "4×4×8 ≠ 8×8×4",
        "a 1×1 convolution with 8 filters, stride 2 on the shortcut",
    ),
    "maps of different sides joined": (
        lambda: Meeting(joined),
        (3, 8, 8),
        "maps can only be joined where they agree in everything but the channels",
        "4×4×8 and 8×8×4",
        "the same stride and padding in every branch",
    ),
    "a reshape for another size": (
        lambda: Meeting(reshaped),
        (3, 20, 20),
        "it cuts the map into 2048 for each image",
        "8·10·10 = 800 ≠ 2,048",
        "x.flatten(1), which takes any size",
    ),
    "anything else, in torch's own words": (
        lambda: nn.Unflatten(1, (2, 2)),
        (3, 8, 8),
        "'Unflatten' (Unflatten) fails: it cannot work with 8×8×3",
        "don't multiply up to the size of dim 1",
        "the size and channels that the network was written for",
    ),
}


@pytest.mark.parametrize("case", IN_THE_NETWORK)
def test_the_problem_the_sum_and_the_remedy(case):
    network, shape, problem, sum_, remedy = IN_THE_NETWORK[case]
    with pytest.raises(ConvlensError) as caught:
        trace(network(), shape)
    first, *rows, failing, last = caught.value.message.splitlines()
    assert problem in first
    assert sum_ in failing
    assert last.startswith("to mend it: ")
    assert remedy in last
    assert rows[0].split() == ["input", "×".join(map(str, (*shape[1:], shape[0])))]
    assert (caught.value.code, caught.value.exit_status) == ("shape-mismatch", 2)


BATCHES = {
    "no channel axis": ((60, 28, 28), "(N×H×W) has no channel axis", "x[:, None]", (60, 1, 28, 28)),
    "channels last": (
        (7, 28, 28, 1),
        "has its channels last (N×H×W×C)",
        "x.permute(0, 3, 1, 2)",
        (7, 1, 28, 28),
    ),
    "one image without a batch": ((1, 28, 28), "without a batch axis", "x[None]", (1, 1, 28, 28)),
    "one image, channels last": (
        (28, 28, 1),
        "one image with its channels last (H×W×C)",
        "x.permute(2, 0, 1)[None]",
        (1, 1, 28, 28),
    ),
    "neither batch nor channels": (
        (28, 30),
        "neither a batch nor a channel axis",
        "x[None, None]",
        (1, 1, 28, 30),
    ),
    "flattened images": (
        (7, 784),
        "flattened into vectors",
        "x.reshape(-1, 1, 28, 28)",
        (7, 1, 28, 28),
    ),
    "five axes": ((5, 4, 1, 28, 28), "has 5 axes", "x.flatten(0, 1)", (20, 1, 28, 28)),
}


@pytest.mark.parametrize("case", BATCHES)
def test_batches_handed_over_wrongly_and_their_remedies(case):
    """The remedy is applied as it is written, and gives what the network takes."""
    shape, problem, remedy, mended = BATCHES[case]
    with pytest.raises(ConvlensError, match=re.escape(problem)) as caught:
        check_input(simple(), shape)
    assert remedy in caught.value.message
    assert tuple(eval(remedy, {"x": torch.zeros(shape)}).shape) == mended  # noqa: S307


def test_gray_images_for_a_network_of_colors():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten())
    with pytest.raises(ConvlensError, match=re.escape("x[:, None].expand(-1, 3, -1, -1)")):
        check_input(network, (9, 28, 28))


def test_a_convolution_alone_would_take_one_image_without_a_batch():
    spec = InputSpec(height=8, width=8)
    network = Classifier({"block1": nn.Conv2d(3, 4, 3)}, nn.Identity(), spec)
    with pytest.raises(ConvlensError, match="without a batch axis"):
        check_input(network, (3, 8, 8))
    check_input(nn.Conv2d(3, 4, 3), (3, 8, 8))  # of a module that is no classifier, who knows


def test_a_batch_that_fits_passes():
    check_input(simple(), (7, 1, 28, 28))


@pytest.mark.parametrize("normalized", [False, True])
def test_one_channel_is_not_quietly_spread_over_three(normalized):
    """Broadcasting in the normalization would make three channels of one."""
    constants = {"mean": (0.5,) * 3, "std": (0.2,) * 3} if normalized else {}
    spec = InputSpec(height=8, width=8, **constants)
    network = Classifier({"block1": nn.Conv2d(3, 4, 3)}, nn.Flatten(), spec)
    for refuse in (lambda: trace(network, (1, 8, 8)), lambda: check_input(network, (5, 1, 8, 8))):
        with pytest.raises(ConvlensError, match="1 ≠ 3"):
            refuse()


def test_four_channels_into_a_normalizing_network():
    spec = InputSpec(height=8, width=8, mean=(0.5,) * 3, std=(0.2,) * 3)
    network = Classifier({"block1": nn.Conv2d(3, 4, 3)}, nn.Flatten(), spec)
    with pytest.raises(ConvlensError, match="'normalize' .*takes 3 channels, but 4 reach it"):
        trace(network, (4, 8, 8))


def test_the_trace_up_to_the_failing_layer():
    with pytest.raises(ConvlensError) as caught:
        trace(simple(), (1, 12, 12))
    assert caught.value.message.splitlines()[1:7] == [
        "  input         12×12×1",
        "  block1.conv1  10×10×16  (12 − 3 + 2·0)/1 + 1 = 10",
        "  block1.pool   5×5×16    (10 − 2 + 2·0)/2 + 1 = 5",
        "  block2.conv1  3×3×32    (5 − 3 + 2·0)/1 + 1 = 3",
        "  block2.pool   1×1×32    ⌊(3 − 2 + 2·0)/2⌋ + 1 = 1",
        "  block3.conv1            (1 − 3 + 2·0)/1 + 1 = −1",
    ]


def test_a_long_trace_is_cut_above():
    network = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(60)))
    with pytest.raises(ConvlensError) as caught:
        trace(network, (1, 100, 100))
    lines = caught.value.message.splitlines()
    assert len(lines) < 30
    assert lines[1] == "  … 27 rows before"


def test_the_remedies_are_true():
    """The sizes that an error names work, and their neighbors do not."""
    network = simple()
    for side, works in ((25, False), (26, True), (29, True), (30, False)):
        if works:
            trace(network, (1, side, side))
        else:
            with pytest.raises(ConvlensError):
                trace(network, (1, side, side))


def test_a_mistake_in_the_modules_own_code():
    class Broken(nn.Module):
        def forward(self, x):
            return x + self.absent

    with pytest.raises(ConvlensError, match="has no attribute 'absent'"):
        trace(nn.Sequential(nn.Conv2d(1, 1, 3), Broken()), (1, 8, 8))


class Averaging(nn.Module):
    """As many maps as a map has rows; a mean over each, and no flatten."""

    def __init__(self):
        super().__init__()
        self.conv, self.dense = nn.Conv2d(1, 26, 3), nn.Linear(10, 2)

    def forward(self, x):
        return self.dense(self.conv(x).mean((2, 3)))


def test_a_sum_that_ends_in_the_same_number_is_no_flatten():
    with pytest.raises(ConvlensError) as caught:
        trace(Averaging(), (1, 28, 28))
    assert "  26 ≠ 10\n" in str(caught.value)
    assert str(caught.value).endswith("to mend it: a dense layer that takes 26")
