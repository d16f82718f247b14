"""Probabilities and labels in, figures out: every accuracy with its interval.

Example:
    >>> import numpy as np
    >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> figures = measure(probabilities, np.array([0, 1, 1]), classes=("cat", "dog"))
    >>> round(figures.accuracy, 3), figures.n
    (0.667, 3)
"""

from convlens.evaluation.intervals import wilson_interval
from convlens.evaluation.metrics import ClassFigures, Figures, measure

__all__ = ["ClassFigures", "Figures", "measure", "wilson_interval"]
