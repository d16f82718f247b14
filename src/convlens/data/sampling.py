"""Drawing images more or less often than once an epoch."""

import numpy as np
from numpy.typing import NDArray

from convlens.core.rng import Stream, derived_seed, permutation, uniform


def balanced_weights(labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights that draw every class equally often, and every image of a class alike.

    Args:
        labels: (M,) class numbers.

    Returns:
        (M,) float64 with the sum 1.

    Example:
        >>> balanced_weights(np.array([0, 0, 0, 1])).round(3).tolist()
        [0.167, 0.167, 0.167, 0.5]
    """
    counts = np.bincount(labels)
    weights = 1.0 / counts[labels]
    return np.asarray(weights / weights.sum(), np.float64)


def weighted_sample(
    weights: NDArray[np.float64], seed: int, epoch: int, *, draws: int | None = None
) -> NDArray[np.int64]:
    """Draw with replacement, so that no image is drawn a whole time too often or too seldom.

    Systematic sampling: the images stand in an order drawn anew each epoch, each as long as its
    weight, and every draw is one step further along (Madow and Madow, "On the theory of systematic
    sampling", Annals of Mathematical Statistics 15, 1944).

    Args:
        weights: (M,) not negative, not all 0.
        seed: the run's seed.
        epoch: counted from 0.
        draws: how many; None for M.

    Returns:
        (draws,) int64 positions among the weights, an image's draws side by side.

    Example:
        >>> np.bincount(weighted_sample(np.array([3.0, 1.0]), 0, 0, draws=8)).tolist()
        [6, 2]
    """
    own_seed = derived_seed(seed, 1, slot=Stream.ORDER)
    count = len(weights) if draws is None else draws
    order = permutation(own_seed, epoch, len(weights))
    ends: NDArray[np.float64] = np.cumsum(weights[order])
    begin = uniform(own_seed, epoch, [len(weights)], Stream.ORDER)
    points = (np.arange(count) + begin) * (ends[-1] / count)
    found = np.searchsorted(ends, points, side="right")
    drawn: NDArray[np.int64] = order.take(found, mode="clip")
    return drawn


def repeats(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each was drawn before, in the order of the draws.

    Args:
        drawn: (N,) numbers, none negative.

    Returns:
        (N,) int64, 0 for what is drawn for the first time.

    Example:
        >>> repeats(np.array([7, 5, 7, 7, 5])).tolist()
        [0, 0, 1, 2, 1]
    """
    alike = np.argsort(drawn, kind="stable")
    first = np.flatnonzero(np.diff(drawn[alike], prepend=-1))
    before = np.empty(len(drawn), np.int64)
    before[alike] = np.arange(len(drawn)) - np.repeat(first, np.diff(first, append=len(drawn)))
    return before
