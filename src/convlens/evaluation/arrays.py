"""What every figure starts from: probabilities and labels that fit together."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import WorkFailedError

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def proper_probabilities(probabilities: Floats) -> NDArray[np.float64]:
    """The same in float64, each row summing to 1 to the last digit.

    Args:
        probabilities: (N, K), none negative, each row summing to about 1.

    Raises:
        ValueError: they are not of two axes, or some are negative.
        WorkFailedError: some are not numbers: the network that gave them is broken.
    """
    if probabilities.ndim != 2 or 0 in probabilities.shape:
        raise ValueError(f"probabilities are {probabilities.shape}; expected N×K, both at least 1")
    wide = probabilities.astype(np.float64)
    broken = int((~np.isfinite(wide)).any(axis=1).sum())
    if broken:
        raise WorkFailedError(
            f"the network's answer to {broken:,} of {len(wide):,} images is not a number; "
            "its weights are broken: train again, with a lower learning rate",
            code="not-a-number",
        )
    sums = wide.sum(axis=1, keepdims=True)
    if (wide < 0).any() or (sums <= 0).any():
        raise ValueError("probabilities hold negative numbers or empty rows; expected shares of 1")
    return np.asarray(wide / sums)


def fitting_labels(labels: Labels, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The labels as int64, once it is sure that they fit probabilities of that shape.

    Args:
        labels: (N,) class numbers from 0 to K - 1.
        shape: N×K, the probabilities' shape.

    Raises:
        ValueError: there is not one label an image, or a label is not a class number.
    """
    n, k = shape
    if labels.shape != (n,):
        raise ValueError(f"labels are {labels.shape}, probabilities {n}×{k}; expected N×K and (N,)")
    if labels.min() < 0 or labels.max() >= k:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}; expected 0 to {k - 1}")
    return labels.astype(np.int64)
