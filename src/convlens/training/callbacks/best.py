"""The best value so far of a figure that is measured every epoch, with Keras's meanings."""

import math
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, final

import numpy as np

from convlens.core.errors import ConvlensError

if TYPE_CHECKING:
    from convlens.training.state import EpochRecord

Monitor: TypeAlias = Literal["val_loss", "val_accuracy", "train_loss", "train_accuracy"]
"""Accuracies are to rise, losses to fall."""


@final
class Best:
    """The best value so far, and whether one is better.

    A value is better by more than ``min_delta``, strictly, compared in float32 as Keras does: what
    is smaller than that is rounding. The first finite value is better than none. One that is not
    finite never is (Keras would take it as the first, and then never find a better one).

    Args:
        monitor: the figure.
        min_delta: by how much at least a value must be better.

    Attributes:
        value: the best so far; None before there is one.
        epoch: whose value it is, counted from 1; 0 before there is one.

    Source:
        keras.callbacks: EarlyStopping, ReduceLROnPlateau and ModelCheckpoint of Keras 3.

    Example:
        >>> best = Best("val_loss", min_delta=0.1)
        >>> [best.take(loss, epoch) for epoch, loss in enumerate([0.9, 0.85, 0.7], start=1)]
        [True, False, True]
    """

    def __init__(self, monitor: Monitor, min_delta: float = 0.0) -> None:
        self._monitor = monitor
        self._min_delta = min_delta
        self.value: float | None = None
        self.epoch = 0

    def take(self, value: float, epoch: int) -> bool:
        """Compare, and remember what is better; returns whether it is."""
        better = math.isfinite(value) and (self.value is None or self._beats(value, self.value))
        if better:
            self.value, self.epoch = value, epoch
        return better

    def watch(self, record: "EpochRecord") -> bool:
        """The same for an epoch's record.

        Raises:
            ConvlensError: the figure was not measured.
        """
        value = getattr(record, self._monitor)
        if value is None:
            raise ConvlensError(
                f"{self._monitor} is to be watched, but there are no validation images to measure "
                f"it on; give some, or watch {self._monitor.replace('val', 'train')}",
                code="not-measured",
            )
        return self.take(value, record.epoch)

    def state_dict(self) -> dict[str, Any]:
        """All that `recall` needs, as plain JSON values."""
        return {"value": self.value, "epoch": self.epoch}

    def load_state_dict(self, memory: dict[str, Any]) -> None:
        """Take back what `memory` gave."""
        self.value, self.epoch = memory["value"], memory["epoch"]

    def describe(self) -> str:
        """What did not happen, as in ``"val_loss did not fall below 0.4312"``."""
        if self.value is None:
            return f"{self._monitor} was not a finite number"
        if self._monitor.endswith("loss"):
            return f"{self._monitor} did not fall below {self.value - self._min_delta:.4g}"
        return f"{self._monitor} did not rise above {100 * (self.value + self._min_delta):.2f} %"

    def _beats(self, value: float, other: float) -> bool:
        if self._monitor.endswith("loss"):
            return bool(np.float32(value + self._min_delta) < np.float32(other))
        return bool(np.float32(value - self._min_delta) > np.float32(other))
