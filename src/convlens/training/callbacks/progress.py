"""Showing a run as it goes."""

import math
from contextlib import ExitStack
from time import perf_counter
from typing import TYPE_CHECKING, final

from convlens.core.formatting import percent
from convlens.core.reporter import Reporter, Task
from convlens.training.callbacks.callback import Callback, Moment

if TYPE_CHECKING:
    from convlens.training.settings import TrainingSettings
    from convlens.training.state import TrainingState

_HEADING = "   epoch     loss  accuracy   val loss  val accuracy   images/s  seconds"
_REFRESH_SECONDS = 0.25
_WHOLE = 10_000


@final
class Progress(Callback):
    """What a phase trains, a bar for it (epoch, loss, accuracy, speed, time left), a line an epoch.

    Args:
        reporter: whom to tell.
        settings: the run's.
        steps_an_epoch: optimizer steps that an epoch takes.
    """

    def __init__(
        self, reporter: Reporter, settings: "TrainingSettings", *, steps_an_epoch: int
    ) -> None:
        self._reporter = reporter
        self._settings = settings
        self._steps_an_epoch = steps_an_epoch
        self._open = ExitStack()
        self._task: Task | None = None
        self._shown = 0.0
        self._largest_batch = 0

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Open the bar, move it, print the epoch's line, close it."""
        if moment is Moment.PHASE_START:
            self._reporter.say(self._introduction(state))
            self._reporter.say(_HEADING)
            self._task = self._open.enter_context(self._reporter.task("training", _WHOLE))
        elif moment is Moment.STEP_END:
            self._move(state)
        elif moment is Moment.EPOCH_END:
            self._reporter.say(self._row(state))
        elif moment is Moment.PHASE_END:
            self.close()
            if state.stopped is not None:
                self._reporter.say(state.stopped)

    def close(self) -> None:
        """Take the bar away; a run that fails half-way needs this."""
        self._open.close()
        self._task = None

    def _introduction(self, state: "TrainingState") -> str:
        plan, frozen = self._settings.plan, state.frozen
        optimizer = plan[state.phase].optimizer
        learns = f"{frozen.trainable:,} weights learn"
        if frozen.parameters:
            learns += f", {frozen.parameters:,} are frozen"
        if frozen.by_code:
            learns += f" ({frozen.by_code:,} of them by the network's code)"
        how = f"{optimizer.name} at {optimizer.learning_rate:g}"
        if len(plan) == 1:
            return f"training {plan[0].train}: {learns}; {how}"
        name = f"phase {state.phase + 1} of {len(plan)}, {plan[state.phase].train}"
        anew = " starts anew" if state.phase else ""
        return f"{name}: {learns}; {how}{anew}"

    def _epochs(self, state: "TrainingState") -> int:
        return math.ceil(state.phase_steps / self._steps_an_epoch)

    def _move(self, state: "TrainingState") -> None:
        if state.largest_batch != self._largest_batch:
            self._largest_batch = state.largest_batch
            self._reporter.warn(
                f"the memory does not hold a whole batch: it goes through the network "
                f"{state.largest_batch} images at a time, and counts as one step"
            )
        if self._task is None or perf_counter() - self._shown < _REFRESH_SECONDS:
            return
        self._shown = perf_counter()
        running, seen = state.running, state.samples_seen
        self._task.update(
            _WHOLE * state.phase_step // state.phase_steps,
            f"epoch {state.phase_epoch + 1}/{self._epochs(state)}  "
            f"loss {running.loss / running.weight:.3f}  "
            f"accuracy {percent(running.correct / seen)}  {seen / running.seconds:,.0f} images/s",
        )

    def _row(self, state: "TrainingState") -> str:
        record = state.history[-1]
        val_loss = "-" if record.val_loss is None else f"{record.val_loss:.4f}"
        val_accuracy = percent(record.val_accuracy)
        epoch = f"{state.phase_epoch}/{self._epochs(state)}"
        return (
            f"{epoch:>8}  {record.train_loss:>7.4f}  {percent(record.train_accuracy):>8}  "
            f"{val_loss:>9}  {val_accuracy:>12}  {record.images_per_second:>9,.0f}  "
            f"{record.seconds:>7.1f}"
        )
