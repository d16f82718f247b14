"""What a step consumes, and the two shapes that training is handed from outside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Some samples of one epoch.

    Attributes:
        pixels: uint8, or float in [0, 1]; N×C×H×W in channels-last memory.
        targets: (N,) int64 class numbers, or (N, K) float where they are mixed.
        indices: (N,) int64, which samples these are, so that every draw can be made again.
        epoch: counted from 0.
    """

    pixels: Tensor
    targets: Tensor
    indices: Tensor
    epoch: int

    def __len__(self) -> int:
        return len(self.indices)


class Batches(Protocol):
    """A source of batches: the same samples in an order that is a function of the epoch alone."""

    @property
    def samples(self) -> int:
        """Samples an epoch."""

    @property
    def batch_size(self) -> int:
        """Samples a batch; the last of an epoch may be smaller."""

    def epoch(self, epoch: int, *, samples_seen: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from the sample numbered ``samples_seen`` on."""


BatchTransform: TypeAlias = Callable[[Batch], Batch]
