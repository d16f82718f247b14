import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from convlens.core.errors import ConvlensError
from convlens.models.blocks import output_shape
from convlens.models.notation import parse_network, split_at_head
from convlens.models.notation_build import head_from_layers, same_padding, stages_from_layers
from convlens.models.notation_path import smallest_side


def stages(text: str, shape: tuple[int, ...] = (3, 32, 32)) -> nn.Sequential:
    built = nn.Sequential()
    for name, stage in stages_from_layers(parse_network(text), shape).items():
        built.add_module(name, stage)
    return built


def names(text: str) -> list[str]:
    return [key for key, module in stages(text).named_modules() if not list(module.children())]


def head(text: str, shape: tuple[int, ...] = (8, 4, 4), classes: int = 10) -> nn.Sequential:
    return head_from_layers(parse_network(text), shape, classes)


def test_a_stage_starts_after_each_pool_or_stride_and_keeps_its_followers() -> None:
    text = "conv 8 3 same relu, batchnorm, maxpool 2, dropout 0.2, conv 8 3 /2, relu, conv 8 3"
    assert names(text) == [
        "block1.conv1",
        "block1.conv1_relu",
        "block1.conv1_norm",
        "block1.pool",
        "block1.pool_dropout",
        "block2.conv1",
        "block2.conv1_relu",
        "block3.conv1",
    ]


def test_names_stay_apart() -> None:
    assert names("batchnorm, dropout 0.1, dropout 0.2, conv 4 3") == [
        "block1.input_norm",
        "block1.input_dropout",
        "block1.input_dropout2",
        "block1.conv1",
    ]
    assert [
        name for name, _ in head("flatten, dense 5 relu, dropout 0.1, dense").named_children()
    ] == [
        "flatten",
        "dense1",
        "dense1_relu",
        "dense1_dropout",
        "dense2",
    ]


@given(
    side=st.integers(1, 40),
    kernel=st.integers(1, 9),
    stride=st.integers(1, 6),
)
def test_same_gives_the_side_over_the_stride_rounded_up(
    side: int, kernel: int, stride: int
) -> None:
    before, after = same_padding(side, kernel, stride)
    assert (side + before + after - kernel) // stride + 1 == -(-side // stride)
    assert after - before in {0, 1}


def tensorflow_before(side: int, kernel: int, stride: int) -> int:
    """The pixels that TensorFlow's SAME adds before a side, as its documentation writes it."""
    total = kernel - (stride if side % stride == 0 else side % stride)
    return max(total, 0) // 2


