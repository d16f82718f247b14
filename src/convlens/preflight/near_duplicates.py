"""Near duplicates across splits or classes: one picture re-encoded, resized, cropped, brightened.

A pair is found by its perceptual hash (`picture_hash`, 64 signs of a DCT, at most 10 of them
different, of ten versions of each picture; `hash_index` finds them without a quadratic step),
confirmed on thumbnails (`alike`, correlations at 16×16 in color of at least 0.9 and in detail
0.8), and must stand out from its class: where the pictures of a class all look alike (handwritten
ones), resembling one another makes no duplicate. A class of few images is made up with others.

Measured (``python -m benchmarks preflight``; docs/decisions/0037-preflight-near-duplicates.md): of
19,900 pairs of distinct photographs none is named. Of 200 photographs and 400 CIFAR-10 images at
least 99.5 % are found when re-encoded at quality 30, resized to 80 or 50 %, without 5 % of rows and
columns anywhere, or with 15 % more light, and at least 99 % after all of these at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Reporter
from convlens.preflight.hash_index import Candidates, HashIndex
from convlens.preflight.image_facts import ImageFacts
from convlens.preflight.picture_hash import codes, frequencies
from convlens.preflight.similarity import coarse, compared, unit

SMALLEST_SIDE = 16
"""Images of fewer pixels a side are not searched: too little is left to tell copies by."""

FLAT = 4.0
"""Images of less contrast (in 255ths) are not searched: their hash is noise."""

STANDS_OUT = 0.2
"""How far apart a near duplicate may be (1 - correlation), as a share of what its class is."""

STANDS_OUT_OF_FEW = 0.15
"""The same where the class has too few images to know it by."""

_CHUNK = 2048
_EACH = 8
_SAMPLE = 256
_NEIGHBOURS = 20  # of the sample: the 13th nearest of 256
_FEWEST = 8  # of the sample: with fewer, a picture's own copies would be what is usual
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

    def where(self, wanted: NDArray[np.bool_]) -> "Pairs":
        """Some of the pairs: (M,) which."""
        return Pairs(
            self.one[wanted], self.other[wanted], self.likeness[wanted], looked_at=self.looked_at
        )


def near_duplicates(
    facts: ImageFacts, side: NDArray[np.int8], labels: NDArray[np.int64], reporter: Reporter
) -> Pairs:
    """The near duplicates on different sides, or of different classes.

    Args:
        facts: what was seen of N images.
        side: (N,) the split of each; -1 for images that are in none.
        labels: (N,) class numbers.
        reporter: sees the progress.
    """
    wanted = _searchable(facts, side)
    apart = np.stack([side, labels], axis=1)
    found = [pairs for pairs in _searched(facts, wanted, apart, reporter) if pairs.looked_at]
    if not found:
        nothing = np.zeros(0, np.int64)
        return Pairs(nothing, nothing, np.zeros(0, np.float32))
    together = _joined(found)
    return _standing_out(together, facts, labels)


def _searchable(facts: ImageFacts, side: NDArray[np.int8]) -> NDArray[np.int64]:
    large = facts.sides.min(axis=1) >= SMALLEST_SIDE
    return np.flatnonzero(facts.readable & large & (facts.contrast >= FLAT) & (side >= 0))


def _searched(
    facts: ImageFacts, wanted: NDArray[np.int64], apart: NDArray[np.int64], reporter: Reporter
) -> Iterator[Pairs]:
    """The confirmed pairs of each chunk of queries; ``apart`` (N, 2) is side and class."""
    if not len(wanted) or (apart[wanted] == apart[wanted[0]]).all():
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
            yield _confirmed(near, thumbnails, chunk, wanted, apart)
            task.update(int(np.searchsorted(wanted, chunk[-1])) + 1)


def _confirmed(
    near: Candidates,
    thumbnails: NDArray[np.uint8],
    chunk: NDArray[np.int64],
    wanted: NDArray[np.int64],
    apart: NDArray[np.int64],
) -> Pairs:
    """Of candidate pairs on different sides, and of others of different classes, those that are
    one picture; a few of each kind an image.
    """  # noqa: D205
    one, other = chunk[near.query], wanted[near.match]
    side, label = (apart[one] != apart[other]).T
    kinds = np.flatnonzero(side), np.flatnonzero(label & ~side)
    few = np.concatenate([kind[_rank_within(near.query[kind]) < _EACH] for kind in kinds])
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


def _standing_out(pairs: Pairs, facts: ImageFacts, labels: NDArray[np.int64]) -> Pairs:
    """Without the pairs that are no more alike than others of their class, or classes, are."""
    keep = np.ones(len(pairs), np.bool_)
    thumbnails, readable = facts.rows["thumbnail"], np.flatnonzero(facts.readable)
    crowd = np.random.default_rng(0).choice(readable, min(_SAMPLE, len(readable)), replace=False)
    every, torn = keep.copy(), labels[pairs.one] != labels[pairs.other]
    for numbers, asked in ((pairs.one, every), (pairs.other, torn)):
        for own in np.unique(labels[numbers[asked]]):
            members = readable[labels[readable] == own]
            few = len(members) < _FEWEST_TO_KNOW_A_CLASS
            sample = _like_a_class(members, crowd[labels[crowd] != own], seed=int(own))
            rank = len(sample) - (_FEWEST if few else max(_FEWEST, len(sample) // _NEIGHBOURS))
            if rank < 0:
                continue  # so few pictures say nothing of what is usual
            share = STANDS_OUT_OF_FEW if few else STANDS_OUT
            others = unit(coarse(thumbnails[sample]))
            at = np.flatnonzero(asked & (labels[numbers] == own))
            for start in range(0, len(at), _CHUNK):
                some = at[start : start + _CHUNK]
                likeness = unit(coarse(thumbnails[numbers[some]])) @ others.T
                usual = np.partition(likeness, rank, axis=1)[:, rank]
                keep[some] &= 1 - pairs.likeness[some] <= share * (1 - usual)
    return pairs.where(keep)


def _like_a_class(
    members: NDArray[np.int64], others: NDArray[np.int64], *, seed: int
) -> NDArray[np.int64]:
    """Some of a class, made up with others where there are too few to know it by."""
    if len(members) < _FEWEST_TO_KNOW_A_CLASS:
        return np.sort(np.concatenate([members, others[: _SAMPLE - len(members)]]))
    random = np.random.default_rng(seed)
    return np.sort(random.choice(members, min(_SAMPLE, len(members)), replace=False))
