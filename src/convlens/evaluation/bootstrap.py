"""Intervals by resampling the images, as weights in matrices instead of copies.

A resample of N images is N counts that sum to N. The mean of any figure over a resample is then a
row of a matrix product, and a thousand of them take a moment.
"""

from collections.abc import Iterator
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convlens.evaluation.intervals import Interval, normal_quantile

RESAMPLES = 1000
SEED = 0
_FEWEST = 200
_WORK = 2 * 10**9
_AT_ONCE = 2**21
_ROUNDING = 1e-13


class Estimate(NamedTuple):
    """A figure with its 95 % interval; None where resampling tells nothing of it."""

    value: float
    interval: Interval | None


def affordable(resamples: int, work: int) -> int:
    """As many resamples as asked, or as fit a fixed amount of work, yet at least 200.

    Args:
        resamples: how many are asked for.
        work: what one resample costs, in weights that are looked at.
    """
    return min(resamples, max(_FEWEST, _WORK // work))


def resampled_means(
    values: NDArray[np.float64], *, resamples: int = RESAMPLES, seed: int = SEED
) -> NDArray[np.float64]:
    """The means of columns over resamples of their rows, the same resamples for every column.

    Args:
        values: (N, F), a row an image.
        resamples: how many; fewer where N passes a hundred thousand; at least 200.
        seed: of the resamples.

    Returns:
        (resamples, F).
    """
    n = len(values)
    generator = np.random.default_rng(seed)
    means = []
    for count in _portions(affordable(resamples, 20 * n), n):
        weights = _times_drawn(generator.integers(0, n, (count, n)))
        means.append(weights.astype(np.float64) @ values / n)
    return np.concatenate(means)


def stratified_weights(
    strata: NDArray[np.int64], *, resamples: int, seed: int = SEED
) -> NDArray[np.uint8]:
    """How often each row is in each resample, every stratum being resampled by itself.

    Args:
        strata: (N,) the stratum of each row.
        resamples: how many.
        seed: of the resamples.

    Returns:
        (resamples, N).
    """
    n = len(strata)
    generator = np.random.default_rng(seed)
    order = np.argsort(strata, kind="stable")
    first, size = _runs(strata[order])
    weights = np.empty((resamples, n), np.uint8)
    done = 0
    for count in _portions(resamples, n):
        places = (first + generator.random((count, n)) * size).astype(np.int64)
        weights[done : done + count] = _times_drawn(order[places])
        done += count
    return weights


def _times_drawn(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each of N rows is in each of some resamples of N, given by their numbers.

    Example:
        >>> _times_drawn(np.array([[0, 0, 2], [1, 2, 0]])).tolist()
        [[2, 0, 1], [1, 1, 1]]
    """
    count, n = rows.shape
    apart = rows + np.arange(count)[:, None] * n
    return np.bincount(apart.ravel(), minlength=count * n).reshape(count, n)


def bca_interval(
    estimate: float,
    resampled: NDArray[np.float64],
    influence: NDArray[np.float64],
    *,
    level: float = 0.95,
) -> Interval | None:
    """The bias-corrected and accelerated bootstrap interval.

    It follows a skewed figure, such as a log loss that a few confident mistakes decide, better
    than the resamples' plain percentiles do.

    Args:
        estimate: the figure itself.
        resampled: (B,) the figure on each resample.
        influence: (N,) how much each image moves the figure, up to a common factor.
        level: the confidence level, between 0 and 1.

    Returns:
        The lower and upper end, around the estimate; None where all images are alike (or there is
        but one), for resampling them then tells nothing.

    Source:
        B. Efron, "Better bootstrap confidence intervals", Journal of the American Statistical
        Association 82 (1987), 171-185; equations 3.8 and 6.6 for the two corrections.
    """
    if np.abs(influence).max() < _ROUNDING:
        return None
    spread = float((influence**2).sum())
    acceleration = float((influence**3).sum()) / (6 * spread**1.5)
    below = float((resampled < estimate).mean() + (resampled == estimate).mean() / 2)
    bias = normal_quantile(min(max(below, 1 / len(resampled)), 1 - 1 / len(resampled)))
    shares = [
        _corrected(normal_quantile(p), bias, acceleration)
        for p in ((1 - level) / 2, (1 + level) / 2)
    ]
    low, high = np.quantile(resampled, shares)
    return min(float(low), estimate), max(float(high), estimate)


def _corrected(z: float, bias: float, acceleration: float) -> float:
    shifted = bias + z
    return NormalDist().cdf(bias + shifted / max(1 - acceleration * shifted, 1e-9))


def _portions(total: int, n: int) -> Iterator[int]:
    """The resamples in portions whose weights fit in little memory."""
    size = max(1, _AT_ONCE // n)
    for start in range(0, total, size):
        yield min(size, total - start)


def _runs(ordered: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each place in an ordered array, where its run of equals begins, and how long it is."""
    first = np.searchsorted(ordered, ordered, side="left")
    last = np.searchsorted(ordered, ordered, side="right")
    return first, last - first
