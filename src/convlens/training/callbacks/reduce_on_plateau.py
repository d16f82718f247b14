"""Lowering the learning rate when a phase has stopped making progress."""

from typing import TYPE_CHECKING, Annotated, final

from pydantic import BaseModel, ConfigDict, Field

from convlens.core.reporter import Quiet, Reporter
from convlens.training.callbacks.best import Best, Monitor
from convlens.training.callbacks.callback import Callback, CallbackState, Moment

if TYPE_CHECKING:
    from convlens.training.state import TrainingState


class ReduceOnPlateauSettings(BaseModel):
    """When the learning rate is lowered; each word means what it means in Keras.

    Attributes:
        monitor: the figure to watch.
        factor: what the rate is then multiplied by.
        patience: how many epochs in a row without a better value lower it; 0 is as 1.
        min_delta: by how much at least a value must be better than the best to count.
        cooldown: epochs after lowering it in which waiting does not count.
        min_lr: the rate is not lowered below this (Keras's ``min_lr``), the schedule's own fall
            apart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    monitor: Monitor = "val_loss"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=0)] = 10
    min_delta: Annotated[float, Field(ge=0)] = 1e-4
    cooldown: Annotated[int, Field(ge=0)] = 0
    min_lr: Annotated[float, Field(ge=0)] = 0.0


@final
class ReduceLROnPlateau(Callback):
    """Lowers the learning rate when a figure has not become better for some epochs.

    It scales whatever the schedule gives (`TrainingState.rate_scale`), which with a constant
    schedule is what Keras does.

    Args:
        settings: which figure, how many epochs, and how far.
        peak: the schedule's highest rate, of which ``min_lr`` is a share.
        reporter: told when the rate is lowered.

    Source:
        keras.callbacks.ReduceLROnPlateau of Keras 3.
    """

    def __init__(
        self, settings: ReduceOnPlateauSettings, *, peak: float, reporter: Reporter | None = None
    ) -> None:
        self._settings = settings
        self._floor = settings.min_lr / peak
        self._reporter = reporter or Quiet()
        self._best = Best(settings.monitor, settings.min_delta)
        self._waited = 0
        self._cooling = 0

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Watch each epoch."""
        if moment is not Moment.EPOCH_END:
            return
        if self._cooling:
            self._cooling -= 1
            self._waited = 0
        if self._best.watch(state.history[-1]):
            self._waited = 0
        elif not self._cooling:
            self._waited += 1
            if self._waited >= self._settings.patience and state.rate_scale > self._floor:
                self._reduce(state)

    def state_dict(self) -> CallbackState:
        """How long it has waited, for what, and how long it still cools down."""
        best = self._best.state_dict()
        return CallbackState(
            values={"best": best, "waited": self._waited, "cooling": self._cooling}
        )

    def load_state_dict(self, memory: CallbackState) -> None:
        """Take it back; the rate itself is the state's."""
        self._best.load_state_dict(memory.values["best"])
        self._waited = memory.values["waited"]
        self._cooling = memory.values["cooling"]

    def _reduce(self, state: "TrainingState") -> None:
        before, settings = state.rate_scale, self._settings
        state.rate_scale = max(before * settings.factor, self._floor)
        self._reporter.say(
            f"epoch {state.epoch}: {self._best.describe()} in {self._waited} "
            f"epoch{'s'[: self._waited > 1]}: learning rate × {state.rate_scale / before:.2g}"
        )
        self._cooling, self._waited = settings.cooldown, 0
