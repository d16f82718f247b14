"""How far a measured proportion may be from the true one."""

from math import sqrt
from statistics import NormalDist

Interval = tuple[float, float]


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval for a proportion.

    Unlike the textbook interval it stays within [0, 1] and holds its level for small n and for
    proportions near 0 and 1, which is where classifiers live.

    Args:
        successes: how many of the n succeeded, 0 to n.
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
    z = NormalDist().inv_cdf((1 + level) / 2)
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    # Rounding may leave the ends a hair inside 0 and 1 where the formula gives them exactly.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high
