"""Ending a phase that has stopped making progress."""

from typing import TYPE_CHECKING, Annotated, final

from pydantic import BaseModel, ConfigDict, Field

from convlens.training.callbacks.best import Best, Monitor
from convlens.training.callbacks.callback import Callback, CallbackState, Moment
from convlens.training.callbacks.keep_best import KeepBest

if TYPE_CHECKING:
    from convlens.training.state import TrainingState


class EarlyStoppingSettings(BaseModel):
    """When a phase ends before its last epoch; each word means what it means in Keras.

    Attributes:
        monitor: the figure to watch.
        patience: how many epochs in a row without a better value end the phase; 0 is as 1.
        min_delta: by how much at least a value must be better than the best to count.
        restore_best_weights: end the phase, stopped or not, with the weights of the best epoch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    monitor: Monitor = "val_loss"
    patience: Annotated[int, Field(ge=0)] = 10
    min_delta: Annotated[float, Field(ge=0)] = 0.0
    restore_best_weights: bool = False


@final
class EarlyStopping(Callback):
    """Ends a phase when a figure has not become better for some epochs.

    Args:
        settings: which figure, and how many.

    Source:
        keras.callbacks.EarlyStopping of Keras 3.
    """

    def __init__(self, settings: EarlyStoppingSettings) -> None:
        self._settings = settings
        self._best = Best(settings.monitor, settings.min_delta)
        self._waited = 0
        self._keeper: KeepBest | None = None
        if settings.restore_best_weights:
            self._keeper = KeepBest(settings.monitor, min_delta=settings.min_delta)

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Watch each epoch; at the phase's end put the best weights back, if asked."""
        if moment is Moment.EPOCH_END:
            improved = self._best.watch(state.history[-1])
            self._waited = 0 if improved else self._waited + 1
            if self._waited >= max(1, self._settings.patience):
                state.stopped = self._in_words()
        if self._keeper is not None:
            self._keeper.on(moment, state)

    @property
    def epoch(self) -> int:
        """Whose weights the phase ends with, counted from 1; 0 where they are not put back."""
        return self._keeper.epoch if self._keeper is not None else 0

    def wait_from_zero(self) -> None:
        """Forget how long it has waited, not for what: the phase is to go on."""
        self._waited = 0

    def state_dict(self) -> CallbackState:
        """How long it has waited, for what, and the weights to put back."""
        kept = self._keeper.state_dict() if self._keeper else CallbackState()
        values = {"best": self._best.state_dict(), "waited": self._waited, "kept": kept.values}
        return CallbackState(values=values, tensors=kept.tensors)

    def load_state_dict(self, memory: CallbackState) -> None:
        """Take it back."""
        self._best.load_state_dict(memory.values["best"])
        self._waited = memory.values["waited"]
        if self._keeper is not None:
            self._keeper.load_state_dict(
                CallbackState(values=memory.values["kept"], tensors=memory.tensors)
            )

    def _in_words(self) -> str:
        epochs = "1 epoch" if self._waited == 1 else f"{self._waited} epochs"
        best = f" (best: epoch {self._best.epoch})" if self._best.epoch else ""
        return f"early stopping: {self._best.describe()} in {epochs}{best}"
