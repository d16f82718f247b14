"""Fitting a run to a time."""

import math
from collections.abc import Sequence
from time import perf_counter
from typing import TYPE_CHECKING, final

from convlens.core.distributed import Ranks
from convlens.core.formatting import describe
from convlens.core.reporter import Reporter
from convlens.training.callbacks import Callback, CallbackState, Moment
from convlens.training.settings import PhaseSettings

if TYPE_CHECKING:
    from convlens.training.dry_run import Pace
    from convlens.training.state import TrainingState

_CORRECTIONS = 20
_SHARE_TO_MEASURE = 0.02
_WORTH_TELLING = 0.1


@final
class Budget(Callback):
    """Gives every phase as many steps as its share of the time holds.

    What is left is shared by the phases that are left as their epochs are. The plan is made from
    measured steps before a phase's first, and corrected by what they then take: it belongs to the
    state, so a run that is resumed goes on with it.

    Args:
        seconds: for training and validation, all phases together.
        phases: the run's.
        steps_an_epoch: optimizer steps that an epoch takes.
        ranks: the processes that share the run; the first one's clock counts.
        reporter: told of the plan.
    """

    def __init__(
        self,
        seconds: float,
        *,
        phases: Sequence[PhaseSettings],
        steps_an_epoch: int,
        ranks: Ranks,
        reporter: Reporter,
    ) -> None:
        self._seconds = seconds
        self._phases = phases
        self._steps_an_epoch = steps_an_epoch
        self._ranks = ranks
        self._reporter = reporter
        self._before = 0.0  # spent before this process took the run up
        self._started = perf_counter()
        self._phase_end = 0.0  # in seconds of the budget
        self._validation = 0.0
        self._told = 0

    @property
    def measuring(self) -> float:
        """How many seconds to spend on measuring the pace, at most."""
        return min(2.0, _SHARE_TO_MEASURE * self._seconds)

    def plan(self, state: "TrainingState", pace: "Pace") -> None:
        """Decide how many steps the phase about to start has; changes ``state.phase_steps``."""
        left = self._phases[state.phase :]
        share = left[0].epochs / sum(phase.epochs for phase in left)
        spent = self._spent()
        self._phase_end = spent + max(0.0, self._seconds - spent) * share
        self._validation = pace.validation
        self._fit(state, pace.step)
        epochs = state.phase_steps / self._steps_an_epoch
        self._reporter.say(
            f"budget {describe(self._phase_end - spent)}: a step takes {pace.step * 1000:,.0f} ms, "
            f"validation {describe(pace.validation)}; planned {state.phase_steps:,} steps, "
            f"{epochs:.1f} epochs"
        )
        self._told = state.phase_steps

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Correct the plan from time to time by what the steps have taken."""
        every = max(1, state.phase_steps // _CORRECTIONS)
        done = state.phase_step >= state.phase_steps
        if moment is not Moment.STEP_END or done or state.phase_step % every:
            return
        epochs_done = state.history[-state.phase_epoch :] if state.phase_epoch else []
        seconds = sum(record.seconds for record in epochs_done) + state.running.seconds
        self._fit(state, self._ranks.broadcast_scalar(seconds / state.phase_step))
        if abs(state.phase_steps / self._told - 1) > _WORTH_TELLING:
            epochs = state.phase_steps / self._steps_an_epoch
            self._reporter.say(
                f"steps take other than measured: now {state.phase_steps:,} steps, "
                f"{epochs:.1f} epochs"
            )
            self._told = state.phase_steps

    def state_dict(self) -> CallbackState:
        """What has been spent, and where the phase is to end."""
        values = {
            "spent": self._before + perf_counter() - self._started,
            "phase_end": self._phase_end,
            "validation": self._validation,
            "told": self._told,
        }
        return CallbackState(values=values)

    def load_state_dict(self, memory: CallbackState) -> None:
        """Go on from what had been spent."""
        self._before, self._started = memory.values["spent"], perf_counter()
        self._phase_end = memory.values["phase_end"]
        self._validation = memory.values["validation"]
        self._told = memory.values["told"]

    def _spent(self) -> float:
        return self._before + self._ranks.broadcast_scalar(perf_counter() - self._started)

    def _fit(self, state: "TrainingState", step: float) -> None:
        """Fill what is left with steps, and with the validation that every epoch ends with."""
        left = self._phase_end - self._spent() - self._validation
        each = step + self._validation / self._steps_an_epoch
        state.phase_steps = state.phase_step + max(1, math.floor(left / each))
