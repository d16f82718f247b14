"""Keeping the weights of the best epoch."""

from typing import TYPE_CHECKING, final

from torch import Tensor

from convlens.training.callbacks.best import Best, Monitor
from convlens.training.callbacks.callback import Callback, CallbackState, Moment

if TYPE_CHECKING:
    from convlens.training.state import TrainingState


@final
class KeepBest(Callback):
    """Ends a phase with the weights of its best epoch: the averaged ones, where they are averaged.

    Of equals the first is best. Without validation images to judge by, the last epoch is.

    Args:
        monitor: what it is best in.
        min_delta: by how much at least a better epoch must be better.

    Attributes:
        epoch: whose weights are kept, counted from 1; 0 before there are any.
    """

    def __init__(self, monitor: Monitor = "val_loss", *, min_delta: float = 0.0) -> None:
        self._monitor = monitor
        self._best = Best(monitor, min_delta)
        self.epoch = 0
        self._weights: dict[str, Tensor] = {}

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Remember the weights at the end of a better epoch; put them back at the phase's end."""
        if moment is Moment.EPOCH_END:
            record = state.history[-1]
            judged = getattr(record, self._monitor) is not None
            if not judged or self._best.watch(record) or not self._weights:
                self.epoch, self._weights = record.epoch, state.weights()
        elif moment is Moment.PHASE_END and self._weights:
            state.classifier.load_state_dict(self._weights)

    def state_dict(self) -> CallbackState:
        """The best epoch and its weights."""
        values = {"epoch": self.epoch, "best": self._best.state_dict()}
        return CallbackState(values=values, tensors=self._weights)

    def load_state_dict(self, memory: CallbackState) -> None:
        """Take back the best epoch so far."""
        self.epoch = memory.values["epoch"]
        self._best.load_state_dict(memory.values["best"])
        self._weights = dict(memory.tensors)
