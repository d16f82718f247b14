"""How a network is trained."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from convlens.training.schedule import ScheduleSettings


class OptimiserSettings(BaseModel):
    """What turns gradients into steps.

    Attributes:
        name: ``"sgd"`` (Nesterov momentum), ``"adam"`` or ``"adamw"``.
        learning_rate: the peak of the schedule.
        weight_decay: pulls kernels and matrices towards zero; never biases or normalisation.
        momentum: SGD's alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["sgd", "adam", "adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 2e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.02
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9


class TrainingSettings(BaseModel):
    """One training run.

    Attributes:
        epochs: passes over the training images.
        batch_size: images a step.
        label_smoothing: the share of a target spread over all classes, 0 to below 1
            (Szegedy et al., "Rethinking the Inception architecture", 2016, section 7).
        keep: the weights that the run ends with: those of the epoch with the lowest validation
            loss, or the last epoch's.
        checkpoint_seconds: save at least this often; every epoch's end is saved besides.
        optimiser: what turns gradients into steps.
        schedule: how the learning rate moves.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=1)] = 64
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    keep: Literal["best", "last"] = "best"
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 120.0
    optimiser: OptimiserSettings = OptimiserSettings()
    schedule: ScheduleSettings = ScheduleSettings()
