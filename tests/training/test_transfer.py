import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build
from convlens.training.transfer import freeze, learning_mode
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
    assert by_count.stages == by_stage.stages == 5, "normalise and four blocks"
    assert names == learning(net)


def test_a_layer_takes_its_normalisation_with_it() -> None:
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
