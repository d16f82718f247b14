"""The bundle on disk, and the predictor: from a bundle and images to probabilities.

Example:
    >>> from convlens.prediction import Predictor, load_bundle
    >>> predictor = Predictor(load_bundle("runs/plants"))       # doctest: +SKIP
    >>> predictor.predict(["leaf.jpg"])[0].top[0].name          # doctest: +SKIP
    'tulsi'
"""

from convlens.prediction.bundle import Bundle, load_bundle, read_classes, recalibrate, save_bundle
from convlens.prediction.calibration import Calibration
from convlens.prediction.predictor import ClassProbability, Prediction, Predictor, largest_batch
from convlens.prediction.training_images import TrainingImages
from convlens.prediction.views import View, count_views, parse_views, views_of

__all__ = [
    "Bundle",
    "Calibration",
    "ClassProbability",
    "Prediction",
    "Predictor",
    "TrainingImages",
    "View",
    "count_views",
    "largest_batch",
    "load_bundle",
    "parse_views",
    "read_classes",
    "recalibrate",
    "save_bundle",
    "views_of",
]
