"""The bundle on disk, and the predictor: from a bundle and images to probabilities.

Example:
    >>> from convlens.prediction import Predictor, load_bundle
    >>> predictor = Predictor(load_bundle("runs/plants"))       # doctest: +SKIP
    >>> predictor.predict(["leaf.jpg"])[0].top[0].name          # doctest: +SKIP
    'tulsi'
"""

from convlens.prediction.bundle import Bundle, load_bundle, save_bundle
from convlens.prediction.predictor import Guess, Prediction, Predictor

__all__ = ["Bundle", "Guess", "Prediction", "Predictor", "load_bundle", "save_bundle"]
