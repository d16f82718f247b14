"""Keeping the weights of the best epoch."""

import math
from typing import final

from torch import Tensor

from convlens.training.callbacks.callback import Callback, Memory, Moment
from convlens.training.state import TrainingState


@final
class KeepBest(Callback):
    """Ends a run with the weights of the epoch that had the lowest validation loss.

    Without validation images the last epoch is the best.

    Attributes:
        epoch: the best epoch, counted from 1; 0 before there is one.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self._loss = math.inf
        self._weights: dict[str, Tensor] = {}

    def on(self, moment: Moment, state: TrainingState) -> None:
        """Remember the weights at the end of a better epoch; put them back at the run's end."""
        if moment is Moment.EPOCH_END:
            loss = state.history[-1].val_loss
            if loss is None or loss < self._loss:
                self._loss = math.inf if loss is None else loss
                self.epoch = state.epoch
                weights = state.classifier.state_dict()
                self._weights = {name: tensor.clone() for name, tensor in weights.items()}
        if moment is Moment.RUN_END and self._weights:
            state.classifier.load_state_dict(self._weights)

    def memory(self) -> Memory:
        """The best epoch, its loss and its weights."""
        loss = None if math.isinf(self._loss) else self._loss
        return Memory(values={"epoch": self.epoch, "loss": loss}, tensors=self._weights)

    def recall(self, memory: Memory) -> None:
        """Take back the best epoch so far."""
        self.epoch = memory.values["epoch"]
        loss = memory.values["loss"]
        self._loss = math.inf if loss is None else loss
        self._weights = dict(memory.tensors)
