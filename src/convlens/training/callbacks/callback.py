"""The moments of a run, and what is told of them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from convlens.training.state import TrainingState


class Moment(Enum):
    """When a callback is called; the state is consistent, and may be saved, at each of them."""

    PHASE_START = auto()
    """Before the phase's first step, or the first after a resume."""
    STEP_END = auto()
    """The weights have been updated and the epoch's sums with them."""
    EPOCH_END = auto()
    """The epoch has been validated and is the last record of the history."""
    PHASE_END = auto()
    """No step of the phase will follow."""


@dataclass(frozen=True, kw_only=True)
class CallbackState:
    """What a callback must not forget when a run is interrupted.

    Attributes:
        values: plain JSON values.
        tensors: tensors by name.
    """

    values: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)


class Callback(ABC):
    """Watches a run, and may steer it by changing its state."""

    @abstractmethod
    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Called at every moment of the run."""

    def state_dict(self) -> CallbackState:
        """What a checkpoint keeps of it: nothing, unless it says otherwise."""
        return CallbackState()

    def load_state_dict(self, memory: CallbackState) -> None:  # noqa: B027  forgetting is the default
        """Take back what `memory` gave."""
