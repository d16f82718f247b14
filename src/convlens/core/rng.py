"""Counter-based draws: randomness as a pure function of what it is for.

A generator's stream depends on everything drawn before; a counter-based draw depends on its
counters alone. So a sample is augmented alike in whatever batch it arrives, and a run that is
resumed draws what the uninterrupted run would have drawn.

The mixing function is SplitMix64's finaliser (Steele, Lea and Flood, "Fast splittable pseudorandom
number generators", OOPSLA 2014), chained over the counters. It is written out here, on 64-bit
integers alone, so that a draw never changes with a library's version.
"""

from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counter: TypeAlias = int

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_WORD = 0xFFFFFFFFFFFFFFFF


class Stream(IntEnum):
    """What a draw that is not augmentation is for; augmentation counts its slots from 0 up."""

    ORDER = -1
    SPLIT = -2
    STEP = -3
    WEIGHTS = -4
    MIX = -5


def bits(seed: int, epoch: int, indices: ArrayLike, slot: int) -> NDArray[np.uint64]:
    """64 random bits for each index.

    Args:
        seed: the run's seed.
        epoch: counted from 0 (any fixed number where there is no epoch).
        indices: (N,) integers, one a sample.
        slot: which of the sample's draws this is.

    Returns:
        (N,) uint64.
    """
    state = np.zeros(np.shape(indices), np.uint64)
    counters = np.asarray(indices).astype(np.int64).astype(np.uint64)
    with np.errstate(over="ignore"):
        for word in (np.uint64(seed & _WORD), np.uint64(epoch & _WORD), np.uint64(slot & _WORD)):
            state = _mix(state + word)
        return _mix(state + counters)


def uniform(seed: int, epoch: int, indices: ArrayLike, slot: int) -> NDArray[np.float64]:
    """A number in [0, 1) for each index: the only source of randomness in augmentation.

    Args:
        seed: the run's seed.
        epoch: counted from 0.
        indices: (N,) integers, one a sample.
        slot: which of the sample's draws this is.

    Returns:
        (N,) float64 in [0, 1), each with 53 random bits.

    Example:
        >>> bool(uniform(0, 3, [5, 6, 7], 0)[1] == uniform(0, 3, [6], 0)[0])
        True
    """
    return (bits(seed, epoch, indices, slot) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(seed: int, epoch: int, n: int, slot: int = Stream.ORDER) -> NDArray[np.int64]:
    """The numbers 0 to n - 1 in an order that is a function of seed and epoch alone.

    Example:
        >>> sorted(permutation(0, 1, 5).tolist())
        [0, 1, 2, 3, 4]
    """
    return np.argsort(bits(seed, epoch, np.arange(n), slot), kind="stable").astype(np.int64)


def derived_seed(seed: int, *counters: int, slot: Stream) -> int:
    """A seed for a library's own generator, as a function of the counters.

    Returns:
        An integer from 0 to 2^63 - 1.
    """
    for counter in counters:
        seed = int(bits(seed, counter, 0, slot))
    return int(bits(seed, len(counters), 0, slot)) >> 1


def _mix(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = z + _GOLDEN
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))
