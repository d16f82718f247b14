"""The Python API: one function a verb, with the command line's names and words.

Each function imports what it runs, so that importing this module costs next to nothing.

Example:
    >>> import convlens
    >>> run = convlens.train("digits", epochs=1, quiet=True)     # doctest: +SKIP
    >>> run.metrics["test"]["accuracy"]                           # doctest: +SKIP
    0.91
"""

from convlens.api.checking import check
from convlens.api.datasets import data_fetch, data_info, data_list
from convlens.api.looks import embed, look, look_convolution, look_pooling
from convlens.api.networks import compare, inspect
from convlens.api.reporting import report
from convlens.api.resuming import resume
from convlens.api.training import train
from convlens.api.training_looks import look_augment, look_rate
from convlens.api.using import evaluate, load, predict

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
    "look",
    "look_augment",
    "look_convolution",
    "look_pooling",
    "look_rate",
    "predict",
    "report",
    "resume",
    "train",
]
