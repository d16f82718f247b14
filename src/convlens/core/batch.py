"""What a step consumes, and the two shapes that training is handed from outside."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_REPEAT = 1 << 40  # more than there are images


@dataclass(frozen=True, slots=True)
class Batch:
    """Some samples of one epoch.

    Attributes:
        pixels: uint8, or float in [0, 1], or feature maps in their place, float32 of any range;
            N×C×H×W in channels-last memory.
        targets: (N,) int64 class numbers, or (N, K) float where they are mixed.
        indices: (N,) int64, which images these are.
        epoch: counted from 0.
        repeats: (N,) int64, how often each was drawn in this epoch before; None for never.
    """

    pixels: Tensor
    targets: Tensor
    indices: Tensor
    epoch: int
    repeats: Tensor | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def counters(self) -> NDArray[np.int64]:
        """(N,) what a sample's draws are made from: its index, another one each time it repeats.

        So that every draw can be made again, and an image drawn twice in an epoch differs.
        """
        indices: NDArray[np.int64] = self.indices.cpu().numpy()
        return indices if self.repeats is None else indices + self.repeats.numpy() * _REPEAT

    def parts(self, size: int, *, least: int = 1) -> Iterator["Batch"]:
        """The same samples in batches of at most ``size``; no batch where there are none.

        Args:
            size: samples a part.
            least: samples that no part may have fewer of, where there are so many: then a part may
                have some more than ``size``.
        """
        if size >= len(self) > 0:
            yield self
            return
        count = min(-(-len(self) // max(1, size)), max(1, len(self) // least))
        for part in range(count):  # of equal size, give or take one
            own = slice(part * len(self) // count, (part + 1) * len(self) // count)
            repeats = None if self.repeats is None else self.repeats[own]
            yield Batch(self.pixels[own], self.targets[own], self.indices[own], self.epoch, repeats)


class Batches(Protocol):
    """A source of batches: the same samples in an order that is a function of the epoch alone."""

    @property
    def samples(self) -> int:
        """Samples an epoch."""

    @property
    def batch_size(self) -> int:
        """Samples a batch, of all processes together; the last of an epoch may be smaller."""

    def epoch(self, epoch: int, *, samples_seen: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from the sample numbered ``samples_seen`` on."""


BatchTransform: TypeAlias = Callable[[Batch], Batch]


def batches_on(
    device: torch.device, batches: Iterator[Batch], *, ahead: bool = True
) -> Generator[Batch, None, None]:
    """The batches on a device; indices and repeats stay on the CPU, where draws are made.

    Args:
        device: where the next step computes.
        batches: on the CPU.
        ahead: copy each to a GPU, from pinned memory, while it computes on the one before.
    """
    if device.type != "cuda" or not ahead:
        for batch in batches:
            yield replace(batch, pixels=batch.pixels.to(device), targets=batch.targets.to(device))
        return
    waiting: Batch | None = None
    for batch in batches:
        copied = replace(
            batch,
            pixels=batch.pixels.pin_memory().to(device, non_blocking=True),
            targets=batch.targets.pin_memory().to(device, non_blocking=True),
        )
        if waiting is not None:
            yield waiting
        waiting = copied
    if waiting is not None:
        yield waiting
