"""Whether a classifier beats the simplest rule there is: always name the commonest class."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convlens.core.formatting import percent
from convlens.evaluation.intervals import Interval


@dataclass(frozen=True, kw_only=True)
class Majority:
    """The commonest class of the measured images.

    Attributes:
        name: the class.
        share: the accuracy of always naming it, in (0, 1].
        beaten: whether the 95 % interval of the classifier's accuracy lies above that; None where
            all images are of one class, since nothing can beat that.
    """

    name: str
    share: float
    beaten: bool | None

    @property
    def warning(self) -> str | None:
        """A sentence where the classifier is no better; None where it is."""
        if self.beaten is not False:
            return None
        return (
            "No better than guessing: the 95 % interval of the accuracy is not above the "
            f"{percent(self.share)} of always answering '{self.name}', the commonest class."
        )


def majority(support: NDArray[np.int64], classes: Sequence[str], accuracy: Interval) -> Majority:
    """Compare an accuracy with that of always naming the commonest class.

    Args:
        support: (K,) images of each class; at least one image in all.
        classes: the K class names.
        accuracy: the 95 % interval of the classifier's accuracy.

    Example:
        >>> majority(np.array([30, 70]), ("cat", "dog"), (0.65, 0.82)).beaten
        False
    """
    share = float(support.max() / support.sum())
    return Majority(
        name=classes[int(support.argmax())],
        share=share,
        beaten=accuracy[0] > share if share < 1 else None,
    )
