"""The figures of a classifier on labelled images, from scikit-learn, with their intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

from convlens.evaluation.intervals import Interval, wilson_interval


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """One class's figures; a proportion is None where there is nothing to divide by.

    Attributes:
        name: the class.
        support: images of this class.
        predicted: images that were given this class.
        recall: share of the class's images that were found, with its interval.
        precision: share of the images given this class that are of it, with its interval.
        f1: the harmonic mean of the two.
    """

    name: str
    support: int
    predicted: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    f1: float


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a classifier achieves on n labelled images.

    Attributes:
        n: images.
        accuracy: share classified correctly; `interval` is Wilson's at 95 %.
        top5: share whose class is among the five most probable; None with five classes or fewer.
        log_loss: mean negative log probability of the true class, in nats.
        classes: each class's figures, in class order.
        confusion: (K, K) counts, a row a true class, a column a predicted one.
    """

    n: int
    accuracy: float
    interval: Interval
    top5: float | None
    top5_interval: Interval | None
    log_loss: float
    classes: tuple[ClassFigures, ...]
    confusion: NDArray[np.int64]

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "n": self.n,
            "top5": self.top5,
            "top5_interval": self.top5_interval and list(self.top5_interval),
            "log_loss": self.log_loss,
            "classes": [vars(figures) for figures in self.classes],
            "confusion": self.confusion.tolist(),
        }


def measure(
    probabilities: NDArray[np.floating[Any]],
    labels: NDArray[np.int64],
    *,
    classes: Sequence[str],
) -> Figures:
    """Measure predicted probabilities against the true classes.

    Args:
        probabilities: (N, K), each row in [0, 1] and summing to 1; N at least 1.
        labels: (N,) class numbers from 0 to K - 1.
        classes: the K class names.

    Raises:
        ValueError: the shapes do not fit together, or there are no images.
    """
    n, k = probabilities.shape
    if n == 0 or labels.shape != (n,) or len(classes) != k:
        raise ValueError(
            f"probabilities are {n}×{k}, labels {labels.shape}, classes {len(classes)}; "
            "expected N×K, (N,) and K with N at least 1"
        )
    predicted = probabilities.argmax(axis=1)
    correct = int((predicted == labels).sum())
    in_top5 = _in_top(probabilities, labels, 5) if k > 5 else None
    return Figures(
        n=n,
        accuracy=correct / n,
        interval=wilson_interval(correct, n),
        top5=None if in_top5 is None else in_top5 / n,
        top5_interval=None if in_top5 is None else wilson_interval(in_top5, n),
        log_loss=float(log_loss(labels, _proper(probabilities), labels=range(k))),
        classes=_by_class(predicted, labels, classes),
        confusion=confusion_matrix(labels, predicted, labels=range(k)).astype(np.int64),
    )


def _in_top(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64], count: int) -> int:
    own = np.take_along_axis(probabilities, labels[:, None], axis=1)
    return int(((probabilities > own).sum(axis=1) < count).sum())


def _proper(probabilities: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Float64 rows that sum to 1, which scikit-learn insists on to the last digit."""
    wide = probabilities.astype(np.float64)
    return np.asarray(wide / wide.sum(axis=1, keepdims=True))


def _by_class(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: Sequence[str]
) -> tuple[ClassFigures, ...]:
    numbers = range(len(classes))
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=numbers, zero_division=0.0
    )
    hits = [int(((labels == k) & (predicted == k)).sum()) for k in numbers]
    support = [int((labels == k).sum()) for k in numbers]
    given = [int((predicted == k).sum()) for k in numbers]
    return tuple(
        ClassFigures(
            name=classes[k],
            support=support[k],
            predicted=given[k],
            recall=float(recall[k]) if support[k] else None,
            recall_interval=wilson_interval(hits[k], support[k]) if support[k] else None,
            precision=float(precision[k]) if given[k] else None,
            precision_interval=wilson_interval(hits[k], given[k]) if given[k] else None,
            f1=float(f1[k]),
        )
        for k in numbers
    )
