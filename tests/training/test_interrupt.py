"""Ctrl-C and SIGTERM end a run after a step, with all of it saved."""

import os
import signal
from pathlib import Path
from time import sleep

import pytest
import torch

from convlens.core.errors import WorkFailedError
from convlens.core.reporter import Quiet
from convlens.training import (
    Callback,
    Moment,
    SaveAndLeave,
    SaveCheckpoint,
    StepContext,
    TrainingSettings,
    TrainingState,
    fit,
    load_checkpoint,
)
from tests.training.quarters import QuarterBatches, small_network

SETTINGS = TrainingSettings(epochs=3, batch_size=16)


class Signals(Callback):
    """Sends this process a signal after a number of steps, or of a later moment."""

    def __init__(self, number: signal.Signals, step: int, moment: Moment = Moment.STEP_END) -> None:
        self.number, self.step, self.moment = number, step, moment

    def on(self, moment: Moment, state: TrainingState) -> None:
        if moment is self.moment and state.step == self.step:
            os.kill(os.getpid(), self.number)


def run(folder: Path, *also: Callback) -> TrainingState:
    state = TrainingState.start(small_network(), SETTINGS)
    load_checkpoint(folder / "checkpoint", state)
    save = SaveCheckpoint(folder / "checkpoint", every_seconds=1e9, remember={})
    with SaveAndLeave(folder, save.save) as leave:
        fit(
            state,
            QuarterBatches(100),
            QuarterBatches(40, seed=1),
            StepContext(settings=SETTINGS, seed=0),
            callbacks=[*also, save, leave],
        )
    return state


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_it_saves_leaves_and_goes_on_to_the_same_weights(
    tmp_path: Path, number: signal.Signals, name: str
) -> None:
    whole = run(tmp_path / "whole")
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    stopped = rf"stopped by {name} in epoch 2 after 9 steps; .* convlens resume .*cut"
    with pytest.raises(WorkFailedError, match=stopped):
        run(tmp_path / "cut", Signals(number, 9))
    assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    resumed = run(tmp_path / "cut")
    assert resumed.step == whole.step
    for key, tensor in whole.classifier.state_dict().items():
        assert torch.equal(tensor, resumed.classifier.state_dict()[key])


def test_one_that_comes_after_the_last_step_is_not_forgotten(tmp_path: Path) -> None:
    """Nothing asks for it any more in this phase; the next one must not begin."""
    whole = run(tmp_path / "whole")
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    stopped = r"stopped by SIGTERM at the end of a phase; .* convlens resume .*cut"
    with pytest.raises(WorkFailedError, match=stopped):
        run(tmp_path / "cut", Signals(signal.SIGTERM, 21, Moment.PHASE_END))
    assert before == [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    resumed = run(tmp_path / "cut")
    assert resumed.step == whole.step == 21
    for key, tensor in whole.classifier.state_dict().items():
        assert torch.equal(tensor, resumed.classifier.state_dict()[key])


def test_what_fails_is_told_whether_or_not_a_signal_came(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), SaveAndLeave(tmp_path, lambda state: None):
        os.kill(os.getpid(), signal.SIGINT)
        _ = 1 / 0


def test_a_second_one_leaves_at_once(tmp_path: Path) -> None:
    usual = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), SaveAndLeave(tmp_path, lambda state: None):
        os.kill(os.getpid(), signal.SIGINT)
        while signal.getsignal(signal.SIGINT) != usual:  # two that wait at once are one
            sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)
        sleep(60)


class _Said(Quiet):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def test_the_signal_is_answered_at_once_though_the_step_goes_on(tmp_path: Path) -> None:
    reporter = _Said()
    with (
        pytest.raises(KeyboardInterrupt),
        SaveAndLeave(tmp_path, lambda state: None, reporter=reporter),
    ):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):  # still within the step
            sleep(0.01)
            if reporter.said:
                break
        assert reporter.said == ["Ctrl-C: saving after this step; once more leaves at once"]
        os.kill(os.getpid(), signal.SIGINT)
        sleep(1)
