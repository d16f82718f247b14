"""Class by class: what is found, what is mistaken for what."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convlens.evaluation.intervals import Interval, f1_interval, wilson_interval


@dataclass(frozen=True, kw_only=True)
class ClassFigures:
    """One class's figures; a proportion is None where there is nothing to divide by.

    Attributes:
        name: the class.
        support: images of this class.
        predicted: images that were given this class.
        recall: share of the class's images that were found, with its interval (Wilson's).
        precision: share of the images given this class that are of it, likewise.
        f1: the harmonic mean of the two; 0 for a class that is neither there nor predicted.
        f1_interval: from Wilson's, by way of Jaccard's index.
    """

    name: str
    support: int
    predicted: int
    recall: float | None
    recall_interval: Interval | None
    precision: float | None
    precision_interval: Interval | None
    f1: float
    f1_interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class ConfusedPair:
    """A class that is taken for another.

    Attributes:
        true: the class of the images.
        predicted: the class that they were given.
        count: how many.
        share: of the true class's images, with its interval (Wilson's).
    """

    true: str
    predicted: str
    count: int
    share: float
    share_interval: Interval


def class_figures(
    predicted: NDArray[np.int64], labels: NDArray[np.int64], classes: Sequence[str]
) -> tuple[ClassFigures, ...]:
    """Each class's figures, in class order.

    Args:
        predicted: (N,) class numbers.
        labels: (N,) class numbers.
        classes: the K class names.
    """
    from sklearn.metrics import precision_recall_fscore_support  # noqa: PLC0415 - slow to import

    numbers = range(len(classes))
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, predicted, labels=numbers, zero_division=0.0
    )
    support = np.bincount(labels, minlength=len(classes)).tolist()
    given = np.bincount(predicted, minlength=len(classes)).tolist()
    hits = np.bincount(labels[labels == predicted], minlength=len(classes)).tolist()
    involved = [support[k] + given[k] - hits[k] for k in numbers]
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
            f1_interval=f1_interval(hits[k], involved[k]) if involved[k] else None,
        )
        for k in numbers
    )


def confused_pairs(
    confusion: NDArray[np.int64], classes: Sequence[str], *, limit: int = 10
) -> tuple[ConfusedPair, ...]:
    """The pairs of classes that are confused most often, by number of images.

    Args:
        confusion: (K, K) counts, a row a true class, a column a predicted one.
        classes: the K class names.
        limit: how many pairs at most.

    Returns:
        Most often first; of equals, in class order.
    """
    mistakes = confusion - np.diag(np.diag(confusion))
    support = confusion.sum(axis=1)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(place), len(classes)) for place in order]
    return tuple(
        ConfusedPair(
            true=classes[true],
            predicted=classes[said],
            count=int(mistakes[true, said]),
            share=float(mistakes[true, said] / support[true]),
            share_interval=wilson_interval(int(mistakes[true, said]), int(support[true])),
        )
        for true, said in pairs
        if mistakes[true, said]
    )
