"""Normalization statistics measured with fixed weights.

The running averages that training keeps lag behind the weights: they start from values that no
image gave, and remember batches that dropout had thinned out and earlier weights had computed.
After few steps a network predicts at chance by them. So before they are relied on, they are
measured again.
"""

from collections.abc import Collection, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from convlens.core.batch_norm import copied_statistics
from convlens.core.distributed import Ranks

LOADED_IMAGES = 16
"""Images that the statistics of loaded weights count for beside those that are measured; Schneider
et al., arXiv 2006.16971, equation 3."""

_SHARE = 16
_FEWEST, _MOST = 256, 1024


def images_to_measure(samples: int) -> int:
    """How many of an epoch's images are measured: a sixteenth, but 256 to 1,024 where there are.

    Source: Wu and Johnson, "Rethinking 'Batch' in BatchNorm", arXiv 2105.07576, section 3: some
    thousand images suffice.
    """
    return min(samples, max(_FEWEST, min(_MOST, samples // _SHARE)))


@dataclass
class _Pool:
    """Mean and variance of a norm's input over the images so far, (C,) each."""

    mean: Tensor
    variance: Tensor
    images: float

    def add(self, mean: Tensor, variance: Tensor, images: int) -> None:
        """Merge a batch by Chan, Golub and LeVeque's update, which loses no digits."""
        self.images += images
        share, step = images / self.images, mean - self.mean
        self.mean = self.mean + share * step
        self.variance = self.variance.lerp(variance, share) + share * (1 - share) * step**2


@torch.no_grad()
def measure_norms(
    network: nn.Module,
    norms: Collection[nn.Module],
    batches: Iterable[Tensor],
    *,
    loaded: Collection[nn.Module] = (),
    ranks: Ranks,
) -> None:
    """Replace running statistics by those of some images, with the weights as they are.

    Every norm in training mode normalizes by each batch, as in training; all else should be in
    evaluation mode. Without images the statistics stay.

    Args:
        network: what the batches go through.
        norms: those to measure, in training mode: see `convlens.core.batch_norm.measurable_norms`.
        batches: N×C×H×W each, N at least 2; this process's share.
        loaded: norms whose statistics came with loaded weights: they count for `LOADED_IMAGES`.
        ranks: the processes that share the images.
    """
    before = copied_statistics(network)
    momenta: dict[Any, Any] = {norm: norm.momentum for norm in norms}
    of_first = LOADED_IMAGES if ranks.is_global_zero else 0
    pools = {norm: _Pool(*_statistics(norm), of_first if norm in loaded else 0) for norm in norms}
    try:
        with ExitStack() as stack:
            for norm in momenta:
                norm.momentum = 1.0  # it then holds the statistics of its last input alone
            for norm, pool in pools.items():
                stack.callback(norm.register_forward_hook(partial(_add, pool)).remove)
            for pixels in batches:
                network.forward(pixels)  # calling the network would compile it for this mode too
    finally:
        for norm, momentum in momenta.items():
            norm.momentum = momentum
        for statistic, value in before.items():
            statistic.copy_(value)
    _share(pools, ranks)


def _add(pool: _Pool, norm: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
    pool.add(*_statistics(norm), images=len(inputs[0]))


def _statistics(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """A copy of a norm's mean and variance."""
    return norm.get_buffer("running_mean").clone(), norm.get_buffer("running_var").clone()


def _share(pools: Mapping[nn.Module, _Pool], ranks: Ranks) -> None:
    """Write into each norm what all processes have measured, in three messages."""
    images = torch.tensor([pool.images for pool in pools.values()], dtype=torch.float64)
    totals = ranks.all_reduce(images.clone()).tolist()
    shares = [own / (total or 1) for own, total in zip(images.tolist(), totals, strict=True)]
    measured = list(zip(pools.values(), shares, strict=True))
    means = _total([pool.mean * share for pool, share in measured], ranks)
    variances = _total(
        [
            (pool.variance + (pool.mean - mean) ** 2) * share
            for (pool, share), mean in zip(measured, means, strict=True)
        ],
        ranks,
    )
    for norm, total, mean, variance in zip(pools, totals, means, variances, strict=True):
        if total:
            norm.get_buffer("running_mean").copy_(mean)
            norm.get_buffer("running_var").copy_(variance)


def _total(parts: list[Tensor], ranks: Ranks) -> tuple[Tensor, ...]:
    """The sum over all processes of each tensor."""
    whole = ranks.all_reduce(torch.cat(parts))
    found: tuple[Tensor, ...] = whole.split([len(part) for part in parts])
    return found
