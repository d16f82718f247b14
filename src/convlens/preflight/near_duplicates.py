"""Near duplicates on both sides of a split: one picture re-encoded, resized, cropped, brightened.

A pair is found by its perceptual hash (`picture_hash`, 64 signs of a DCT, at most 10 of them
different, of ten versions of each picture; `hash_index` finds them without a quadratic step),
confirmed on thumbnails (`alike`, correlations at 16×16 in colour of at least 0.9 and in detail
0.8), and must stand out from its class: where the pictures of a class all look alike (handwritten
ones), resembling one another makes no duplicate.

Measured (``python -m benchmarks preflight``; docs/decisions/preflight-near-duplicates.md): of
19,900 pairs of distinct photographs none is named. Of 200 photographs and 400 CIFAR-10 images at
least 99.5 % are found when re-encoded at quality 30, resized to 80 or 50 %, without 5 % of rows and
columns anywhere, or with 15 % more light, and at least 99 % after all of these at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Reporter
from convlens.preflight.alike import coarse, compared, unit
from convlens.preflight.facts import Facts
from convlens.preflight.hash_index import Candidates, HashIndex
from convlens.preflight.picture_hash import codes, frequencies

SMALLEST_SIDE = 16
"""Images of fewer pixels a side are not searched: too little is left to tell copies by."""

FLAT = 4.0
"""Images of less contrast (in 255ths) are not searched: their hash is noise."""

STANDS_OUT = 0.2
"""How far apart a near duplicate may be (1 - correlation), as a share of what its class is."""

_CHUNK = 2048
_EACH = 8
_CLASS_SAMPLE = 256
_NEIGHBOURS = 20  # of the sample: the 13th nearest of 256
_FEWEST_TO_KNOW_A_CLASS = 64


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of images that are near duplicates, the surest first.

    Attributes:
        one: (M,) int64, image numbers.
        other: (M,) int64, image numbers above those of ``one``.
        likeness: (M,) correlation at 16×16.
        looked_at: how many pairs of hashes were compared for it.
    """

    one: NDArray[np.int64]
    other: NDArray[np.int64]
    likeness: NDArray[np.float32]
    looked_at: int = 0

    def __len__(self) -> int:
        return len(self.one)


def near_duplicates(
    facts: Facts, side: NDArray[np.int8], labels: NDArray[np.int64], reporter: Reporter
) -> Pairs:
    """The near duplicates on different sides.

    Args:
        facts: what was seen of N images.
        side: (N,) the split of each; -1 for images that are in none.
        labels: (N,) class numbers.
        reporter: sees the progress.
    """
    wanted = _searchable(facts, side)
    found = [pairs for pairs in _searched(facts, wanted, side, reporter) if pairs.looked_at]
    if not found:
        nothing = np.zeros(0, np.int64)
        return Pairs(nothing, nothing, np.zeros(0, np.float32))
    together = _joined(found)
    return _standing_out(together, facts, labels)


def _searchable(facts: Facts, side: NDArray[np.int8]) -> NDArray[np.int64]:
    large = facts.sides.min(axis=1) >= SMALLEST_SIDE
    return np.flatnonzero(facts.readable & large & (facts.contrast >= FLAT) & (side >= 0))


def _searched(
    facts: Facts, wanted: NDArray[np.int64], side: NDArray[np.int8], reporter: Reporter
) -> Iterator[Pairs]:
    """The confirmed pairs of each chunk of queries."""
    if len(np.unique(side[wanted])) < 2:
        return
    thumbnails = facts.rows["thumbnail"]
    chunks = [wanted[at : at + _CHUNK] for at in range(0, len(wanted), _CHUNK)]
    hashes = [
        codes(frequencies(thumbnails[chunk].astype(np.float32), views=False)[0]) for chunk in chunks
    ]
    index = HashIndex.of(np.concatenate(hashes))
    with reporter.task("looking for near duplicates", len(wanted)) as task:
        for chunk in chunks:
            near = index.near(frequencies(thumbnails[chunk].astype(np.float32), views=True))
            yield _confirmed(near, thumbnails, chunk, wanted, side)
            task.update(int(np.searchsorted(wanted, chunk[-1])) + 1)


def _confirmed(
    near: Candidates,
    thumbnails: NDArray[np.uint8],
    chunk: NDArray[np.int64],
    wanted: NDArray[np.int64],
    side: NDArray[np.int8],
) -> Pairs:
    """Of candidate pairs those on different sides that are one picture, a few an image."""
    one, other = chunk[near.query], wanted[near.match]
    across = np.flatnonzero(side[one] != side[other])
    few = across[_rank_within(near.query[across]) < _EACH]
    one, other = one[few], other[few]
    alike = compared(thumbnails[one], thumbnails[other], near.view[few])
    same = alike.same
    return Pairs(
        np.minimum(one, other)[same],
        np.maximum(one, other)[same],
        alike.whole[same],
        near.looked_at,
    )


def _rank_within(query: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rank of each among those of the same (sorted) query."""
    return np.arange(len(query)) - np.searchsorted(query, query)


def _joined(found: list[Pairs]) -> Pairs:
    """All of them, each pair once, as alike as it was found."""
    one = np.concatenate([pairs.one for pairs in found])
    other = np.concatenate([pairs.other for pairs in found])
    likeness = np.concatenate([pairs.likeness for pairs in found])
    order = np.lexsort((-likeness, other, one))
    one, other, likeness = one[order], other[order], likeness[order]
    fresh = np.ones(len(one), np.bool_)
    fresh[1:] = (one[1:] != one[:-1]) | (other[1:] != other[:-1])
    looked_at = sum(pairs.looked_at for pairs in found)
    return _ranked(Pairs(one[fresh], other[fresh], likeness[fresh], looked_at))


def _ranked(pairs: Pairs) -> Pairs:
    order = np.argsort(-pairs.likeness, kind="stable")
    return Pairs(pairs.one[order], pairs.other[order], pairs.likeness[order], pairs.looked_at)


def _standing_out(pairs: Pairs, facts: Facts, labels: NDArray[np.int64]) -> Pairs:
    """Without the pairs that are no more alike than others of their class are."""
    keep = np.ones(len(pairs), np.bool_)
    thumbnails = facts.rows["thumbnail"]
    for own in np.unique(labels[pairs.one]):
        members = np.flatnonzero((labels == own) & facts.readable)
        if len(members) < _FEWEST_TO_KNOW_A_CLASS:
            continue
        random = np.random.default_rng(int(own))
        sample = np.sort(random.choice(members, min(_CLASS_SAMPLE, len(members)), replace=False))
        others = unit(coarse(thumbnails[sample]))
        at = np.flatnonzero(labels[pairs.one] == own)
        for start in range(0, len(at), _CHUNK):
            some = at[start : start + _CHUNK]
            likeness = unit(coarse(thumbnails[pairs.one[some]])) @ others.T
            rank = len(sample) - max(8, len(sample) // _NEIGHBOURS)
            usual = np.partition(likeness, rank, axis=1)[:, rank]
            keep[some] = 1 - pairs.likeness[some] <= STANDS_OUT * (1 - usual)
    return Pairs(
        pairs.one[keep], pairs.other[keep], pairs.likeness[keep], looked_at=pairs.looked_at
    )
