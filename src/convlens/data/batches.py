"""Batches of images or their features, in an order that depends on seed and epoch alone."""

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.core.rng import permutation
from convlens.data.kept_features import Features
from convlens.data.pixels import Pixels
from convlens.data.sampling import repeats, weighted_sample
from convlens.data.thread_map import ordered_map

if TYPE_CHECKING:
    from convlens.core.batch import Batch

LastBatch: TypeAlias = Literal["keep", "drop", "fill"]

_WORTH_A_THREAD = 1 << 18
"""Bytes of a batch below which it is gathered sooner than it is handed over between threads."""


class PixelBatches:
    """Gathers batches of decoded images; `convlens.core.batch.Batches`.

    The order of an epoch's samples depends on ``seed`` and the epoch, never on the batch size, on
    how many processes share the work, or on where a run was interrupted.

    Args:
        pixels: decoded images, or their feature maps.
        labels: (N,) int64 class numbers of the whole image set, by image number.
        batch_size: samples a batch, of all processes together.
        seed: the run's seed.
        shuffle: False gives the images in the order of ``pixels``, whatever the epoch.
        last: what becomes of samples that do not fill a batch: "keep" gives a smaller batch,
            "drop" leaves them out of this epoch, "fill" adds samples from the epoch's beginning.
        weights: (M,) how often an image is drawn, relative to the others, for `len(pixels)` draws
            with replacement; None for every image once.
        rank: which process this is.
        world_size: how many processes share every batch: as equally as can be, but none gets a
            single sample of several, of which normalization would learn nothing. Where there are
            too few for all, the last processes get empty batches.
        prefetch: batches gathered ahead, in threads, where they are large enough to gain by it;
            0 gathers all as they are asked for.

    Raises:
        ConvlensError: a number is out of range.

    Example:
        >>> pixels = Pixels(np.zeros((5, 8, 8, 1), np.uint8), np.arange(5))
        >>> batches = PixelBatches(pixels, np.zeros(5, np.int64), batch_size=2, seed=0)
        >>> [len(batch) for batch in batches.epoch(0)]
        [2, 2, 1]
    """

    def __init__(
        self,
        pixels: Pixels | Features,
        labels: NDArray[np.int64],
        *,
        batch_size: int,
        seed: int,
        shuffle: bool = True,
        last: LastBatch = "keep",
        weights: NDArray[np.float64] | None = None,
        rank: int = 0,
        world_size: int = 1,
        prefetch: int = 2,
    ) -> None:
        self._pixels = pixels
        self._targets = np.asarray(labels, np.int64)[pixels.rows]
        self._batch_size = batch_size
        self._seed = seed
        self._shuffle = shuffle
        self._last = last
        self._weights = weights
        self._rank, self._world_size = rank, world_size
        self._prefetch = prefetch
        self._check()

    @property
    def samples(self) -> int:
        """Samples an epoch, of all processes together."""
        count = len(self._pixels)
        if self._last == "keep":
            return count
        size = self._batch_size
        return (count if self._last == "drop" else count + size - 1) // size * size

    @property
    def batch_size(self) -> int:
        """Samples a batch, of all processes together; the last of an epoch may be smaller."""
        return self._batch_size

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Which row of the pixels each sample of an epoch is, for all processes together.

        Returns:
            (`samples`,) int64.
        """
        count = len(self._pixels)
        if self._weights is not None:
            order = weighted_sample(self._weights, self._seed, epoch)
        else:
            order = np.arange(count)
        if self._shuffle:
            order = order[permutation(self._seed, epoch, count)]
        return np.resize(order, self.samples) if count else order

    def epoch(self, epoch: int, *, samples_seen: int = 0) -> Iterator["Batch"]:
        """The batches of one epoch, from the sample numbered ``samples_seen`` on.

        Args:
            epoch: counted from 0.
            samples_seen: how many samples of it all processes together have had.

        Yields:
            This process's share of each batch: uint8 pixels (of features: float32 maps), a
            channels-last view of what was gathered, and the images' numbers in the image set.
        """
        order, size = self.order(epoch), self._batch_size
        # An image may come again, drawn by weight or to fill the last batch.
        samples = np.stack([order, repeats(order)])
        shares = (
            self._share(samples[:, at : at + size]) for at in range(samples_seen, len(order), size)
        )
        if self._prefetch == 0 or size * self._pixels.array[:1].nbytes < _WORTH_A_THREAD:
            yield from (self._gather(share, epoch) for share in shares)
            return
        gathered = ordered_map(
            lambda share: self._gather(share, epoch),
            shares,
            threads=min(2, self._prefetch),
            ahead=self._prefetch,
        )
        with closing(gathered):
            yield from gathered

    def _share(self, samples: NDArray[np.int64]) -> NDArray[np.int64]:
        sharing = max(1, min(self._world_size, samples.shape[1] // 2))
        return samples[:, self._rank :: sharing] if self._rank < sharing else samples[:, :0]

    def _gather(self, samples: NDArray[np.int64], epoch: int) -> "Batch":
        # Here, not above: a source is read, and refused, in a fraction of the time torch takes.
        import torch  # noqa: PLC0415

        from convlens.core.batch import Batch  # noqa: PLC0415

        rows, times = samples
        pixels = torch.from_numpy(self._pixels.array.take(rows, axis=0))
        return Batch(
            pixels.permute(0, 3, 1, 2),
            torch.from_numpy(self._targets[rows]),
            torch.from_numpy(self._pixels.rows[rows]),
            epoch,
            torch.from_numpy(times.copy()) if times.any() else None,
        )

    def _check(self) -> None:
        counts = {"batch_size": self._batch_size, "world_size": self._world_size}
        for name, value in counts.items():
            if value < 1:
                raise ConvlensError(f"{name} is {value}; give at least 1", code="bad-option")
        if not 0 <= self._rank < self._world_size:
            raise ConvlensError(
                f"rank is {self._rank}; with {self._world_size} processes it is from 0 to "
                f"{self._world_size - 1}",
                code="bad-option",
            )
        weights = self._weights
        if weights is not None and (
            weights.shape != self._pixels.rows.shape
            or not np.isfinite(weights).all()
            or weights.min(initial=0) < 0
            or not weights.any()
        ):
            raise ConvlensError(
                f"weights have the shape {weights.shape}; expected {len(self._pixels)} finite "
                "numbers, one an image, none negative and not all 0",
                code="bad-option",
            )
