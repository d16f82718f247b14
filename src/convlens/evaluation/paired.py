"""Which of two classifiers is better on the same images, and whether these images can tell."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, Literal

from convlens.core.formatting import points
from convlens.evaluation.arrays import Labels
from convlens.evaluation.intervals import Interval, normal_quantile

Verdict = Literal["better", "worse", "cannot tell"]

_POINT = 0.01


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The first of two classifiers beside the second, on the same n images.

    Attributes:
        n: images.
        both: images that both classify correctly.
        only_first: images that only the first does.
        only_second: images that only the second does.
        difference: the first's accuracy less the second's; `interval` is Tango's at 95 %.
        p_value: of McNemar's exact test: how often chance alone would divide the images on which
            one of them is right so unevenly, were they equally good.
        verdict: on the first, at the 5 % level.
        images_needed: about how many images it would take to tell, four times in five, if the
            difference is truly the one seen; None where none was seen.
    """

    n: int
    both: int
    only_first: int
    only_second: int
    difference: float
    interval: Interval
    p_value: float
    verdict: Verdict
    images_needed: int | None

    @property
    def first(self) -> float:
        """The first's accuracy."""
        return (self.both + self.only_first) / self.n

    @property
    def second(self) -> float:
        """The second's accuracy."""
        return (self.both + self.only_second) / self.n

    def describe(self) -> str:
        """The verdict as a sentence without its subject: ``"cannot tell with 360 images …"``."""
        if self.verdict != "cannot tell":
            low, high = sorted(100 * abs(end) for end in self.interval)
            return (
                f"{self.verdict} by {100 * abs(self.difference):.1f} percentage points "
                f"(95 % interval {low:.1f} to {high:.1f}, p = {self.p_value:.2g})"
            )
        lower, upper = map(points, self.interval)
        if self.images_needed is None:
            return (
                f"cannot tell with {self.n:,} images: both are right on equally many of them "
                f"(95 % interval of the difference {lower} to {upper} percentage points)"
                f"{self._one_point()}"
            )
        return (
            f"cannot tell with {self.n:,} images (difference {points(self.difference)} "
            f"percentage points, 95 % interval {lower} to {upper}, p = {self.p_value:.2g}); if "
            f"it is truly {100 * abs(self.difference):.2g}, about {self.images_needed:,} would do"
        )

    def _one_point(self) -> str:
        """How many images would tell one percentage point; nothing where they differ on fewer."""
        told = (self.only_first + self.only_second) / self.n
        if told < _POINT:
            return ""
        needed = images_to_tell((told + _POINT) / 2, (told - _POINT) / 2)
        return (
            f"; if only one of them is right on {100 * told:.2g} % of images, as here, about "
            f"{needed:,} would tell 1 point apart"
        )

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            **vars(self),
            "interval": list(self.interval),
            "first": self.first,
            "second": self.second,
            "describe": self.describe(),
        }


