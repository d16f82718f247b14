"""The Python API: one function a verb, with the command line's names and words.

Each function imports what it runs, so that importing this module costs next to nothing.

Example:
    >>> import convlens
    >>> run = convlens.train("digits", epochs=1, quiet=True)     # doctest: +SKIP
    >>> run.metrics["test"]["accuracy"]                           # doctest: +SKIP
    0.91
"""

from convlens.api.augment_preview import visualize_augment
from convlens.api.check import check
from convlens.api.datasets import data_fetch, data_info, data_list
from convlens.api.lr_finder import visualize_lr
from convlens.api.networks import compare, inspect
from convlens.api.predict import evaluate, load, predict
from convlens.api.reporting import report
from convlens.api.resuming import resume
from convlens.api.training import train
from convlens.api.visualize import embed, visualize, visualize_convolution, visualize_pooling

__all__ = [
    "check",
    "compare",
    "data_fetch",
    "data_info",
    "data_list",
    "embed",
    "evaluate",
    "inspect",
    "load",
    "predict",
    "report",
    "resume",
    "train",
    "visualize",
    "visualize_augment",
    "visualize_convolution",
    "visualize_lr",
    "visualize_pooling",
]
