import threading
from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from convlens.core.batch import Batch, Batches
from convlens.core.errors import ConvlensError
from convlens.data import PixelBatches, Pixels, balanced_weights

LABELS = np.arange(1000) % 7


def pixels(count: int, size: int = 4, channels: int = 3) -> Pixels:
    """Each image filled with its position; image numbers count backwards from 900."""
    array = np.empty((count, size, size + 1, channels), np.uint8)
    array[:] = (np.arange(count) % 256)[:, None, None, None]
    return Pixels(array, 900 - np.arange(count))


def batches(count: int, **how: object) -> PixelBatches:
    return PixelBatches(pixels(count), LABELS, **({"seed": 0, "prefetch": 0} | how))


def numbers(some: Iterator[Batch]) -> list[int]:
    return [number for batch in some for number in batch.indices.tolist()]


def test_a_batch_is_what_a_step_consumes() -> None:
    source: Batches = batches(10, batch_size=4)
    assert (source.samples, source.batch_size) == (10, 4)
    for batch in source.epoch(3):
        assert batch.pixels.dtype == torch.uint8
        assert batch.pixels.shape == (len(batch), 3, 4, 5)
        assert batch.pixels.is_contiguous(memory_format=torch.channels_last)
        assert batch.targets.dtype == batch.indices.dtype == torch.int64
        assert batch.epoch == 3
        assert (batch.pixels[:, 0, 0, 0] == 900 - batch.indices).all()
        assert (batch.targets == batch.indices % 7).all()


def test_pixels_are_gathered_once_and_viewed() -> None:
    (batch,) = batches(6, batch_size=6, shuffle=False).epoch(0)
    assert batch.pixels.untyped_storage().nbytes() == 6 * 4 * 5 * 3


def test_an_epoch_has_every_image_once_and_no_two_epochs_agree() -> None:
    source = batches(50, batch_size=8)
    first, second = numbers(source.epoch(0)), numbers(source.epoch(1))
    assert sorted(first) == sorted(second) == list(range(851, 901))
    assert first != second


def test_without_shuffling_the_order_is_that_of_the_pixels() -> None:
    source = batches(9, batch_size=2, shuffle=False)
    assert numbers(source.epoch(0)) == numbers(source.epoch(5)) == [*range(900, 891, -1)]


@given(
    count=st.integers(1, 60),
    sizes=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    prefetch=st.sampled_from([(0, 1), (2, 5)]),
    epoch=st.integers(0, 9),
    cut=st.integers(0, 60),
)
def test_the_order_depends_on_neither_batch_size_nor_threads_nor_interruption(
    count: int, sizes: tuple[int, int], prefetch: tuple[int, int], epoch: int, cut: int
) -> None:
    one = batches(count, batch_size=sizes[0], prefetch=prefetch[0])
    other = batches(count, batch_size=sizes[1], prefetch=prefetch[1])
    whole = numbers(one.epoch(epoch))
    assert numbers(other.epoch(epoch)) == whole
    assert numbers(other.epoch(epoch, samples_seen=cut)) == whole[cut:]


