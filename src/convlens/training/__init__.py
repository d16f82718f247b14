"""The training step and the loop around it; it is handed batches, a transform and a classifier.

One call of `fit` trains one phase::

    settings = TrainingSettings(epochs=3)
    state = TrainingState.start(classifier, settings)
    fit(state, train, val, StepContext(settings=settings, seed=0), callbacks=[KeepBest()])
    state.history[-1].val_accuracy

What a phase freezes is `convlens.training.freeze`'s to say; how to go on from a kill,
`checkpoint`'s; how to fit a run to a time, `budget`'s.
"""

from convlens.training.budget import Budget
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
from convlens.training.checkpoint import (
    CheckpointPlace,
    SaveCheckpoint,
    checkpoint_place,
    load_checkpoint,
)
from convlens.training.dry_run import Pace, benchmark_steps
from convlens.training.ema import EmaSettings
from convlens.training.freeze import freeze, frozen_stages, learning_mode
from convlens.training.loop import StepContext, fit, in_16_bits, laid_out, train_step
from convlens.training.loss import LossSettings, class_weights, require_class_names, summed_loss
from convlens.training.lr_finder import RateCurve, RateFinderSettings, find_rate
from convlens.training.optimizer import OptimizerSettings, build_optimizer
from convlens.training.schedule import ScheduleSettings, learning_rate
from convlens.training.settings import PhaseSettings, TrainingSettings
from convlens.training.state import EpochRecord, TrainingState

__all__ = [
    "Budget",
    "Callback",
    "CallbackState",
    "CheckpointPlace",
    "EarlyStopping",
    "EarlyStoppingSettings",
    "EmaSettings",
    "EpochRecord",
    "KeepBest",
    "LossSettings",
    "Moment",
    "OptimizerSettings",
    "Pace",
    "PhaseSettings",
    "Progress",
    "RateCurve",
    "RateFinderSettings",
    "ReduceLROnPlateau",
    "ReduceOnPlateauSettings",
    "SaveAndLeave",
    "SaveCheckpoint",
    "ScheduleSettings",
    "StepContext",
    "TrainingSettings",
    "TrainingState",
    "WriteHistory",
    "WriteTensorBoard",
    "benchmark_steps",
    "build_optimizer",
    "checkpoint_place",
    "class_weights",
    "find_rate",
    "fit",
    "freeze",
    "frozen_stages",
    "in_16_bits",
    "laid_out",
    "learning_mode",
    "learning_rate",
    "load_checkpoint",
    "require_class_names",
    "summed_loss",
    "train_step",
]
