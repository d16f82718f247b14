"""When to say "not sure", and which classes to name then: thresholds that come with a promise."""

from bisect import bisect_left
from dataclasses import dataclass
from math import ceil, floor
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from convlens.core.errors import ConvlensError
from convlens.evaluation.arrays import Floats, Labels, fitting_labels, proper_probabilities
from convlens.evaluation.intervals import Interval, clopper_pearson_upper, wilson_interval

Share = Annotated[float, Field(gt=0, lt=1)]
Threshold = Annotated[float, Field(ge=0, le=1)]

_STEPS = 50


class SelectiveRule(BaseModel):
    """The rule by which a classifier says "not sure"; plain values, which travel in a bundle.

    Asked for a coverage, it names every class of at least `candidate_from`, and is sure where that
    is one class alone. Asked for an error rate, it is sure where the largest probability is above
    `sure_above`, and where it is not names the candidates as above, two at least.

    Attributes:
        coverage: how often the true class should be among those named. Where an error rate was
            asked it is 1 less the rate: it sets which candidates are named beside a "not sure",
            and is not promised.
        error_rate: how often an answer that it is sure of may be wrong, where that was asked.
        confidence: with which the error rate holds, over the choice of the calibration images.
        candidate_from: the probability from which a class is a candidate.
        sure_above: the probability above which the likeliest class is the answer, where an error
            rate was asked.
        n: the calibration images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    coverage: Share
    error_rate: Share | None = None
    confidence: Share | None = None
    candidate_from: Threshold
    sure_above: Annotated[float, Field(ge=-1, le=1)] | None = None
    n: Annotated[int, Field(ge=1)]

    @property
    def promise(self) -> str:
        """What it promises, and what that rests on, in a sentence."""
        if self.error_rate is None or self.confidence is None:
            return (
                f"the classes named hold the true one for at least {100 * self.coverage:g} % of "
                f"images on average, if they are like the {self.n:,} that calibrated it "
                "(exchangeable with them)"
            )
        return (
            f"at most {100 * self.error_rate:g} % of the sure answers are wrong, with "
            f"{100 * self.confidence:g} % confidence, if images are drawn like the {self.n:,} that "
            "calibrated it, independently of one another, and if answering less sure images too "
            "would not bring the share of errors back down"
        )

    def candidates(self, probabilities: Floats) -> NDArray[np.bool_]:
        """(N, K): which classes are named for each image; the likeliest always is."""
        proper = proper_probabilities(probabilities)
        likely = proper >= self.candidate_from
        order = np.argsort(-proper, axis=1, kind="stable")
        np.put_along_axis(likely, order[:, :1], True, axis=1)
        if self.sure_above is not None:
            sure = proper.max(axis=1) > self.sure_above
            np.put_along_axis(likely, order[:, 1:2], True, axis=1)
            likely[sure] = np.arange(likely.shape[1]) == order[sure, :1]
        return np.asarray(likely)

    def sure(self, probabilities: Floats) -> NDArray[np.bool_]:
        """(N,): for which images a single class is named, and is the answer."""
        return np.asarray(self.candidates(probabilities).sum(axis=1) == 1)


@dataclass(frozen=True, kw_only=True)
class SelectiveMetrics:
    """What such a rule does on n labeled images that had no part in choosing it.

    Attributes:
        n: images.
        coverage: share whose true class is among those named.
        answered: share for which a single class is named.
        error_rate: share of those answered that are wrong; None where none is answered.
        candidates: how many classes are named on average where the answer is "not sure"; None
            where it never is.
    """

    n: int
    coverage: float
    coverage_interval: Interval
    answered: float
    answered_interval: Interval
    error_rate: float | None
    error_rate_interval: Interval | None
    candidates: float | None

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in vars(self).items()
        }


def fit_selective(
    probabilities: Floats,
    labels: Labels,
    *,
    coverage: float | None = None,
    error_rate: float | None = None,
    confidence: float = 0.95,
) -> SelectiveRule:
    """The rule that keeps a promise, from calibration images that decided nothing else.

    Asked for a coverage, the classes named hold the true one with at least that probability, on
    average over images and calibration sets (split-conformal prediction sets by the probability
    of the true class, LAC), if the images to come are exchangeable with those of the calibration.

    Asked for an error rate, the share of errors among the images answered is at most that, with
    the asked confidence over the choice of the calibration images (Learn then Test: images are
    added from the surest on, until Clopper and Pearson's bound of their errors is above the rate),
    if images are drawn independently from the same source, and if answering ever less sure images
    never brings the share of errors back below the rate once it is above.

    Args:
        probabilities: (N, K), as they will be when predicting: after the temperature.
        labels: (N,) class numbers from 0 to K - 1.
        coverage: the coverage to keep, between 0 and 1; this or `error_rate`.
        error_rate: the error rate among those answered, between 0 and 1.
        confidence: with which the error rate holds.

    Raises:
        ConvlensError: not exactly one of the two is asked for, it is out of range, or it cannot be
            promised from these images; the message says what could be.

    Source:
        M. Sadinle, J. Lei and L. Wasserman, "Least ambiguous set-valued classifiers with bounded
        error levels", Journal of the American Statistical Association 114 (2019), 223-234,
        arXiv:1609.00451. A. N. Angelopoulos, S. Bates, E. J. Candès, M. I. Jordan and L. Lei,
        "Learn then test: calibrating predictive algorithms to achieve risk control" (2021),
        arXiv:2110.01052, for fixed-sequence testing. Y. Geifman and R. El-Yaniv, "Selective
        classification for deep neural networks" (2017), arXiv:1705.08500, for the bound.
    """
    proper = proper_probabilities(probabilities)
    true = fitting_labels(labels, proper.shape)
    if (coverage is None) == (error_rate is None):
        raise ConvlensError(
            "ask for a coverage or for an error rate, one of them", code="bad-option"
        )
    _refuse_no_share(coverage=coverage, error_rate=error_rate, confidence=confidence)
    if coverage is not None:
        threshold = _candidate_threshold(proper, true, coverage)
        return SelectiveRule(coverage=coverage, candidate_from=threshold, n=len(true))
    rate = float(error_rate or 0)
    return SelectiveRule(
        sure_above=_answer_threshold(proper, true, rate, confidence),
        error_rate=rate,
        confidence=confidence,
        coverage=1 - rate,
        candidate_from=_candidate_threshold(proper, true, 1 - rate),
        n=len(true),
    )


def measure_selective(
    rule: SelectiveRule, probabilities: Floats, labels: Labels
) -> SelectiveMetrics:
    """Measure a rule on labeled images, with Wilson's 95 % intervals.

    Args:
        rule: from other images than these.
        probabilities: (N, K), each row summing to 1.
        labels: (N,) class numbers from 0 to K - 1.
    """
    proper = proper_probabilities(probabilities)
    true = fitting_labels(labels, proper.shape)
    named = rule.candidates(proper)
    n, sizes = len(true), named.sum(axis=1)
    sure = sizes == 1
    covered = int(named[np.arange(n), true].sum())
    answered = int(sure.sum())
    wrong = int((proper.argmax(axis=1) != true)[sure].sum())
    return SelectiveMetrics(
        n=n,
        coverage=covered / n,
        coverage_interval=wilson_interval(covered, n),
        answered=answered / n,
        answered_interval=wilson_interval(answered, n),
        error_rate=wrong / answered if answered else None,
        error_rate_interval=wilson_interval(wrong, answered) if answered else None,
        candidates=float(sizes[~sure].mean()) if answered < n else None,
    )


def _refuse_no_share(**asked: float | None) -> None:
    for name, value in asked.items():
        if value is not None and not 0 < value < 1:
            raise ConvlensError(
                f"the {name.replace('_', ' ')} is {value}; expected a share between 0 and 1, such "
                "as 0.95 or 0.01",
                code="bad-option",
            )


def _candidate_threshold(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], coverage: float
) -> float:
    """The probability that the true class has, or exceeds, often enough."""
    n = len(labels)
    needed = _count((n + 1) * coverage)
    if needed > n:
        raise ConvlensError(
            f"a coverage of {coverage:.6g} cannot be promised from {n:,} calibration images: it "
            f"takes {_count(coverage / (1 - coverage)):,}; ask for at most "
            f"{floor(1000 * n / (n + 1)) / 1000}, or calibrate on more images",
            code="too-few-images",
        )
    own = np.sort(np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0])
    return float(own[n - needed])


def _answer_threshold(
    probabilities: NDArray[np.float64],
    labels: NDArray[np.int64],
    error_rate: float,
    confidence: float,
) -> float:
    """The confidence above which the answers may be given; -1 where all of them may."""
    n = len(labels)
    surest = probabilities.max(axis=1)
    order = np.argsort(-surest, kind="stable")
    falling = surest[order]
    wrong = np.concatenate([[0], np.cumsum((probabilities.argmax(axis=1) != labels)[order])])
    # Given the value of the next image, those strictly above it are as if freshly drawn.
    thresholds = np.append(falling, -1.0)[_counts_to_test(n, error_rate, confidence)]
    above = np.searchsorted(-falling, -thresholds, side="left")
    # Where equals leave so few that even without an error they prove nothing, look on.
    enough = clopper_pearson_upper(0, above, confidence=confidence) <= error_rate
    thresholds, above = thresholds[enough], above[enough]
    bounds = clopper_pearson_upper(wrong[above], above, confidence=confidence)
    kept = int(np.logical_and.accumulate(bounds <= error_rate).sum())
    if not kept:
        lowest = f"; the lowest that could be is about {bounds.min():.2g}" if len(bounds) else ""
        raise ConvlensError(
            f"an error rate of {error_rate:.6g} among the answers cannot be promised from these "
            f"{n:,} calibration images{lowest}; ask for a higher rate, or calibrate on more images",
            code="cannot-promise",
        )
    return float(thresholds[kept - 1])


def _counts_to_test(n: int, error_rate: float, confidence: float) -> NDArray[np.int64]:
    """How many of the surest images to look at, from few to all; fixed by n and what is asked.

    The first is the fewest that may hold two errors (one, or none, where that is over half of
    them): were it fewer, a single unlucky image would end the search at once.
    """
    fewest = [_fewest_with(errors, error_rate, confidence) for errors in (2, 1, 0)]
    if fewest[-1] > n:
        raise ConvlensError(
            f"an error rate of {error_rate:.6g} cannot be promised from {n:,} calibration images: "
            f"it takes {fewest[-1]:,}, all of them right; ask for a higher rate, or calibrate on "
            "more images",
            code="too-few-images",
        )
    first = next((count for count in fewest if count <= n / 2), fewest[-1])
    steps = np.ceil(n * np.arange(1, _STEPS + 1) / _STEPS).astype(np.int64)
    return np.unique(np.append(steps[steps > first], first))


def _fewest_with(errors: int, error_rate: float, confidence: float) -> int:
    """The fewest images among which so many errors still keep the bound at the rate."""
    return bisect_left(
        range(2**40),
        True,
        lo=errors + 1,
        key=lambda n: bool(clopper_pearson_upper(errors, n, confidence=confidence) <= error_rate),
    )


def _count(share_of_images: float) -> int:
    """Rounded up, yet not by the last digit of a product that should be whole."""
    return ceil(round(share_of_images, 9))
