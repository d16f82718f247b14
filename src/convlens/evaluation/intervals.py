"""How far a measured proportion, or what is made of proportions, may be from the true one."""

from math import sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

Interval = tuple[float, float]


def wilson_interval(successes: float, n: float, *, level: float = 0.95) -> Interval:
    """Wilson's score interval for a proportion.

    Unlike the textbook interval it stays within [0, 1] and holds its level for small n and for
    proportions near 0 and 1, which is where classifiers live.

    Args:
        successes: how many of the n succeeded, 0 to n; not whole where n is an effective number.
        n: how many there were; with none the interval is (0, 1).
        level: the confidence level, between 0 and 1.

    Returns:
        The lower and upper end, in [0, 1].

    Source:
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        Journal of the American Statistical Association 22 (1927), 209-212.

    Example:
        >>> low, high = wilson_interval(355, 360)
        >>> f"{low:.3f} to {high:.3f}"
        '0.968 to 0.994'
    """
    if n == 0:
        return 0.0, 1.0
    z = normal_quantile((1 + level) / 2)
    p = successes / n
    center = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # Rounding may leave the ends a hair inside 0 and 1 where the formula gives them exactly.
    low = 0.0 if successes == 0 else max(0.0, center - half)
    high = 1.0 if successes == n else min(1.0, center + half)
    return low, high


def f1_interval(hits: int, involved: int, *, level: float = 0.95) -> Interval:
    """The interval of an F1 score.

    Of the images that are of a class or were given it, those that are both make up a proportion J
    (Jaccard's index), and F1 = 2 J / (1 + J) rises with it. So Wilson's interval for J gives that
    of F1. It does not shrink to a point, as the bootstrap does, where a small class is all right.

    Args:
        hits: images of the class that were given it.
        involved: images of the class or given it, the hits among them.
        level: the confidence level, between 0 and 1.
    """
    low, high = wilson_interval(hits, involved, level=level)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def mean_recall_interval(
    hits: NDArray[np.int64], support: NDArray[np.int64], *, level: float = 0.95
) -> Interval:
    """The interval of the mean of several classes' recalls, which is balanced accuracy.

    Wilson's interval with the number of images that would give a plain proportion the variance of
    this mean. In that variance each recall is drawn toward the mean by z² images, for a class
    with a handful of images, all of them right, is no proof of perfection.

    Args:
        hits: (K,) images of each class that were found.
        support: (K,) images of each class, at least one.
        level: the confidence level, between 0 and 1.

    Source:
        The effective number: E. L. Korn and B. I. Graubard, "Confidence intervals for proportions
        with small expected number of positive counts estimated from survey data", Survey
        Methodology 24 (1998), 193-201; with Wilson's interval: N. Dean and M. Pagano, "Evaluating
        confidence interval methods for binomial proportions in clustered surveys", Journal of
        Survey Statistics and Methodology 3 (2015), 484-503.
    """
    mean = float((hits / support).mean())
    drawn_by = normal_quantile((1 + level) / 2) ** 2
    recalls = (hits + drawn_by * mean) / (support + drawn_by)
    variance = float((recalls * (1 - recalls) / support).mean()) / len(support)
    alike = len(support) ** 2 / float((1 / support).sum())
    effective = mean * (1 - mean) / variance if variance else alike
    return wilson_interval(mean * effective, effective, level=level)


def clopper_pearson_upper(
    errors: ArrayLike, n: ArrayLike, *, confidence: float
) -> NDArray[np.float64]:
    """The exact upper bound of an error rate: below it with at least the asked confidence.

    Args:
        errors: how many of the n were wrong, 0 to n.
        n: how many there were.
        confidence: of the one-sided bound, between 0 and 1.

    Returns:
        The bound for each of the errors, in (0, 1]; 1 where all were wrong.

    Source:
        C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in
        the case of the binomial", Biometrika 26 (1934), 404-413.

    Example:
        >>> float(clopper_pearson_upper(0, 299, confidence=0.95).round(4))
        0.01
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - it takes a while to import

    wrong, count = np.broadcast_arrays(np.asarray(errors, float), np.asarray(n, float))
    right = np.maximum(count - wrong, 1)
    return np.where(wrong < count, betaincinv(wrong + 1, right, confidence), 1.0)


def normal_quantile(p: float) -> float:
    """The standard normal distribution's quantile, for p between 0 and 1."""
    return NormalDist().inv_cdf(p)
