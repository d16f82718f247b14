"""What may watch and steer a run, one file each."""

from convlens.training.callbacks.callback import Callback, CallbackState, Moment
from convlens.training.callbacks.early_stopping import EarlyStopping, EarlyStoppingSettings
from convlens.training.callbacks.history import WriteHistory
from convlens.training.callbacks.interrupt import SaveAndLeave
from convlens.training.callbacks.keep_best import KeepBest
from convlens.training.callbacks.progress import Progress
from convlens.training.callbacks.reduce_on_plateau import (
    ReduceLROnPlateau,
    ReduceOnPlateauSettings,
)
from convlens.training.callbacks.tensorboard import WriteTensorBoard

__all__ = [
    "Callback",
    "CallbackState",
    "EarlyStopping",
    "EarlyStoppingSettings",
    "KeepBest",
    "Moment",
    "Progress",
    "ReduceLROnPlateau",
    "ReduceOnPlateauSettings",
    "SaveAndLeave",
    "WriteHistory",
    "WriteTensorBoard",
]
