"""What its paper, or its own description, says of each family."""

import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.models import (
    ModelSpec,
    build_architecture,
    notes,
    published_form,
    training_head,
    uses_small_stem,
)
from convlens.models.blocks import output_shape
from convlens.models.mobilenet import divisible


def network(
    size: tuple[int, int, int] = (3, 224, 224), classes: int = 1000, **fields: object
) -> Classifier:
    """Without numbers in it."""
    channels, height, width = size
    spec = ModelSpec.model_validate(fields)
    with torch.device("meta"):
        return build_architecture(
            spec, InputSpec(height=height, width=width, channels=channels), classes=classes
        )


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize(
    ("name", "size", "classes", "count"),
    [
        ("lenet5", (1, 32, 32), 10, 61_706),
        ("simple", (1, 28, 28), 10, 98_442),
        ("standard", (3, 32, 32), 10, 815_530),
        ("standard_no_bn", (3, 32, 32), 10, 814_122),
        ("vgg13_bn", (3, 224, 224), 1000, 133_053_736),
        ("vgg19_bn", (3, 224, 224), 1000, 143_678_248),
        ("vgg16", (3, 224, 224), 1000, 138_357_544),
    ],
)
def test_published_parameter_counts(
    name: str, size: tuple[int, int, int], classes: int, count: int
) -> None:
    net = network(size, classes, name=name)
    assert parameters(net) == count
    published = published_form(ModelSpec(name=name))
    assert published is not None
    assert (published[0].shape, published[1]) == (size, classes)


def test_keras_counts_the_statistics_of_standard_as_well() -> None:
    net = network((3, 32, 32), 10, name="standard")
    statistics = sum(b.numel() for key, b in net.named_buffers() if "running" in key)
    assert parameters(net) + statistics == 816_938


def test_simple_layer_by_layer() -> None:
    net = network((1, 28, 28), 10, name="simple")
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert [parameters(layer) for layer in layers] == [160, 4640, 18_496, 73_856, 1290]
    shapes = [output_shape(net.stages[: n + 1], (1, 28, 28)) for n in range(1, 4)]
    assert shapes == [(16, 13, 13), (32, 5, 5), (64, 3, 3)]


@pytest.mark.parametrize(
    ("name", "stages", "features", "count"),
    [
        ("vgg16", [f"block{n}" for n in range(1, 6)], (512, 7, 7), 14_714_688),
        ("resnet50", ["stem", *(f"layer{n}" for n in range(1, 5))], (2048, 7, 7), 23_508_032),
        ("mobilenet_v2", [f"stage{n}" for n in range(1, 6)], (1280, 7, 7), 2_223_872),
        ("alexnet", [f"block{n}" for n in range(1, 6)], (256, 6, 6), 2_469_696),
    ],
)
def test_without_its_head(
    name: str, stages: list[str], features: tuple[int, ...], count: int
) -> None:
    net = network(name=name, head="none")
    assert [key for key, _ in net.stages.named_children()] == ["normalize", *stages]
    assert output_shape(net, (3, 224, 224)) == features
    assert parameters(net) == count


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2"])
def test_each_stage_halves_the_map(name: str) -> None:
    net = network(name=name, head="none")
    sides = [output_shape(net.stages[: n + 1], (3, 224, 224))[1] for n in range(1, 6)]
    assert sides == ([56, 56, 28, 14, 7] if name.startswith("res") else [112, 56, 28, 14, 7])


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenet_v2"])
def test_small_images_get_a_small_stem(name: str) -> None:
    def strides(size: int, **fields: object) -> tuple[int, bool]:
        net = network((3, size, size), 10, name=name, **fields)
        first = next(m for m in net.modules() if isinstance(m, nn.Conv2d))
        pools = any(isinstance(m, nn.MaxPool2d) for m in net.modules())
        return first.stride[0], pools

    published = (2, name.startswith("res"))
    assert strides(32) == strides(64) == (1, False)
    assert strides(65) == published
    assert strides(32, small_stem=False) == published
    assert strides(224, small_stem=True) == (1, False)
    assert strides(32, pretrained=True) == published
    assert strides(32, weights="w.pth") == published


