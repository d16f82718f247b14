"""The figures of a classifier on labeled images, with their 95 % intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.evaluation.arrays import Floats, Labels, fitting_labels, proper_probabilities
from convlens.evaluation.bootstrap import RESAMPLES, SEED, Estimate, bca_interval, resampled_means
from convlens.evaluation.calibration import (
    BINS,
    ReliabilityBin,
    bin_numbers,
    calibration_error_interval,
    reliability_curve,
)
from convlens.evaluation.class_figures import (
    ClassFigures,
    ConfusedPair,
    class_figures,
    confused_pairs,
)
from convlens.evaluation.confusion import confusion_json
from convlens.evaluation.intervals import Interval, mean_recall_interval, wilson_interval
from convlens.evaluation.majority import Majority, majority
from convlens.evaluation.roc import mean_auc

_SMALLEST = float(np.finfo(np.float64).eps)  # scikit-learn's; the loss of a certain mistake is 36


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """What a classifier achieves on n labeled images.

    Intervals are at 95 %. Those of proportions, and of what is made of them, are Wilson's; the
    others come from resampling the images, and are None where that tells nothing (one image).

    Attributes:
        n: images.
        accuracy: share classified correctly; `interval` is its interval.
        majority: the commonest class, and whether always naming it does as well.
        top5: share whose class is among the five most probable; None with five classes or fewer.
        balanced_accuracy: mean recall of the classes that have images.
        log_loss: mean negative log probability of the true class, in nats.
        brier: mean squared distance between the probabilities and the truth, summed over the
            classes: 0 to 2 (for two classes twice what some report).
        calibration_error: mean difference between confidence and accuracy in 15 bins of equal
            width.
        roc_auc: area under the ROC curve, of each class against the rest, averaged over the
            classes (for two classes, that of the second); None where a class has no images.
        classes: each class's figures, in class order.
        confusion: (K, K) counts, a row a true class, a column a predicted one.
        confused: the ten pairs of classes that are confused most often.
        reliability: accuracy beside confidence, in the bins of `calibration_error`.
        resamples: how often the images were resampled; less often where they are very many.
        seed: of the resamples.
    """

    n: int
    accuracy: float
    interval: Interval
    majority: Majority
    top5: float | None
    top5_interval: Interval | None
    balanced_accuracy: float
    balanced_accuracy_interval: Interval
    log_loss: float
    log_loss_interval: Interval | None
    brier: float
    brier_interval: Interval | None
    calibration_error: float
    calibration_error_interval: Interval | None
    roc_auc: float | None
    roc_auc_interval: Interval | None
    classes: tuple[ClassFigures, ...]
    confusion: NDArray[np.int64]
    confused: tuple[ConfusedPair, ...]
    reliability: tuple[ReliabilityBin, ...]
    resamples: int
    seed: int

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values; of more than 200 classes the confusion is sparse."""
        return {
            **{name: _plain(value) for name, value in vars(self).items()},
            "confusion": confusion_json(self.confusion),
        }


def measure(
    probabilities: Floats,
    labels: Labels,
    *,
    classes: Sequence[str],
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Metrics:
    """Measure predicted probabilities against the true classes.

    Args:
        probabilities: (N, K), each row in [0, 1] and summing to 1; N at least 1.
        labels: (N,) class numbers from 0 to K - 1.
        classes: the K class names.
        resamples: how often to resample the images for the intervals that need it.
        seed: of the resamples: the same images have the same intervals.

    Raises:
        ValueError: the shapes do not fit together, or there are no images.
        WorkFailedError: the probabilities are not numbers.
    """
    proper = proper_probabilities(probabilities)
    true = fitting_labels(labels, proper.shape)
    n, k = proper.shape
    if len(classes) != k:
        raise ValueError(f"probabilities are {n}×{k}, classes {len(classes)}; expected N×K and K")
    predicted = proper.argmax(axis=1)
    correct = int((predicted == true).sum())
    in_top5 = _in_top(proper, true, 5) if k > 5 else None
    confusion = np.bincount(true * k + predicted, minlength=k * k).reshape(k, k)
    support = confusion.sum(axis=1)
    shown = support > 0
    hits = np.diag(confusion)
    log_loss, brier, gap = _of_probabilities(proper, true, resamples=resamples, seed=seed)
    told_apart = k > 1 and shown.all()
    interval = wilson_interval(correct, n)
    auc = _roc_auc(proper, true, resamples=resamples, seed=seed) if told_apart else None
    return Metrics(
        n=n,
        accuracy=correct / n,
        interval=interval,
        majority=majority(support, classes, interval),
        top5=None if in_top5 is None else in_top5 / n,
        top5_interval=None if in_top5 is None else wilson_interval(in_top5, n),
        balanced_accuracy=float((hits[shown] / support[shown]).mean()),
        balanced_accuracy_interval=mean_recall_interval(hits[shown], support[shown]),
        log_loss=log_loss.value,
        log_loss_interval=log_loss.interval,
        brier=brier.value,
        brier_interval=brier.interval,
        calibration_error=gap.value,
        calibration_error_interval=gap.interval,
        roc_auc=auc and auc.value,
        roc_auc_interval=auc and auc.interval,
        classes=class_figures(predicted, true, classes),
        confusion=confusion,
        confused=confused_pairs(confusion, classes),
        reliability=reliability_curve(proper, true),
        resamples=resamples,
        seed=seed,
    )


def _in_top(probabilities: Floats, labels: NDArray[np.int64], count: int) -> int:
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return int(((probabilities > own).sum(axis=1) < count).sum())


def _of_probabilities(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], *, resamples: int, seed: int
) -> tuple[Estimate, Estimate, Estimate]:
    """Log loss, Brier score and calibration error: all are made of means over the images."""
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0]
    losses = -np.log(np.maximum(own, _SMALLEST))
    distances = (probabilities**2).sum(axis=1) - own**2 + (1 - own) ** 2
    confidence = probabilities.max(axis=1)
    correct = probabilities.argmax(axis=1) == labels
    gaps = np.zeros((len(labels), BINS))
    gaps[np.arange(len(labels)), bin_numbers(confidence)] = confidence - correct
    values = np.column_stack([losses, distances, gaps])
    means = values.mean(axis=0)
    resampled = resampled_means(values, resamples=resamples, seed=seed)
    log_loss, brier = (
        Estimate(
            float(means[column]),
            bca_interval(means[column], resampled[:, column], values[:, column] - means[column]),
        )
        for column in (0, 1)
    )
    error = float(np.abs(means[2:]).sum())
    return log_loss, brier, Estimate(error, calibration_error_interval(means[2:], resampled[:, 2:]))


def _roc_auc(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], *, resamples: int, seed: int
) -> Estimate:
    numbers = np.arange(probabilities.shape[1])
    asked = numbers[1:] if len(numbers) == 2 else numbers
    return mean_auc(
        probabilities[:, asked],
        labels[:, None] == asked,
        labels,
        resamples=resamples,
        seed=seed,
    )


def _plain(value: Any) -> Any:
    """Records and tuples as the dictionaries and lists that JSON has."""
    if is_dataclass(value):
        return {name: _plain(own) for name, own in vars(value).items()}
    return [_plain(own) for own in value] if isinstance(value, tuple) else value
