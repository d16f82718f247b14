"""Whether an image shows anything the network knows: a score, and how well it tells."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convlens.evaluation.arrays import Floats, proper_probabilities
from convlens.evaluation.bootstrap import RESAMPLES, SEED
from convlens.evaluation.intervals import Interval
from convlens.evaluation.roc import mean_auc

LogitScore = Literal["energy", "max-logit"]


@dataclass(frozen=True, kw_only=True)
class UnknownFigures:
    """How well a score tells images of unknown objects from those of known ones.

    Attributes:
        known: images of the network's own classes.
        unknown: images of anything else.
        auroc: how often an unknown image has the higher score of the two; 0.5 is chance.
        interval: at 95 %; None where either side has a single image.
    """

    known: int
    unknown: int
    auroc: float
    interval: Interval | None

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {**vars(self), "interval": self.interval and list(self.interval)}


def unknown_score(probabilities: Floats) -> NDArray[np.float64]:
    """How little the network is sure of any class: 1 less the largest probability.

    Args:
        probabilities: (N, K), each row summing to 1.

    Returns:
        (N,) from 0 to 1 - 1/K, higher for what the network is less likely to know.

    Source:
        D. Hendrycks and K. Gimpel, "A baseline for detecting misclassified and out-of-distribution
        examples in neural networks" (2017), arXiv:1610.02136.
    """
    return np.asarray(1 - proper_probabilities(probabilities).max(axis=1))


def unknown_score_of_logits(logits: Floats, score: LogitScore = "energy") -> NDArray[np.float64]:
    """How little any class answers to the image, where the logits are at hand.

    A softmax forgets how large the logits were; these scores do not, and often tell more.

    Args:
        logits: (N, K), before the softmax.
        score: ``"energy"``, the negative logarithm of the sum of their exponentials, or
            ``"max-logit"``, the negative of the largest.

    Returns:
        (N,) higher for what the network is less likely to know.

    Source:
        W. Liu, X. Wang, J. Owens and Y. Li, "Energy-based out-of-distribution detection" (2020),
        arXiv:2010.03759, equation 4 at temperature 1. D. Hendrycks et al., "Scaling
        out-of-distribution detection for real-world settings" (2022), arXiv:1911.11132.

    Example:
        >>> unknown_score_of_logits(np.array([[9.0, 1.0], [0.5, 0.2]])).round(2)
        array([-9.  , -1.05])
    """
    wide = logits.astype(np.float64)
    largest = wide.max(axis=1)
    if score == "max-logit":
        return np.asarray(-largest)
    return np.asarray(-largest - np.log(np.exp(wide - largest[:, None]).sum(axis=1)))


def measure_unknown(
    known: Floats, unknown: Floats, *, resamples: int = RESAMPLES, seed: int = SEED
) -> UnknownFigures:
    """Measure a score on images of known and of unknown objects.

    Args:
        known: (N,) the scores of images of the network's own classes.
        unknown: (M,) the scores of images of classes left out of its training.
        resamples: how often to resample the images for the interval.
        seed: of the resamples.

    Raises:
        ValueError: either side has no scores, or holds what is not a number.
    """
    scores = np.concatenate([known, unknown]).astype(np.float64)
    if not (len(known) and len(unknown)) or np.isnan(scores).any():
        raise ValueError(
            f"{len(known)} known and {len(unknown)} unknown scores, {np.isnan(scores).sum()} of "
            "them no numbers; expected at least one of each, all numbers"
        )
    is_unknown = np.arange(len(scores)) >= len(known)
    area = mean_auc(
        scores[:, None],
        is_unknown[:, None],
        is_unknown.astype(np.int64),
        resamples=resamples,
        seed=seed,
    )
    return UnknownFigures(
        known=len(known), unknown=len(unknown), auroc=area.value, interval=area.interval
    )