def compare_answers(first: Labels, second: Labels, labels: Labels) -> Comparison:
    """Compare two classifiers' answers to the same images.

    Args:
        first: (N,) the first's answers, class numbers.
        second: (N,) the second's, to the same images in the same order.
        labels: (N,) the true classes.

    Raises:
        ValueError: they are not as many, or there are none.

    Example:
        >>> import numpy as np
        >>> truth = np.zeros(100, np.int64)
        >>> better, worse = truth.copy(), truth.copy()
        >>> better[:4], worse[:20] = 1, 1
        >>> compare_answers(better, worse, truth).verdict
        'better'
    """
    if not (len(labels) and first.shape == second.shape == labels.shape == (len(labels),)):
        raise ValueError(
            f"answers are {first.shape} and {second.shape}, labels {labels.shape}; expected (N,) "
            "three times, N at least 1"
        )
    right, other = first == labels, second == labels
    n = len(labels)
    only_first, only_second = int((right & ~other).sum()), int((other & ~right).sum())
    p_value = mcnemar_exact(only_first, only_second)
    verdict: Verdict = "cannot tell"
    if p_value <= 0.05:
        verdict = "better" if only_first > only_second else "worse"
    return Comparison(
        n=n,
        both=int((right & other).sum()),
        only_first=only_first,
        only_second=only_second,
        difference=(only_first - only_second) / n,
        interval=tango_interval(only_first, only_second, n),
        p_value=p_value,
        verdict=verdict,
        images_needed=images_to_tell(only_first / n, only_second / n),
    )


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """The two-sided p-value of McNemar's exact test.

    Args:
        only_first: images that only the first classifies correctly.
        only_second: images that only the second does.

    Source:
        Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12 (1947), 153-157; exactly, from the binomial.

    Example:
        >>> round(mcnemar_exact(1, 7), 4)
        0.0703
    """
    from scipy.special import bdtr  # noqa: PLC0415 - it takes a while to import

    fewer, told = min(only_first, only_second), only_first + only_second
    return min(1.0, 2 * float(bdtr(fewer, told, 0.5))) if told else 1.0


def tango_interval(only_first: int, only_second: int, n: int, *, level: float = 0.95) -> Interval:
    """Tango's score interval for the difference of two accuracies on the same images.

    It holds every difference that the score test does not reject; at no difference that test is
    McNemar's, without exactness.

    Args:
        only_first: images that only the first classifies correctly.
        only_second: images that only the second does.
        n: all images.
        level: the confidence level, between 0 and 1.

    Returns:
        The ends of the first's accuracy less the second's, in [-1, 1].

    Source:
        T. Tango, "Equivalence test and confidence interval for the difference in proportions for
        the paired-sample design", Statistics in Medicine 17 (1998), 891-908, equations 24 to 29.

    Example:
        >>> low, high = tango_interval(28, 25, 618, level=0.9)
        >>> f"{low:.4f} to {high:.4f}"
        '-0.0148 to 0.0247'
    """
    z = normal_quantile((1 + level) / 2)
    seen = (only_first - only_second) / n

    def distance(difference: float) -> float:
        """From the difference seen to this one, in standard errors under this one, less z."""
        linear = (2 * n - only_first + only_second) * difference - only_first - only_second
        constant = -only_second * difference * (1 - difference)
        likeliest = (sqrt(max(linear**2 - 8 * n * constant, 0.0)) - linear) / (4 * n)
        variance = max(2 * likeliest + difference * (1 - difference), 0.0) / n
        return abs(seen - difference) - z * sqrt(variance)

    return _crossing(distance, seen, -1.0), _crossing(distance, seen, 1.0)


def images_to_tell(only_first: float, only_second: float, *, power: float = 0.8) -> int | None:
    """How many images McNemar's test needs to find a difference at the 5 % level.

    With d = a + b the share of images on which one of two classifiers is right and e = a - b the
    difference, (1.96 √d + 0.84 √(d - e²))² / e², and 1 / |e| more because the test is exact.

    Args:
        only_first: a, the true share of images that only the first classifies correctly.
        only_second: b, the share that only the second does.
        power: how often to find it, between 0 and 1.

    Returns:
        The number; None where there is no difference to find.

    Source:
        R. J. Connor, "Sample size for testing differences in proportions for the paired-sample
        design", Biometrics 43 (1987), 207-211.
    """
    told, difference = only_first + only_second, abs(only_first - only_second)
    if not difference:
        return None
    spread = normal_quantile(0.975) * sqrt(told) + normal_quantile(power) * sqrt(
        told - difference**2
    )
    return ceil(spread**2 / difference**2 + 1 / difference)


def _crossing(distance: Callable[[float], float], inside: float, outside: float) -> float:
    """Where a distance that is negative inside passes 0 on the way out, by bisection."""
    if distance(outside) <= 0:
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if distance(middle) > 0:
            outside = middle
        else:
            inside = middle
    return outside
