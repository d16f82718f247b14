"""The training step and the loop around it; it is handed batches, a transform and a classifier.

Example:
    >>> from convlens.training import TrainingSettings, TrainingState, fit
    >>> settings = TrainingSettings(epochs=3)
    >>> state = TrainingState.start(classifier, settings)       # doctest: +SKIP
    >>> fit(state, train, val, settings=settings, seed=0)       # doctest: +SKIP
    >>> state.history[-1].val_accuracy                          # doctest: +SKIP
    0.93
"""

from convlens.training.callbacks import Callback, KeepBest, Moment, Progress, WriteHistory
from convlens.training.checkpoint import SaveCheckpoint, load_checkpoint
from convlens.training.loop import fit
from convlens.training.schedule import ScheduleSettings, learning_rate
from convlens.training.settings import OptimiserSettings, TrainingSettings
from convlens.training.state import EpochRecord, TrainingState

__all__ = [
    "Callback",
    "EpochRecord",
    "KeepBest",
    "Moment",
    "OptimiserSettings",
    "Progress",
    "SaveCheckpoint",
    "ScheduleSettings",
    "TrainingSettings",
    "TrainingState",
    "WriteHistory",
    "fit",
    "learning_rate",
    "load_checkpoint",
]
