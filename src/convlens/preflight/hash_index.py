"""Which hashes are near one another: an index over parts of the hash, and no quadratic step.

Two hashes that differ in few of their bits agree in some part of them. Four tables are keyed by a
part each, of as many bits as make a bucket hold about one image (log2 N of them). A query looks
into the 16 buckets that come of flipping its 4 least certain bits, those whose frequencies are
nearest to zero. What is in a bucket beyond its first 32 is passed over: the work is bounded by a
constant for each image, whatever the images are.

Source:
    Manku, Jain and Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007, section 3
    (tables over parts of the hash); Lv et al., "Multi-probe LSH", VLDB 2007 (least certain bits).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from convlens.preflight.picture_hash import BITS, codes

FARTHEST = 10
"""Bits in which the hashes of a candidate pair differ at most."""

_TABLES = 4
_FLIPPED = 4
_BUCKET = 32
_FEWEST, _MOST = 12, 24
_FLIPS = np.array([[flip >> bit & 1 for bit in range(_FLIPPED)] for flip in range(1 << _FLIPPED)])


class Candidates(NamedTuple):
    """M pairs whose hashes are near.

    Attributes:
        query: (M,) int64, position among the queries.
        match: (M,) int64, position in the index.
        view: (M,) int64, which version of the query it was: 0 whole.
        looked_at: how many pairs of hashes were compared.
    """

    query: NDArray[np.int64]
    match: NDArray[np.int64]
    view: NDArray[np.int64]
    looked_at: int


class _Table(NamedTuple):
    """One table: the bits of its key, and the images of each bucket.

    Attributes:
        bits: (w,) positions in the hash.
        order: (N,) images, bucket after bucket.
        start: (2^w,) where each bucket begins.
        size: (2^w,) how many of it are looked at.
    """

    bits: NDArray[np.int64]
    order: NDArray[np.int64]
    start: NDArray[np.int64]
    size: NDArray[np.int64]


@dataclass(frozen=True)
class HashIndex:
    """N hashes, to be asked for those near to others.

    Attributes:
        codes: (N,) uint64.
        tables: over parts of them.
    """

    codes: NDArray[np.uint64]
    tables: tuple[_Table, ...]

    @classmethod
    def of(cls, hashes: NDArray[np.uint64]) -> Self:
        """Index hashes: (N,) uint64."""
        width = min(_MOST, max(_FEWEST, math.ceil(math.log2(max(2, len(hashes))))))
        unpacked = np.unpackbits(hashes.view(np.uint8).reshape(-1, BITS // 8), axis=1)
        return cls(hashes, tuple(_table(unpacked, bits) for bits in _parts(width)))

    def near(self, found: NDArray[np.float32]) -> Candidates:
        """The images whose hash differs from that of a query in `FARTHEST` bits at most.

        Args:
            found: (versions, n, 64) frequencies of n queries, as `frequencies` gives them.
        """
        pairs, looked_at = [np.zeros((0, 4), np.int64)], 0
        asked = codes(found)
        for view, own in enumerate(found):
            for table in self.tables:
                query, match = _in_buckets(table, own)
                looked_at += len(query)
                apart = np.bitwise_count(asked[view][query] ^ self.codes[match])
                near = apart <= FARTHEST
                rows = [query[near], match[near], np.full(near.sum(), view), apart[near]]
                pairs.append(np.stack(rows, axis=1).astype(np.int64))
        best = _nearest_version(np.concatenate(pairs))
        return Candidates(best[:, 0], best[:, 1], best[:, 2], looked_at)


def _parts(width: int) -> list[NDArray[np.int64]]:
    """The bits of each table: every bit is used about equally often."""
    random = np.random.default_rng(1)
    rounds = math.ceil(_TABLES * width / BITS)
    bits = np.concatenate([random.permutation(BITS) for _ in range(rounds)])
    parts = [np.unique(bits[at * width : (at + 1) * width]) for at in range(_TABLES)]
    for at, part in enumerate(parts):  # where two rounds meet, a bit may stand there twice
        spare = np.setdiff1d(np.arange(BITS), part)
        parts[at] = np.concatenate([part, spare[: width - len(part)]])
    return parts


def _table(unpacked: NDArray[np.uint8], bits: NDArray[np.int64]) -> _Table:
    keys = unpacked[:, bits].astype(np.int64) @ _powers(len(bits))
    sizes = np.bincount(keys, minlength=1 << len(bits))
    return _Table(
        bits,
        np.argsort(keys, kind="stable"),
        np.cumsum(sizes) - sizes,
        np.minimum(sizes, _BUCKET),
    )


def _in_buckets(
    table: _Table, own: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Queries, and what lies in the buckets that they look into."""
    part = own[:, table.bits]
    powers = _powers(len(table.bits))
    key = (part > 0) @ powers
    uncertain = np.argpartition(np.abs(part), _FLIPPED, axis=1)[:, :_FLIPPED]
    probes = key[:, None] ^ (powers[uncertain] @ _FLIPS.T)
    count, start = table.size[probes].ravel(), table.start[probes].ravel()
    query = np.repeat(np.arange(len(own)), table.size[probes].sum(axis=1))
    before = np.cumsum(count) - count
    place = np.repeat(start - before, count) + np.arange(len(query))
    return query, table.order[place]


def _nearest_version(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of a pair that several versions found, the nearest: rows of query, match, view, distance."""
    pairs = pairs[np.lexsort((pairs[:, 3], pairs[:, 1], pairs[:, 0]))]
    fresh = np.ones(len(pairs), np.bool_)
    fresh[1:] = (pairs[1:, :2] != pairs[:-1, :2]).any(axis=1)
    return pairs[fresh]


def _powers(width: int) -> NDArray[np.int64]:
    return (np.int64(1) << np.arange(width)).astype(np.int64)
