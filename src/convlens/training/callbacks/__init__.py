"""What may watch and steer a run, one file each."""

from convlens.training.callbacks.callback import Callback, Memory, Moment
from convlens.training.callbacks.history import WriteHistory
from convlens.training.callbacks.keep_best import KeepBest
from convlens.training.callbacks.progress import Progress

__all__ = ["Callback", "KeepBest", "Memory", "Moment", "Progress", "WriteHistory"]
