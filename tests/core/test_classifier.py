import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier, Normalize, tail
from convlens.core.input_spec import InputSpec

SPEC = InputSpec(height=4, width=4, channels=3, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))


def small() -> Classifier:
    return Classifier(
        {"block1": nn.Conv2d(3, 5, 3)}, nn.Sequential(nn.Flatten(), nn.Linear(20, 2)), SPEC
    )


def test_forward_is_the_head_of_the_stages() -> None:
    net, x = small(), torch.rand(2, 3, 4, 4)
    torch.testing.assert_close(net(x), net.head(net.stages(x)), rtol=0, atol=0)
    assert [name for name, _ in net.stages.named_children()] == ["normalize", "block1"]


def test_normalization_is_the_published_formula() -> None:
    x = torch.rand(2, 3, 4, 4)
    expected = torch.stack(
        [(x[:, c] - m) / s for c, (m, s) in enumerate(zip(SPEC.mean, SPEC.std, strict=True))], 1
    )
    torch.testing.assert_close(Normalize(SPEC)(x), expected)


def test_bytes_and_unit_floats_are_the_same_picture() -> None:
    pixels = torch.randint(0, 256, (1, 3, 4, 4), dtype=torch.uint8)
    net = small()
    torch.testing.assert_close(net(pixels), net(pixels.float() / 255))


def test_the_constants_are_not_weights() -> None:
    assert not any("normalize" in name for name in small().state_dict())


def test_channels_last_memory_survives_normalizing() -> None:
    pixels = torch.zeros(2, 4, 4, 3, dtype=torch.uint8).permute(0, 3, 1, 2)
    assert Normalize(SPEC)(pixels).is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("stages", [0, 1, 2])
def test_the_tail_goes_on_from_the_stages_before_it(stages: int) -> None:
    net, x = small(), torch.rand(2, 3, 4, 4)
    features = net.stages[:stages](x)
    torch.testing.assert_close(tail(net, stages)(features), net(x), rtol=0, atol=0)


def test_the_tail_shares_its_weights_under_their_own_names() -> None:
    net = small()
    own = dict(net.named_parameters())
    assert {name: id(p) for name, p in tail(net, 1).named_parameters()} == {
        name: id(p) for name, p in own.items()
    }
    assert [*dict(tail(net, 2).named_parameters())] == ["head.1.weight", "head.1.bias"]
    tail(net, 2).eval()
    assert [net.stages.training, net.head.training] == [True, False]
