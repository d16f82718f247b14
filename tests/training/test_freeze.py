import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build
from convlens.training.freeze import freeze, learning_mode
from tests.training.quarters import small_network

SMALL = InputSpec(height=32, width=32)


def network(name: str, head: str = "globalavgpool, dense") -> Classifier:
    return build(ModelSpec(name=name, head=head), SMALL, classes=2)


def learning(net: Classifier) -> set[str]:
    return {name for name, p in net.named_parameters() if p.requires_grad}


def test_all_leaves_nothing_frozen() -> None:
    net = network("vgg11")
    found = freeze(net, "all")
    assert learning(net) == {name for name, _ in net.named_parameters()}
    assert (found.modules, found.stages, found.parameters) == ((), 0, 0)


def test_head_freezes_every_stage() -> None:
    net = network("resnet18")
    found = freeze(net, "head")
    assert learning(net) == {"head.dense1.weight", "head.dense1.bias"}
    assert found.stages == len(net.stages)
    assert found.trainable == 512 * 2 + 2


def test_last_3_of_vgg16_is_its_fifth_block_as_the_field_counts_it() -> None:
    """Three convolutions of 512×512×3×3 and their biases: 7,079,424 parameters."""
    net = network("vgg16")
    by_count = freeze(net, "last 3")
    names = learning(net)
    by_stage = freeze(net, "stage:block5")
    head = sum(p.numel() for p in net.head.parameters())
    assert by_count.trainable - head == by_stage.trainable - head == 7_079_424
    assert by_count.stages == by_stage.stages == 5, "normalize and four blocks"
    assert names == learning(net)


def test_a_layer_takes_its_normalization_with_it() -> None:
    net = network("vgg11_bn")
    freeze(net, "last 1")
    norms = [m for m in net.stages.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [all(p.requires_grad for p in m.parameters()) for m in norms] == [False] * 7 + [True]


def test_a_stage_half_frozen_is_no_stage_frozen_whole() -> None:
    net = network("vgg16")
    found = freeze(net, "last 2")
    assert found.stages == 5
    assert any("block5" in name for name in learning(net))
    assert not all(p.requires_grad for p in net.stages.get_submodule("block5").parameters())


def test_phases_follow_one_another_without_a_trace() -> None:
    net = network("resnet18")
    freeze(net, "head")
    freeze(net, "all")
    assert all(p.requires_grad for p in net.parameters())


def test_what_is_frozen_keeps_its_statistics_and_drops_nothing() -> None:
    net = build(
        ModelSpec(
            layers="conv 4 3 same relu, batchnorm, dropout 0.5, maxpool 2, "
            "conv 8 3 same relu, batchnorm, dropout 0.5, globalavgpool, dropout 0.5, dense"
        ),
        SMALL,
        classes=2,
    )
    found = freeze(net, "last 1")
    learning_mode(net, found)
    first, second = (m for m in net.modules() if isinstance(m, nn.BatchNorm2d))
    dropouts = [m.training for m in net.modules() if isinstance(m, nn.Dropout)]
    assert dropouts == [False, True, True]
    before, after = first.running_mean.clone(), second.running_mean.clone()
    net(torch.rand(4, 3, 32, 32))
    assert torch.equal(first.running_mean, before)
    assert not torch.equal(second.running_mean, after)


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ("stage:block9", "did you mean 'block"),
        ("last 99", "has 13 layers with weights before its head"),
    ],
)
def test_what_the_network_does_not_have_is_told(train: str, words: str) -> None:
    with pytest.raises(ConvlensError, match=words):
        freeze(network("vgg16"), train)


def test_a_network_in_one_piece_has_no_head_to_train() -> None:
    spec = small_network().input_spec
    whole = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    with pytest.raises(ConvlensError, match="one piece"):
        freeze(Classifier({"network": whole}, nn.Identity(), spec), "head")


def partly_frozen() -> Classifier:
    """A backbone that its author has frozen, a block of which only the normalization is."""
    torch.manual_seed(0)
    stages = {
        "backbone": nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5)
        ),
        "block": nn.Sequential(nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.ReLU()),
    }
    stages["backbone"].requires_grad_(False)
    stages["block"][1].requires_grad_(False)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2))
    return Classifier(stages, head, SMALL)


def statistics_after_a_pass(net: Classifier, train: str) -> list[bool]:
    """Which normalizations keep their statistics in a training pass of such a phase."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    learning_mode(net, freeze(net, train))
    net(torch.rand(4, 3, 32, 32))
    return [torch.equal(n.running_mean, b) for n, b in zip(norms, before, strict=True)]


HEAD = {"head.2.weight", "head.2.bias"}
BLOCK = {"stages.block.0.weight", "stages.block.0.bias"}


@pytest.mark.parametrize(
    ("train", "learns", "stages", "by_code"),
    [
        ("all", HEAD | BLOCK, 2, 132),
        ("head", HEAD, 3, 0),
        ("last 1", HEAD | BLOCK, 2, 12),
        ("last 2", HEAD | BLOCK, 2, 132),
    ],
)
def test_what_the_networks_code_has_frozen_stays_frozen(
    train: str, learns: set[str], stages: int, by_code: int
) -> None:
    net = partly_frozen()
    found = freeze(net, train)
    assert learning(net) == learns
    assert (found.stages, found.by_code) == (stages, by_code)
    assert found.parameters + found.trainable == sum(p.numel() for p in net.parameters())
    assert statistics_after_a_pass(net, train) == [True, True]
    assert not net.stages.get_submodule("backbone.3").training, "no dropout in what is frozen"


def test_a_phase_that_names_a_frozen_part_thaws_that_part_alone() -> None:
    net = partly_frozen()
    named = freeze(net, "stage:backbone")
    assert learning(net) >= HEAD | BLOCK | {"stages.backbone.0.weight", "stages.backbone.1.bias"}
    assert "stages.block.1.weight" not in learning(net)
    assert (named.stages, named.by_code) == (1, 12)
    assert statistics_after_a_pass(net, "stage:backbone") == [False, True]
    freeze(net, "all")
    assert learning(net) == HEAD | BLOCK, "the next phase names nothing"
    net.head.requires_grad_(False)
    closed = Classifier({"block": nn.Conv2d(3, 4, 3)}, net.head, SMALL)
    assert freeze(closed, "all").by_code == 14
    assert freeze(closed, "head").trainable == 14


def test_a_network_frozen_whole_is_refused_with_the_reason() -> None:
    net = partly_frozen().requires_grad_(False)
    stages = {"backbone": net.stages.backbone, "block": net.stages.block}
    with pytest.raises(ConvlensError, match="has frozen every weight there.*requires_grad"):
        freeze(Classifier(stages, net.head, SMALL), "all")


def test_numbers_that_cannot_learn_are_left_alone() -> None:
    net = small_network()
    net.stages[1].table = nn.Parameter(torch.arange(3), requires_grad=False)
    freeze(net, "all")
    assert not net.stages[1].table.requires_grad
