"""The area under the ROC curve, by ranks: how often the right one is ranked above the wrong one."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convlens.evaluation.bootstrap import (
    RESAMPLES,
    SEED,
    Estimate,
    affordable,
    bca_interval,
    stratified_weights,
)
from convlens.evaluation.intervals import Interval, wilson_interval

_AT_ONCE = 2**21


def mean_auc(
    scores: NDArray[np.floating[Any]],
    positive: NDArray[np.bool_],
    strata: NDArray[np.int64],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """The mean area under the ROC curves of several scores, with its 95 % interval.

    The images are resampled within each stratum, for the area is defined given how many there are
    on either side. Where no resample can differ from the images themselves (they are all ranked
    rightly), the interval is Wilson's, with the largest variance that any distribution allows:
    that of a proportion of as many images as the smaller side has.

    Args:
        scores: (N, C), higher where positive.
        positive: (N, C), of each score the images it should rank high; some, and not all of them.
        strata: (N,) what is resampled by itself; each is wholly positive or not, in every column.
        resamples: how many; fewer where N times C passes two million, or N a hundred
            thousand; at least 200.
        seed: of the resamples.

    Returns:
        The mean area; its interval is None where a stratum has a single image.

    Source:
        The area's influence values: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson,
        "Comparing the areas under two or more correlated receiver operating characteristic
        curves", Biometrics 44 (1988), 837-845. The largest variance: Z. W. Birnbaum and
        O. M. Klose, "Bounds for the variance of the Mann-Whitney statistic", Annals of
        Mathematical Statistics 28 (1957), 933-945.
    """
    n, columns = scores.shape
    weights = stratified_weights(
        strata, resamples=affordable(resamples, n * max(columns, 20)), seed=seed
    )
    areas = np.empty(columns)
    influence = np.zeros(n)
    resampled = np.zeros(len(weights))
    for column in range(columns):
        ranking = _ranking(scores[:, column], positive[:, column])
        won = _placements(ranking)
        areas[column] = won[positive[:, column]].mean()
        sides = np.where(positive[:, column], ranking.positives, n - ranking.positives)
        influence += (won - areas[column]) / sides
        resampled += _weighted_areas(ranking, weights)
    value = float(areas.mean())
    if np.bincount(strata)[np.unique(strata)].min() < 2:
        return Estimate(value, None)
    interval = bca_interval(value, resampled / columns, influence)
    return Estimate(value, interval or _widest(areas, positive))


class _Ranking(NamedTuple):
    """Images from the lowest score to the highest; equals share their first and last place."""

    order: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    positive: NDArray[np.bool_]
    positives: int


def _ranking(scores: NDArray[np.floating[Any]], positive: NDArray[np.bool_]) -> _Ranking:
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    return _Ranking(
        order,
        np.searchsorted(ordered, ordered, side="left"),
        np.searchsorted(ordered, ordered, side="right"),
        positive[order],
        int(positive.sum()),
    )


def _placements(ranking: _Ranking) -> NDArray[np.float64]:
    """Of each image, the share of the other side against which it is ranked rightly."""
    negatives_below = _middle(np.cumsum(~ranking.positive), ranking)
    positives_below = _middle(np.cumsum(ranking.positive), ranking)
    won = np.where(
        ranking.positive,
        negatives_below / (len(ranking.order) - ranking.positives),
        1 - positives_below / ranking.positives,
    )
    placed = np.empty(len(won))
    placed[ranking.order] = won
    return placed


def _middle(counts: NDArray[np.int64], ranking: _Ranking) -> NDArray[np.float64]:
    """How many stand below each place, equals counting half."""
    below = np.concatenate([[0], counts])
    return np.asarray((below[ranking.first] + below[ranking.last]) / 2)


def _weighted_areas(ranking: _Ranking, weights: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The area on every resample; a stratified one keeps the number of images on either side."""
    resamples, n = weights.shape
    pairs = ranking.positives * (n - ranking.positives)
    places = np.flatnonzero(ranking.positive)
    positives, negatives = ranking.order[places], ranking.order[~ranking.positive]
    # A positive image looks only at the negative ones below it.
    below = np.concatenate([[0], np.cumsum(~ranking.positive)])
    first, last = below[ranking.first[places]], below[ranking.last[places]]
    areas = np.empty(resamples)
    size = max(1, _AT_ONCE // n)
    for start in range(0, resamples, size):
        portion = weights[start : start + size]
        sums = np.zeros((len(portion), len(negatives) + 1), np.int32)
        np.cumsum(portion[:, negatives], axis=1, dtype=np.int32, out=sums[:, 1:])
        twice = sums[:, first] + sums[:, last]
        areas[start : start + size] = (twice * portion[:, positives].astype(np.int64)).sum(axis=1)
    return np.asarray(areas / (2 * pairs))


def _widest(areas: NDArray[np.float64], positive: NDArray[np.bool_]) -> Interval:
    fewer = np.minimum(positive.sum(axis=0), (~positive).sum(axis=0))
    ends = [wilson_interval(area * n, n) for area, n in zip(areas, fewer, strict=True)]
    low, high = np.mean(ends, axis=0)
    return float(low), float(high)
