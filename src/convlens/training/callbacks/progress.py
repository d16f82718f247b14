"""Showing a run as it goes."""

from contextlib import ExitStack
from time import perf_counter
from typing import final

from convlens.core.reporter import Reporter, Task
from convlens.training.callbacks.callback import Callback, Moment
from convlens.training.state import TrainingState

_HEADING = "   epoch     loss  accuracy   val loss  val accuracy   images/s  seconds"
_REFRESH_SECONDS = 0.1


@final
class Progress(Callback):
    """A bar for the run (epoch, loss, accuracy, images/s, time left) and a line an epoch.

    Args:
        reporter: whom to tell.
        epochs: how many the run has.
        samples: training images an epoch.
    """

    def __init__(self, reporter: Reporter, *, epochs: int, samples: int) -> None:
        self._reporter = reporter
        self._epochs = epochs
        self._samples = samples
        self._open = ExitStack()
        self._task: Task | None = None
        self._shown = 0.0

    def on(self, moment: Moment, state: TrainingState) -> None:
        """Open the bar, move it, print the epoch's line, close it."""
        if moment is Moment.RUN_START:
            self._reporter.say(_HEADING)
            task = self._reporter.task("training", self._epochs * self._samples)
            self._task = self._open.enter_context(task)
        elif moment is Moment.STEP_END and perf_counter() - self._shown > _REFRESH_SECONDS:
            self._shown = perf_counter()
            self._move(state)
        elif moment is Moment.EPOCH_END:
            self._reporter.say(self._row(state))
        elif moment is Moment.RUN_END:
            self.close()

    def close(self) -> None:
        """Take the bar away; a run that fails half-way needs this."""
        self._open.close()
        self._task = None

    def _move(self, state: TrainingState) -> None:
        if self._task is None or not state.samples_seen:
            return
        running, seen = state.running, state.samples_seen
        self._task.update(
            state.epoch * self._samples + seen,
            f"epoch {state.epoch + 1}/{self._epochs}  loss {running.loss / seen:.3f}  "
            f"accuracy {_percent(running.correct / seen)}  {seen / running.seconds:,.0f} images/s",
        )

    def _row(self, state: TrainingState) -> str:
        record = state.history[-1]
        val_loss = "-" if record.val_loss is None else f"{record.val_loss:.4f}"
        val_accuracy = "-" if record.val_accuracy is None else _percent(record.val_accuracy)
        epoch = f"{record.epoch}/{self._epochs}"
        return (
            f"{epoch:>8}  {record.train_loss:>7.4f}  {_percent(record.train_accuracy):>8}  "
            f"{val_loss:>9}  {val_accuracy:>12}  {record.images_per_second:>9,.0f}  "
            f"{record.seconds:>7.1f}"
        )


def _percent(share: float) -> str:
    return f"{share * 100:.1f} %"