@settings(deadline=None)
@given(
    height=st.integers(1, 17),
    width=st.integers(1, 17),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_same_is_padded_as_tensorflow_does(
    height: int, width: int, kernel: int, stride: int, seed: int
) -> None:
    """Convolution and both pools, against each window written out."""
    shape = (1, height, width)
    x = torch.rand((1, *shape), generator=torch.Generator().manual_seed(seed)) - 0.5
    conv = stages(f"conv 1 {kernel} /{stride} same", shape)
    pools = stride > 1 or kernel % 2 == 1
    largest = stages(f"maxpool {kernel} /{stride} same", shape)(x) if pools else None
    average = stages(f"avgpool {kernel} /{stride} same", shape)(x) if pools else None
    weight, bias = conv.block1.conv1.weight[0, 0], conv.block1.conv1.bias[0]
    top, left = (tensorflow_before(side, kernel, stride) for side in (height, width))
    for row in range(-(-height // stride)):
        for column in range(-(-width // stride)):
            y, z = row * stride - top, column * stride - left
            inside = x[0, 0, max(y, 0) : y + kernel, max(z, 0) : z + kernel]
            part = weight[max(-y, 0) :, max(-z, 0) :][: inside.shape[0], : inside.shape[1]]
            at = (0, 0, row, column)
            torch.testing.assert_close(conv(x)[at], (part * inside).sum() + bias)
            if largest is not None and average is not None:
                assert largest[at] == inside.max()
                torch.testing.assert_close(average[at], inside.mean())


def test_valid_and_same_at_stride_2_on_hand_made_figures() -> None:
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    ones = torch.ones(1, 1, 3, 3)
    for text, wanted in {
        "conv 1 3 /2": F.conv2d(x, ones, stride=2),
        "conv 1 3 /2 same": F.conv2d(F.pad(x, (0, 1, 0, 1)), ones, stride=2),
    }.items():
        net = stages(text, (1, 6, 6))
        nn.init.ones_(net.block1.conv1.weight)
        nn.init.zeros_(net.block1.conv1.bias)
        assert torch.equal(net(x), wanted)


SHAPES = {
    "conv 16 3 relu": (16, 30, 30),
    "conv 16 3 same relu": (16, 32, 32),
    "conv 16 5 /3": (16, 10, 10),
    "conv 16 4 /3 same": (16, 11, 11),
    "depthwise 3": (3, 30, 30),
    "depthwise 3 /2 same relu6": (3, 16, 16),
    "maxpool 2": (3, 16, 16),
    "maxpool 3 /2": (3, 15, 15),
    "maxpool 3 /2 same": (3, 16, 16),
    "avgpool 5": (3, 6, 6),
    "residual 64": (64, 32, 32),
    "residual 128 /2": (128, 16, 16),
    "bottleneck 16": (64, 32, 32),
    "bottleneck 16 /2": (64, 16, 16),
    "batchnorm, gelu, dropout 0.5": (3, 32, 32),
}


@pytest.mark.parametrize(("text", "shape"), SHAPES.items())
def test_the_shape_that_is_reckoned_is_the_shape_that_comes_out(
    text: str, shape: tuple[int, ...]
) -> None:
    net = stages(text)
    assert output_shape(net, (3, 32, 32)) == shape
    assert net.eval()(torch.zeros(1, 3, 32, 32)).shape[1:] == shape
    assert head_from_layers(parse_network("flatten, dense"), shape, 2)  # what follows agrees


@pytest.mark.parametrize(
    ("layer", "channels", "parameters"),
    [
        ("residual 64", 64, 2 * (64 * 64 * 9) + 4 * 64),
        ("residual 128 /2", 64, 64 * 128 * 9 + 128 * 128 * 9 + 64 * 128 + 6 * 128),
        ("bottleneck 64", 256, 256 * 64 + 64 * 64 * 9 + 64 * 256 + 4 * 64 + 2 * 256),
        ("depthwise 3", 64, 64 * 9 + 64),
        ("batchnorm", 64, 128),
    ],
)
def test_parameters_by_hand(layer: str, channels: int, parameters: int) -> None:
    net = stages(layer, (channels, 8, 8))
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_a_residual_block_adds_its_input() -> None:
    block = stages("residual 4", (4, 5, 5)).eval()
    nn.init.zeros_(block.block1.residual1.conv2.norm.weight)
    x = torch.rand(1, 4, 5, 5)
    assert torch.equal(block(x), x)


def test_a_head_over_global_average_pooling() -> None:
    x = torch.rand(2, 8, 4, 4)
    built = head("globalavgpool, dense")
    dense = built.dense1
    torch.testing.assert_close(built(x), F.linear(x.mean((2, 3)), dense.weight, dense.bias))


def test_global_pooling_costs_a_fiftieth_of_flatten_on_vgg16() -> None:
    """A dense layer of 256 on VGG16's 7×7×512: 6,422,784 parameters against 131,328."""
    for start, parameters in (("flatten", 6_422_784), ("globalavgpool", 131_328)):
        built = head(f"{start}, dense 256 relu", (512, 7, 7), classes=256)
        assert sum(p.numel() for p in built.parameters()) == parameters


def test_one_dense_layer_on_a_photograph() -> None:
    with torch.device("meta"):
        built = head("flatten, dense 1024 relu, dense", (3, 224, 224))
    assert sum(p.numel() for p in built.dense1.parameters()) == 154_141_696


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("conv 8 3, conv 8 40", "40×40 window does not fit the 30×30 map"),
        ("maxpool 64", "64×64 window does not fit the 32×32 map"),
        ("maxpool 2, " * 5 + "conv 8 3", "3×3 window does not fit the 1×1 map"),
        ("dense 8 relu", "dense needs a vector, but a 32×32×3 map arrives"),
        ("maxpool 2 /1 same", "use an odd window"),
    ],
)
def test_a_layer_that_does_not_fit_is_shown(text: str, message: str) -> None:
    with pytest.raises(ConvlensError) as caught:
        stages(text)
    assert message in str(caught.value)
    assert "^" in str(caught.value)


def test_the_way_to_a_layer_that_does_not_fit_is_shown() -> None:
    text = "conv 16 3 relu, maxpool 2, conv 32 3 relu, maxpool 2, conv 64 3 relu"
    with pytest.raises(ConvlensError) as caught:
        stages(text, (1, 17, 20))
    assert str(caught.value).splitlines() == [
        "layer 5: a 3×3 window does not fit the 2×3 map that arrives",
        "  conv 64 3 relu",
        "          ^",
        "the way there:",
        "  input           17×20×1",
        "  conv 16 3 relu  15×18×16",
        "  maxpool 2       7×9×16",
        "  conv 32 3 relu  5×7×32",
        "  maxpool 2       2×3×32",
        "  conv 64 3 relu  (2 − 3 + 2·0)/1 + 1 = 0",
        "to mend it: an input of at least 18×18; or fewer pools or strides before it; or 'same'",
    ]
    stages(text, (1, 18, 18))


def test_what_would_mend_a_layer_stands_behind_the_way_to_it_and_apart() -> None:
    with pytest.raises(ConvlensError) as caught:
        stages("dense 8 relu")
    assert str(caught.value).splitlines() == [
        "layer 1: dense needs a vector, but a 32×32×3 map arrives",
        "  dense 8 relu",
        "  ^^^^^",
        "the way there:",
        "  input         32×32×3",
        "  dense 8 relu  fails",
        "to mend it: put flatten or globalavgpool before it",
    ]
    assert caught.value.remedy == "put flatten or globalavgpool before it"


def test_the_way_through_a_head_begins_at_the_feature_map() -> None:
    with pytest.raises(ConvlensError) as caught:
        head("conv 8 3, maxpool 2 /3, conv 8 2, flatten, dense", (8, 4, 4))
    told = str(caught.value)
    assert "  feature map   4×4×8\n" in told
    assert "  conv 8 2      (1 − 2 + 2·0)/1 + 1 = 0\n" in told
    assert "to mend it: a feature map of at least 7×7;" in told
    head("conv 8 3, maxpool 2 /3, conv 8 2, flatten, dense", (8, 7, 7))


def test_the_smallest_input_is_that_of_the_whole_network() -> None:
    with pytest.raises(ConvlensError, match="(?s)layer 1: .* at least 18×18") as caught:
        stages("conv 16 3, maxpool 2, conv 32 3, maxpool 2, conv 64 3", (1, 2, 2))
    assert "(2 − 3 + 2·0)/1 + 1 = 0" in str(caught.value)


def test_of_a_long_way_the_end_is_shown() -> None:
    with pytest.raises(ConvlensError) as caught:
        stages("conv 4 3 same, " * 20 + "maxpool 64")
    told = str(caught.value)
    assert "… 6 rows before" in told
    assert "input" not in told.partition("to mend it")[0]
    assert "an input of at least 64×64" in told


@settings(deadline=None)
@given(
    kinds=st.lists(
        st.sampled_from(
            ["conv 2 3", "conv 2 5 /2", "conv 2 4 same /3", "maxpool 2", "avgpool 3 /2",
             "maxpool 3 /2 same", "depthwise 3 /2", "residual 2 /2", "batchnorm"]
        ),
        min_size=1,
        max_size=5,
    )
)  # fmt: skip
def test_the_smallest_side_is_the_smallest_that_builds(kinds: list[str]) -> None:
    text = ", ".join(kinds)
    smallest = smallest_side(parse_network(text))
    with torch.device("meta"):
        stages(text, (2, smallest, smallest))
        if smallest > 1:
            with pytest.raises(ConvlensError, match=f"at least {smallest}×{smallest}"):
                stages(text, (2, smallest - 1, smallest))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flatten, dense 8", "ends in a vector of 8, but there are 10 classes"),
        ("flatten, dense, dense", "only the closing dense may leave its number out"),
        ("globalavgpool, conv 8 3, dense", "conv needs a feature map, but a vector of 8 arrives"),
        ("flatten, flatten, dense", "flatten needs a feature map"),
        ("flatten", "ends in a vector of 128"),
    ],
)
def test_a_head_that_is_none_is_shown(text: str, message: str) -> None:
    with pytest.raises(ConvlensError) as caught:
        head(text)
    assert message in str(caught.value)
    assert "^" in str(caught.value)


def test_a_head_may_end_without_dense_where_the_numbers_agree() -> None:
    built = head("conv 10 1, globalavgpool")
    assert built(torch.zeros(2, 8, 4, 4)).shape == (2, 10)
    assert head("flatten, dense 10").dense1.out_features == 10


def test_a_residual_network_in_text_has_the_parameters_of_resnet18() -> None:
    text = """
        conv 64 7 /2 same, batchnorm, relu, maxpool 3 /2 same
        residual 64, residual 64, residual 128 /2, residual 128
        residual 256 /2, residual 256, residual 512 /2, residual 512
        globalavgpool, dense
    """
    body, end = split_at_head(parse_network(text))
    built = nn.Sequential(*stages_from_layers(body, (3, 224, 224)).values())
    total = sum(
        p.numel() for m in (built, head_from_layers(end, (512, 7, 7), 1000)) for p in m.parameters()
    )
    assert total == 11_689_512 + 64  # the notation's convolution has a bias
