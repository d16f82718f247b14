"""How a network is trained: once through, or in phases."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from convlens.core.settings import merge
from convlens.training.callbacks.early_stopping import EarlyStoppingSettings
from convlens.training.callbacks.reduce_on_plateau import ReduceOnPlateauSettings
from convlens.training.ema import EmaSettings
from convlens.training.loss import LossSettings
from convlens.training.optimizer import OptimizerSettings
from convlens.training.schedule import ScheduleSettings


class _Learning(BaseModel):
    """What a phase may have of its own.

    Attributes:
        epochs: passes over the training images, 100,000 at most.
        optimizer: what turns gradients into steps.
        schedule: how the learning rate moves from the phase's first step to its last.
        early_stopping: when a phase ends before its last epoch; None for never.
        reduce_on_plateau: when the learning rate is lowered for want of progress; None for never.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Annotated[int, Field(ge=1, le=100_000)] = 30
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    early_stopping: EarlyStoppingSettings | None = None
    reduce_on_plateau: ReduceOnPlateauSettings | None = None


_SHARED = tuple(_Learning.model_fields)


class PhaseSettings(_Learning):
    """One phase of a run; each starts its optimizer anew.

    Attributes:
        train: which weights learn: ``"all"``; ``"head"``; ``"last n"``, the last n layers with
            weights before the head, and the head; ``"stage:NAME"``, that stage and all after it.
            What does not learn runs as it does in prediction, and keeps its statistics. Weights
            that the network's code has frozen learn only where ``"stage:NAME"`` or ``"head"`` names
            the part that they are in.
    """

    train: Annotated[str, Field(pattern=r"^(all|head|last [1-9]\d*|stage:.+)$")] = "all"


class TrainingSettings(_Learning):
    """One training run.

    What is said here of epochs, optimizer, schedule and stopping holds for every phase that does
    not say otherwise.

    Attributes:
        phases: one after another; none for a single one in which all weights learn.
        batch_size: images a step, of all processes together.
        sampling: which images an epoch shows: each of them once, or as many in all, drawn so that
            every class comes equally often.
        loss: what is to become small.
        grad_clip_norm: gradients longer than this are shortened to it (Pascanu et al., arXiv
            1211.5063, algorithm 1); None for never.
        ema: weights averaged over the steps, which validation, prediction and the bundle then
            use; None for the last step's own.
        keep: the weights that a phase ends with: those of the best epoch by ``monitor``, or the
            last epoch's.
        monitor: what the best epoch is best in.
        checkpoint_seconds: save at least this often; the ends of epochs are saved besides, as many
            as take no more than a fiftieth of the time.
        budget_seconds: fit the epochs to this time, measured before the first step and corrected
            as it goes; None to train the epochs that are asked for.
        feature_cache: keep what the frozen stages make of the images, where nothing random comes
            before them; False computes it in every step.
        feature_draws: with augmentation and frozen stages: how many augmented versions of each
            image to make once and go round; 0 makes new ones in every epoch, uncached.
        precision: ``"bfloat16"`` computes convolutions and products in 16 bits, with weights,
            losses and statistics in 32: faster on most GPUs and on CPUs that have such instructions
            (AVX-512 BF16, AMX), slower on others; ``"auto"`` does so on GPUs alone.
        channels_last: keep images and kernels in channels-last memory, the faster layout for
            convolutions on nearly every device; False keeps torch's own.
        copy_ahead: copy each batch to a GPU, from pinned memory, while it computes on the one
            before; False copies it when it is wanted.
        compile: let torch compile the network: a minute at the start, a gain on some GPUs.
        tensorboard: write the figures for TensorBoard as well.
    """

    phases: tuple[PhaseSettings, ...] = ()
    batch_size: Annotated[int, Field(ge=1)] = 64
    sampling: Literal["each", "balanced"] = "each"
    loss: LossSettings = LossSettings()
    grad_clip_norm: Annotated[float, Field(gt=0)] | None = None
    ema: EmaSettings | None = None
    keep: Literal["best", "last"] = "best"
    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 120.0
    budget_seconds: Annotated[float, Field(gt=0)] | None = None
    feature_cache: bool = True
    feature_draws: Annotated[int, Field(ge=0, le=1000)] = 0
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    channels_last: bool = True
    copy_ahead: bool = True
    compile: bool = False
    tensorboard: bool = False

    @model_validator(mode="before")
    @classmethod
    def _phases_inherit(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or not values.get("phases"):
            return values
        shared = {key: _plain(values[key]) for key in _SHARED if key in values}
        phases = [merge(shared, phase) for phase in map(_plain, values["phases"])]
        return {**values, "phases": phases}

    @model_validator(mode="after")
    def _nothing_contradicts(self) -> Self:
        if self.feature_draws and not self.feature_cache:
            raise ValueError(
                f"feature_draws is {self.feature_draws}, but feature_cache is off; versions of "
                "features are kept or they are not"
            )
        if self.sampling == "balanced" and self.loss.class_weights != "none":
            raise ValueError(
                "sampling = 'balanced' and loss.class_weights both make up for small classes; "
                "set one of them"
            )
        for phase in self.plan:
            stopping = phase.early_stopping
            if stopping and stopping.restore_best_weights and self.keep == "best":
                raise ValueError(
                    "early_stopping.restore_best_weights and keep = 'best' both say which weights "
                    "a phase ends with; leave restore_best_weights out, or set keep = 'last'"
                )
        return self

    @property
    def plan(self) -> tuple[PhaseSettings, ...]:
        """The phases in force: at least one."""
        shared = {key: getattr(self, key) for key in _SHARED}
        return self.phases or (PhaseSettings(train="all", **shared),)


def _plain(value: Any) -> Any:
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value
