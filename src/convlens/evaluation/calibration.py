"""Whether a probability means what it says, and the one number that makes it so."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convlens.evaluation.arrays import Floats, Labels, fitting_labels, proper_probabilities
from convlens.evaluation.intervals import Interval, wilson_interval

BINS = 15
_COOLEST, _WARMEST = 0.05, 20.0
_SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """The images whose confidence (their largest probability) lies in (low, high].

    Attributes:
        low: where the bin begins; the first one holds 0 too.
        high: where it ends.
        count: images in it.
        confidence: their mean confidence; None without images, as the two below.
        accuracy: the share of them that was classified correctly.
        interval: Wilson's at 95 %, of the accuracy.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None
    interval: Interval | None


def fit_temperature(probabilities: Floats, labels: Labels) -> float:
    """The temperature at which these probabilities have the lowest log loss.

    Fit it on validation images. Above 1 it makes a network less sure of itself, below 1 surer; the
    ranking of the classes stays. Where every image is classified correctly the log loss falls
    without end as the network grows surer, which says nothing of its mistakes: the answer is then
    1, or as they are.

    Args:
        probabilities: (N, K), each row summing to 1.
        labels: (N,) class numbers from 0 to K - 1.

    Returns:
        The temperature, from 0.05 to 20.

    Source:
        C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks"
        (2017), arXiv:1706.04599, section 4.2. Logarithms of probabilities are logits less a
        constant a row, so they serve as well.

    Example:
        >>> overconfident = np.array([[0.99, 0.01]] * 4)
        >>> round(fit_temperature(overconfident, np.array([0, 0, 0, 1])), 2)
        4.18
    """
    proper = proper_probabilities(probabilities)
    true = fitting_labels(labels, proper.shape)
    if (proper.argmax(axis=1) == true).all():
        return 1.0
    logits = _logits(proper)
    own = np.take_along_axis(logits, true[:, None], axis=1)[:, 0]

    def slope(inverse: float) -> float:
        """Of the log loss, which is convex in the inverse of the temperature."""
        expected = (_softmax(logits * inverse) * logits).sum(axis=1)
        return float((expected - own).mean())

    return 1 / _root(slope, 1 / _WARMEST, 1 / _COOLEST)


def apply_temperature(probabilities: Floats, temperature: float) -> Floats:
    """The probabilities at a temperature: softmax(log p / T).

    Args:
        probabilities: (N, K), each row summing to 1.
        temperature: above 0; 1 changes nothing.

    Returns:
        (N, K) of the same type, each row summing to 1, its classes in the same order.

    Raises:
        ValueError: the temperature is not a positive number.

    Example:
        >>> apply_temperature(np.array([[0.9, 0.1]]), 2.0).round(2)
        array([[0.75, 0.25]])
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(f"the temperature is {temperature}; expected a number above 0")
    if temperature == 1:
        return probabilities
    warmed: Floats = _softmax(_logits(probabilities.astype(np.float64)) / temperature)
    return warmed.astype(probabilities.dtype)


def reliability_curve(
    probabilities: Floats, labels: Labels, *, bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Accuracy beside confidence, in bins of equal width from 0 to 1.

    Args:
        probabilities: (N, K), each row summing to 1.
        labels: (N,) class numbers from 0 to K - 1.
        bins: how many, at least 1.

    Returns:
        Every bin in order, those without images too.

    Source:
        Guo et al. (2017), arXiv:1706.04599, section 2.
    """
    proper = proper_probabilities(probabilities)
    correct = proper.argmax(axis=1) == fitting_labels(labels, proper.shape)
    confidence = proper.max(axis=1)
    bin_of = bin_numbers(confidence, bins)
    counts = np.bincount(bin_of, minlength=bins)
    confidences = np.bincount(bin_of, confidence, bins)
    hits = np.bincount(bin_of[correct], minlength=bins)
    return tuple(
        ReliabilityBin(
            low=number / bins,
            high=(number + 1) / bins,
            count=int(count),
            confidence=float(confidences[number] / count) if count else None,
            accuracy=float(hits[number] / count) if count else None,
            interval=wilson_interval(int(hits[number]), int(count)) if count else None,
        )
        for number, count in enumerate(counts)
    )


def calibration_error(probabilities: Floats, labels: Labels, *, bins: int = BINS) -> float:
    """The expected calibration error: by how much confidence and accuracy differ, on average.

    Args:
        probabilities: (N, K), each row summing to 1.
        labels: (N,) class numbers from 0 to K - 1.
        bins: how many bins of equal width, at least 1.

    Returns:
        From 0 to 1. Chance alone puts it above 0, the more so the fewer the images.

    Source:
        Guo et al. (2017), arXiv:1706.04599, equation 3.
    """
    curve = reliability_curve(probabilities, labels, bins=bins)
    gaps = [
        own.count * abs(own.confidence - own.accuracy)
        for own in curve
        if own.confidence is not None and own.accuracy is not None
    ]
    return float(sum(gaps) / len(labels))


def bin_numbers(confidence: NDArray[np.float64], bins: int = BINS) -> NDArray[np.int64]:
    """In which of the bins of equal width, (0, 1/bins], …, each confidence lies."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def calibration_error_interval(
    gaps: NDArray[np.float64], resampled: NDArray[np.float64], *, level: float = 0.95
) -> Interval | None:
    """The interval of an expected calibration error.

    It is a sum of absolute values, which noise only raises; so the resamples' own errors lie above
    the truth, and their percentiles miss a well calibrated network's every time. Instead each true
    error is asked: were the bins' gaps that large, and moved by the noise that the resamples show,
    how often would the error be as large, or as small, as the one seen? The interval holds those
    for which neither is rare.

    For its lower end the gaps are t times those seen. For the upper end each is first enlarged by
    twice its noise: those seen stand out by noise already, and of errors that are alike the one
    spread over many bins is seen as the smallest.

    Args:
        gaps: (M,) what each bin adds to the mean of confidence less correctness.
        resampled: (B, M) the same on each resample.
        level: the confidence level, between 0 and 1.

    Returns:
        The lower and upper end, with the error that was seen between them; None where all images
        are alike, for resampling them then tells nothing.
    """
    seen = float(np.abs(gaps).sum())
    noise = resampled - gaps
    if not seen or np.abs(noise).max() < 1e-12:
        return None

    spread = gaps + 2 * np.sign(gaps) * noise.std(axis=0)
    spread *= seen / np.abs(spread).sum()

    def excess(true: NDArray[np.float64], share: float) -> float:
        return float(np.quantile(np.abs(true + noise).sum(axis=1), share)) - seen

    low = _root(lambda times: excess(times * gaps, (1 + level) / 2), 0.0, 1.0)
    high = _root(lambda times: excess(times * spread, (1 - level) / 2), 0.0, 4.0)
    return low * seen, max(high, 1.0) * seen


def _logits(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    # What rounds to 0 in float32 is taken for the smallest number that does not.
    return np.log(np.maximum(probabilities, _SMALLEST))


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Where a rising function passes 0; the end where it does not."""
    from scipy.optimize import brentq  # noqa: PLC0415 - it takes a while to import

    if rising(low) >= 0:
        return low
    if rising(high) <= 0:
        return high
    return float(brentq(rising, low, high, xtol=1e-6))
