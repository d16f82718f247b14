"""Probabilities and labels in, figures out: every accuracy with its interval.

Example:
    >>> import numpy as np
    >>> probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    >>> figures = measure(probabilities, np.array([0, 1, 1]), classes=("cat", "dog"))
    >>> round(figures.accuracy, 3), figures.n
    (0.667, 3)
"""

from convlens.evaluation.calibration import (
    ReliabilityBin,
    apply_temperature,
    calibration_error,
    fit_temperature,
    reliability_curve,
)
from convlens.evaluation.class_figures import ClassFigures, ConfusedPair
from convlens.evaluation.confusion import confusion_json, confusion_matrix
from convlens.evaluation.intervals import wilson_interval
from convlens.evaluation.metrics import Metrics, measure
from convlens.evaluation.ood import (
    UnknownFigures,
    measure_unknown,
    unknown_score,
    unknown_score_of_logits,
)
from convlens.evaluation.paired import Comparison, compare_answers
from convlens.evaluation.selective import (
    SelectiveMetrics,
    SelectiveRule,
    fit_selective,
    measure_selective,
)
from convlens.evaluation.settings import SelectiveSettings

__all__ = [
    "ClassFigures",
    "Comparison",
    "ConfusedPair",
    "Metrics",
    "ReliabilityBin",
    "SelectiveMetrics",
    "SelectiveRule",
    "SelectiveSettings",
    "UnknownFigures",
    "apply_temperature",
    "calibration_error",
    "compare_answers",
    "confusion_json",
    "confusion_matrix",
    "fit_selective",
    "fit_temperature",
    "measure",
    "measure_selective",
    "measure_unknown",
    "reliability_curve",
    "unknown_score",
    "unknown_score_of_logits",
    "wilson_interval",
]