@given(
    count=st.integers(1, 60),
    world=st.integers(1, 5),
    size=st.integers(1, 40),
    last=st.sampled_from(["keep", "drop", "fill"]),
)
def test_processes_share_every_batch_of_the_same_order(
    count: int, world: int, size: int, last: str
) -> None:
    how = {"batch_size": size, "last": last, "world_size": world}
    ranks = [[*batches(count, rank=rank, **how).epoch(2)] for rank in range(world)]
    alone = batches(count, batch_size=size, last=last)
    for step, batch in enumerate(alone.epoch(2)):
        shares = [numbers(iter([rank[step]])) for rank in ranks]
        assert sorted(chain.from_iterable(shares)) == sorted(batch.indices.tolist())
        working = [share for share in shares if share]
        assert len(working) == max(1, min(world, len(batch) // 2))
        assert max(map(len, working)) - min(map(len, working)) <= 1
        assert shares[0]
    assert {len(rank) for rank in ranks} == {len([*alone.epoch(2)])}
    assert batches(count, rank=0, **how).samples == alone.samples


@pytest.mark.parametrize(
    ("last", "sizes", "samples"),
    [("keep", [4, 4, 2], 10), ("drop", [4, 4], 8), ("fill", [4, 4, 4], 12)],
)
def test_the_last_batch(last: str, sizes: list[int], samples: int) -> None:
    source = batches(10, batch_size=4, last=last)
    assert [len(batch) for batch in source.epoch(0)] == sizes
    assert source.samples == samples
    seen = numbers(source.epoch(0))
    assert seen[10:] == seen[: len(seen[10:])]


def test_fill_repeats_a_small_set_as_often_as_it_takes() -> None:
    assert [len(batch) for batch in batches(3, batch_size=8, last="fill").epoch(0)] == [8]


def test_class_balance() -> None:
    labels = np.array([0] * 90 + [1] * 10)
    chosen = Pixels(np.zeros((100, 2, 2, 1), np.uint8), np.arange(100))
    source = PixelBatches(chosen, labels, batch_size=10, seed=0, weights=balanced_weights(labels))
    seen = [torch.bincount(b.targets, minlength=2) for b in source.epoch(0)]
    assert sum(seen).tolist() == [50, 50]
    assert numbers(source.epoch(0)) == numbers(source.epoch(0)) != numbers(source.epoch(1))
    assert sum(counts[0] not in {0, 10} for counts in seen) > 5  # mixed within batches


@given(st.integers(1, 12), st.integers(0, 3), st.integers(1, 3))
def test_each_time_an_image_is_drawn_has_a_counter_of_its_own(
    size: int, epoch: int, world: int
) -> None:
    labels = np.array([0] * 25 + [1] * 5)
    chosen = Pixels(np.zeros((30, 2, 2, 1), np.uint8), np.arange(100, 130))

    def counters(batch_size: int, **how: Any) -> list[int]:
        weights = balanced_weights(labels)
        source = PixelBatches(
            chosen, np.zeros(130, int), batch_size=batch_size, seed=0, weights=weights, **how
        )
        return [int(n) for batch in source.epoch(epoch) for n in batch.counters]

    alone = counters(30)
    assert len(set(alone)) == 30 > len({number % (1 << 40) for number in alone})
    assert counters(size) == alone  # whatever the batch size
    ranks = [counters(size, rank=rank, world_size=world) for rank in range(world)]
    assert sorted(chain.from_iterable(ranks)) == sorted(alone)


def test_no_images_give_no_batches() -> None:
    for last in ("keep", "drop", "fill"):
        assert [*batches(0, batch_size=4, last=last).epoch(0)] == []


def test_threads_end_when_the_iterator_is_left() -> None:
    before = threading.active_count()
    for batch in batches(100, batch_size=2, prefetch=4).epoch(0):
        assert len(batch) == 2
        break
    assert threading.active_count() == before


def test_an_exception_in_a_thread_reaches_the_caller() -> None:
    class Broken(np.ndarray):
        def take(self, *_: object, **__: object) -> NDArray[np.uint8]:
            raise OSError("photo.jpg: the disk is gone")

    broken = Pixels(np.zeros((4, 2, 2, 1), np.uint8).view(Broken), np.arange(4))
    source = PixelBatches(broken, LABELS, batch_size=2, seed=0)
    with pytest.raises(OSError, match="photo.jpg"):
        next(source.epoch(0))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; give at least 1"),
        ({"batch_size": 2, "world_size": 0}, "world_size is 0"),
        ({"batch_size": 2, "world_size": 2, "rank": 2}, "rank is 2; with 2 processes"),
        ({"batch_size": 2, "weights": np.ones(9)}, "weights have the shape"),
        ({"batch_size": 2, "weights": -np.ones(10)}, "none negative"),
        ({"batch_size": 2, "weights": np.zeros(10)}, "not all 0"),
        ({"batch_size": 2, "weights": np.full(10, np.nan)}, "finite"),
    ],
)
def test_what_cannot_be(how: dict[str, object], message: str) -> None:
    with pytest.raises(ConvlensError, match=message):
        batches(10, **how)
