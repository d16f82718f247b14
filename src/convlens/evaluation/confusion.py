"""A confusion matrix as plain JSON values, of a size that does not grow with the square of K."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

LARGEST_MATRIX = 200
"""Classes up to which every count is written, zeros included."""

MOST_CELLS = 10_000
"""Kinds of mistake that are written where there are more classes, the most frequent first."""


def confusion_json(confusion: NDArray[np.int64]) -> list[list[int]] | dict[str, Any]:
    """The matrix itself; of many classes the counts that are not 0, by row and column.

    Args:
        confusion: (K, K) counts, a row a true class, a column a predicted one.

    Returns:
        K lists of K counts; or the parallel lists ``"true"``, ``"predicted"`` (class numbers) and
        ``"count"`` of the diagonal and of the most frequent mistakes, with ``"left_out"``, the
        images whose kind of mistake is not among them.

    Example:
        >>> confusion_json(np.array([[3, 1], [0, 2]]))
        [[3, 1], [0, 2]]
    """
    if len(confusion) <= LARGEST_MATRIX:
        matrix: list[list[int]] = confusion.tolist()
        return matrix
    rows, columns = np.nonzero(confusion)
    counts = confusion[rows, columns]
    right = rows == columns
    order = np.argsort(-np.where(right, 0, counts), kind="stable")
    mistakes = order[: min(MOST_CELLS, int((~right).sum()))]
    kept = np.sort(np.concatenate([np.flatnonzero(right), mistakes]))
    return {
        "true": rows[kept].tolist(),
        "predicted": columns[kept].tolist(),
        "count": counts[kept].tolist(),
        "left_out": int(counts.sum() - counts[kept].sum()),
    }


def confusion_matrix(written: Any, classes: int) -> NDArray[np.int64]:
    """The matrix that `confusion_json` wrote, without the mistakes that it left out.

    Args:
        written: what it returned.
        classes: K.
    """
    if not isinstance(written, dict):
        return np.array(written, np.int64).reshape(classes, classes)
    matrix = np.zeros((classes, classes), np.int64)
    matrix[written["true"], written["predicted"]] = written["count"]
    return matrix