def test_the_trace_is_told_of_the_stem_and_of_departures_from_the_paper() -> None:
    def told(name: str, side: int) -> str:
        return " ".join(notes(ModelSpec(name=name), InputSpec(height=side, width=side)))

    assert "small-image stem: 3×3, stride 1, no pooling" in told("resnet18", 32)
    assert told("resnet18", 224) == ""
    assert "C3 sees all six maps" in told("lenet5", 32)
    assert "about 60,000" in told("lenet5", 32)
    assert "response normalization" in told("alexnet", 224)
    assert "v1.5" in told("resnet50", 224)
    assert not uses_small_stem(ModelSpec(name="vgg16"), InputSpec(height=32, width=32))


def test_mobilenet_v2_at_other_widths() -> None:
    """Parameters in millions, as the timm library lists its own implementation."""
    for width, millions in ((0.35, 1.68), (0.5, 1.97), (0.75, 2.64), (1.0, 3.50), (1.4, 6.11)):
        assert parameters(network(name="mobilenet_v2", width=width)) / 1e6 == pytest.approx(
            millions, abs=0.01
        )


def test_channels_are_rounded_to_eight_and_never_by_more_than_a_tenth() -> None:
    for asked in range(1, 400):
        given = divisible(asked)
        assert given % 8 == 0
        assert given >= 0.9 * asked
        assert given - asked < 8


def test_the_head_is_a_choice() -> None:
    text = "globalavgpool, dense 256 relu, dropout 0.5, dense"
    net = network(name="vgg16", head=text, classes=2)
    assert [key for key, _ in net.head.named_children()] == [
        "globalpool",
        "globalpool_flatten",
        "dense1",
        "dense1_relu",
        "dense1_dropout",
        "dense2",
    ]
    assert parameters(net.head) == 131_328 + 514
    assert training_head(ModelSpec(name="vgg16")) == "globalavgpool, dense"
    assert training_head(ModelSpec(layers="flatten, dense")) == "published"
    for name in ("simple", "standard", "lenet5"):
        assert training_head(ModelSpec(name=name)) == "published"


def test_dropout_is_set_where_a_family_has_it() -> None:
    for name in ("alexnet", "vgg11", "mobilenet_v2"):
        net = network(name=name, dropout=0.3)
        rates = {m.p for m in net.modules() if isinstance(m, nn.Dropout)}
        assert rates == {0.3}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "resnet18", "width": 0.5}, r"width is set, but resnet18 .*options: small_stem"),
        ({"name": "simple", "dropout": 0.5}, r"simple does not have it \(its options: none\)"),
        ({"name": "vgg16", "small_stem": True}, "small_stem is set, but vgg16"),
        ({"layers": "flatten, dense", "width": 2}, "a network in the layer notation does not"),
        ({"layers": "conv 8 3, maxpool 2"}, "hold no head; end them with 'globalavgpool, dense'"),
        ({"name": "simple", "head": "flatten, dense 8"}, "ends in a vector of 8"),
    ],
)
def test_what_a_network_cannot_do_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConvlensError, match=message):
        network((3, 64, 64), 10, **fields)


def test_a_network_in_text_without_a_head_takes_one() -> None:
    net = network((3, 32, 32), 10, layers="conv 8 3, maxpool 2", head="globalavgpool, dense")
    assert parameters(net.head) == 90
    assert isinstance(network((3, 32, 32), 10, layers="conv 8 3", head="none").head, nn.Identity)


@pytest.mark.parametrize("name", ["resnet18", "vgg11", "mobilenet_v2", "standard"])
def test_the_first_loss_is_close_to_that_of_chance(name: str) -> None:
    """The signal neither dies nor grows through the layers, and the closing layer starts small."""
    torch.manual_seed(0)
    spec = ModelSpec(name=name)
    spec = spec.model_copy(update={"head": training_head(spec)})
    net = build_architecture(spec, InputSpec(height=32, width=32), classes=10).train()
    x = torch.rand(8, 3, 32, 32)
    features = net.stages(x)
    assert 0.01 < features.std() < 100
    loss = nn.functional.cross_entropy(net(x), torch.arange(8))
    assert loss.item() == pytest.approx(torch.log(torch.tensor(10.0)).item(), abs=0.7)
