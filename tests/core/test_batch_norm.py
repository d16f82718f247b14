"""What normalizes over a batch is found, and what it keeps, in the mode that it is in."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from convlens.core.batch_norm import (
    batch_norm_learns,
    copied_statistics,
    fewest_images,
    normalizes_over_batch,
    running_statistics,
)

KINDS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


class Own(nn.Module):
    """A user's own normalization: no kind of torch's, the same statistics, and one more."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("running_mean", "running_var", "largest"):
            self.register_buffer(name, torch.zeros(4))


def same(found: list[Tensor], expected: list[Tensor]) -> bool:
    return list(map(id, found)) == list(map(id, expected))


@pytest.mark.parametrize("kind", KINDS)
def test_batch_normalization_of_every_kind_takes_two_images(
    kind: Callable[[int], nn.Module],
) -> None:
    norm = kind(4)
    network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Sequential(norm))
    assert normalizes_over_batch(network)
    assert fewest_images(network) == 2
    norm.eval()
    assert normalizes_over_batch(network), "whether it learns or not"
    assert fewest_images(network) == 1, "what is held takes any number"


@pytest.mark.parametrize("norm", [nn.GroupNorm(2, 4), nn.LayerNorm(4), nn.InstanceNorm2d(4)])
def test_what_normalizes_an_image_alone_is_not_over_the_batch(norm: nn.Module) -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 3), norm)
    assert not normalizes_over_batch(network)
    assert fewest_images(network) == 1
    assert not batch_norm_learns(network), "whose weights learn"
    assert list(running_statistics(network)) == []


def test_batch_normalization_learns_where_one_weight_does() -> None:
    network = nn.Sequential(nn.BatchNorm2d(4), nn.BatchNorm2d(4))
    assert batch_norm_learns(network)
    network.requires_grad_(False)
    assert not batch_norm_learns(network)
    network[1].bias.requires_grad_(True)
    assert batch_norm_learns(network)


def test_running_statistics_are_those_of_what_is_in_training_mode() -> None:
    held, norm, own = nn.BatchNorm2d(4).eval(), nn.BatchNorm2d(4), Own()
    without = nn.BatchNorm2d(4, track_running_stats=False)
    network = nn.Sequential(held, norm, nn.Sequential(own), without)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    expected = [norm.running_mean, norm.running_var, own.running_mean, own.running_var]
    assert same(list(running_statistics(network)), expected)


def test_copies_put_back_undo_what_a_batch_has_taught() -> None:
    network = nn.Sequential(nn.BatchNorm2d(4), Own(), nn.BatchNorm2d(4).eval())
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    copies = copied_statistics(network)
    assert len(copies) == 6, "mean, variance and count of one, and all three of the other"
    network[0](torch.rand(8, 4, 2, 2))
    network[1].largest.fill_(7)
    assert network[0].num_batches_tracked == 1
    for statistic, copy in copies.items():
        statistic.copy_(copy)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]), name
