"""Leaving a run on request, with everything saved."""

import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self, final

from convlens.core.command_line import command
from convlens.core.distributed import Ranks
from convlens.core.errors import WorkFailedError
from convlens.core.reporter import Quiet, Reporter
from convlens.training.callbacks.callback import Callback, Moment

if TYPE_CHECKING:
    from convlens.training.state import TrainingState

_CALLED = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}


@final
class SaveAndLeave(Callback):
    """On Ctrl-C or SIGTERM, finishes the step, saves and leaves; a second one leaves at once.

    It watches while its ``with`` block lasts, and in the main thread alone. Of several processes
    all leave after the same step, whichever of them the signal reaches, and however often. One that
    comes after the last step is heard at the end of the block: nothing is to be saved by then.

    Args:
        run: the run's folder, for the words that tell how to go on.
        save: saves the state; called in the first process.
        ranks: the processes that share the run.
        reporter: is told at once that the signal was heard, for a step or a validation may be long.

    Raises:
        WorkFailedError: from `on`, or at the end of the block, when the signal came.
    """

    def __init__(
        self,
        run: Path,
        save: Callable[["TrainingState"], None],
        ranks: Ranks | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self._run = run
        self._save = save
        self._ranks = ranks or Ranks()
        self._reporter = reporter or Quiet()
        self._caught = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._catch) for number in _CALLED}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        caught = self._ranks.max(self._caught) if error is None else 0
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        if error is None and (caught := caught or self._caught):
            raise self._leaving(caught, "at the end of a phase")

    def on(self, moment: Moment, state: "TrainingState") -> None:
        """Leave if the signal has come."""
        if moment not in {Moment.STEP_END, Moment.EPOCH_END}:
            return
        caught = self._ranks.max(self._caught)
        if not caught:
            return
        if self._ranks.is_global_zero:
            self._save(state)
        self._ranks.barrier()
        raise self._leaving(caught, f"in epoch {state.epoch + 1} after {state.step:,} steps")

    def _leaving(self, caught: int, where: str) -> WorkFailedError:
        return WorkFailedError(
            f"stopped by {_CALLED[signal.Signals(caught)]} {where}; all of it is saved, "
            f"go on with: {command('resume', self._run)}",
            code="interrupted",
        )

    def _catch(self, number: int, frame: FrameType | None) -> None:
        self._caught = number
        if self._ranks.is_global_zero:
            with suppress(RuntimeError):  # the stream was just being written to
                self._reporter.say(
                    f"{_CALLED[signal.Signals(number)]}: saving after this step; once more leaves "
                    "at once"
                )
        if self._ranks.world_size > 1:
            return  # a cluster tells each process, and torchrun tells it again
        for each, handler in self._before.items():
            signal.signal(each, handler)
