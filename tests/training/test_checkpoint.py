import errno
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.training import (
    Callback,
    KeepBest,
    Moment,
    OptimizerSettings,
    SaveCheckpoint,
    StepContext,
    TrainingSettings,
    TrainingState,
    WriteHistory,
    fit,
    load_checkpoint,
)
from tests.training.quarters import QuarterBatches

Network = Callable[[], Classifier]


class KilledError(Exception):
    pass


class KillAt(Callback):
    """Ends the run without warning after a number of steps, as SIGKILL would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on(self, moment: Moment, state: TrainingState) -> None:
        if moment is Moment.STEP_END and state.step == self.step:
            raise KilledError


class Job:
    """A run in a folder, which can be killed and gone on with."""

    def __init__(self, folder: Path, network: Network, optimizer: str) -> None:
        self.folder, self.network = folder, network
        self.settings = TrainingSettings(
            epochs=4,
            batch_size=16,
            checkpoint_seconds=1e-9,
            optimizer=OptimizerSettings.model_validate({"name": optimizer}),
        )

    def run(self, *also: Callback, kill_at: int | None = None) -> TrainingState:
        state = TrainingState.start(self.network(), self.settings)
        best = KeepBest()
        checkpoint = self.folder / "checkpoint"
        load_checkpoint(checkpoint, state, {"best": best})
        save = SaveCheckpoint(
            checkpoint,
            every_seconds=self.settings.checkpoint_seconds,
            remember={"best": best},
        )
        history = WriteHistory(self.folder / "history.jsonl")
        callbacks: list[Callback] = [*also, best, history, save]
        if kill_at is not None:
            callbacks.insert(0, KillAt(kill_at))
        train, val = QuarterBatches(100), QuarterBatches(40, seed=1)
        fit(state, train, val, StepContext(settings=self.settings, seed=3), callbacks=callbacks)
        return state


def facts(state: TrainingState) -> list[dict[str, object]]:
    timings = {"seconds", "images_per_second", "validation_seconds"}
    return [{k: v for k, v in r.as_json().items() if k not in timings} for r in state.history]


def same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "muon"])
def test_killed_and_resumed_it_ends_with_the_same_bits(
    tmp_path: Path, network: Network, optimizer: str
) -> None:
    whole = Job(tmp_path / "whole", network, optimizer).run()
    job = Job(tmp_path / "killed", network, optimizer)
    for step in (1, 5, 7, 8, 14, 20, 27):
        with pytest.raises(KilledError):
            job.run(kill_at=step)
    resumed = job.run()
    assert facts(resumed) == facts(whole)
    assert same(resumed.classifier.state_dict(), whole.classifier.state_dict())
    momenta, expected = (state.optimizer.state_dict()["state"] for state in (resumed, whole))
    assert momenta.keys() == expected.keys()
    assert all(same(momenta[number], expected[number]) for number in expected)
    lines = (tmp_path / "killed" / "history.jsonl").read_text().splitlines()
    assert len(lines) == 4


class DiskFull(Callback):
    """From the end of step 9 on there is no room for what is written."""

    def __init__(self, folder: Path, patched: pytest.MonkeyPatch, *, flushing: bool) -> None:
        self.folder, self.patched, self.flushing = folder, patched, flushing
        self.before: dict[str, bytes] = {}

    def on(self, moment: Moment, state: TrainingState) -> None:
        if moment is not Moment.STEP_END or state.step != 9:
            return
        self.before = contents(self.folder)

        def no_room(*_: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        def half(path: Path, content: bytes) -> None:
            with path.open("wb") as file:
                file.write(content[: len(content) // 2])
            no_room()

        if self.flushing:
            self.patched.setattr(os, "fsync", no_room)
        else:
            self.patched.setattr(Path, "write_bytes", half)


@pytest.mark.parametrize("flushing", [False, True])
def test_a_full_disk_leaves_the_checkpoint_before_it_and_goes_on_from_there(
    tmp_path: Path, network: Network, monkeypatch: pytest.MonkeyPatch, flushing: bool
) -> None:
    whole = Job(tmp_path / "whole", network, "adamw").run()
    job = Job(tmp_path / "full", network, "adamw")
    with monkeypatch.context() as patched:
        full = DiskFull(job.folder / "checkpoint", patched, flushing=flushing)
        with pytest.raises(WorkFailedError, match="no room left on the disk"):
            job.run(full)
    assert json.loads(full.before["state.json"])["step"] == 8
    assert contents(job.folder / "checkpoint") == full.before
    assert sorted(entry.name for entry in job.folder.iterdir()) == ["checkpoint", "history.jsonl"]
    resumed = job.run()
    assert facts(resumed) == facts(whole)
    assert same(resumed.classifier.state_dict(), whole.classifier.state_dict())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_weights_that_are_not_finite_leave_the_checkpoint_before_them(
    tmp_path: Path, network: Network
) -> None:
    state = TrainingState.start(network(), TrainingSettings())
    save = SaveCheckpoint(tmp_path / "checkpoint", every_seconds=1, remember={})
    save.save(state)
    good = (tmp_path / "checkpoint" / "state.safetensors").read_bytes()
    with torch.no_grad():
        next(state.classifier.parameters()).fill_(float("nan"))
    save.save(state)
    assert (tmp_path / "checkpoint" / "state.safetensors").read_bytes() == good


@pytest.mark.parametrize(
    ("between", "cost"), [(0.01, 0.005), (0.3, 0.06), (30.0, 0.1), (20.0, 0.5)]
)
def test_saving_after_epochs_takes_no_more_than_a_fiftieth_of_the_time(
    tmp_path: Path,
    network: Network,
    monkeypatch: pytest.MonkeyPatch,
    between: float,
    cost: float,
) -> None:
    clock = [0.0]
    saved = []

    def slow(*_: object) -> None:
        clock[0] += cost
        saved.append(clock[0])

    monkeypatch.setattr("convlens.training.checkpoint.perf_counter", lambda: clock[0])
    monkeypatch.setattr("convlens.training.checkpoint.save_checkpoint", slow)
    state = TrainingState.start(network(), TrainingSettings())
    state.phase_steps = 10**6
    save = SaveCheckpoint(tmp_path, every_seconds=120, remember={})
    for _ in range(3000):
        clock[0] += between
        save.on(Moment.EPOCH_END, state)
    assert save.seconds == pytest.approx(cost * len(saved))
    assert save.seconds <= 0.02 * clock[0] + cost, "the first is saved whatever it costs"
    assert len(saved) >= 0.01 * clock[0] / max(cost, 0.02 * between), "and no fewer than may be"


def test_a_finished_run_resumes_to_itself(tmp_path: Path, network: Network) -> None:
    job = Job(tmp_path, network, "adamw")
    first, again = job.run(), job.run()
    assert first.step == again.step
    for name, tensor in first.classifier.state_dict().items():
        assert torch.equal(tensor, again.classifier.state_dict()[name])


def test_best_weights_come_back_at_the_end(tmp_path: Path, network: Network) -> None:
    best = KeepBest()
    state = TrainingState.start(network(), TrainingSettings())
    kept: dict[str, torch.Tensor] = {}
    for epoch, loss in enumerate([0.9, 0.4, 0.6, 0.4], start=1):
        with torch.no_grad():
            for parameter in state.classifier.parameters():
                parameter.fill_(epoch)
        state.history.append(record(epoch, loss))
        state.epoch = epoch
        best.on(Moment.EPOCH_END, state)
        if epoch == 2:
            kept = {n: t.clone() for n, t in state.classifier.state_dict().items()}
    best.on(Moment.PHASE_END, state)
    assert best.epoch == 2, "the first of equals is kept"
    for name, tensor in state.classifier.state_dict().items():
        assert torch.equal(tensor, kept[name])


def test_no_checkpoint_is_a_fresh_start(tmp_path: Path, network: Network) -> None:
    state = TrainingState.start(network(), TrainingSettings())
    assert not load_checkpoint(tmp_path / "none", state)


@pytest.mark.parametrize("harm", ["cut", "json", "other network", "no tensors"])
def test_a_checkpoint_that_cannot_be_used_is_refused(
    tmp_path: Path, network: Network, harm: str
) -> None:
    job = Job(tmp_path, network, "adamw")
    job.run()
    folder = tmp_path / "checkpoint"
    if harm == "cut":
        weights = folder / "state.safetensors"
        weights.write_bytes(weights.read_bytes()[:-100])
    elif harm == "json":
        (folder / "state.json").write_text("{")
    elif harm == "no tensors":
        (folder / "state.safetensors").unlink()
    else:
        job.network = lambda: Classifier(
            {"block1": torch.nn.Conv2d(1, 3, 3)}, torch.nn.Flatten(), network().input_spec
        )
    with pytest.raises(ConvlensError, match="damaged"):
        job.run()


def test_what_a_kill_left_half_written_is_swept_away(tmp_path: Path, network: Network) -> None:
    left = tmp_path / ".checkpoint.abc.partial"
    left.mkdir()
    (left / "state.safetensors").write_bytes(b"half")
    Job(tmp_path, network, "sgd").run()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["checkpoint", "history.jsonl"]


def test_an_older_checkpoint_survives_a_kill_while_saving(tmp_path: Path, network: Network) -> None:
    job = Job(tmp_path, network, "sgd")
    whole = job.run()
    (tmp_path / "checkpoint").rename(tmp_path / "checkpoint.old")
    resumed = job.run()
    assert resumed.step == whole.step
    shutil.rmtree(tmp_path / "checkpoint.old", ignore_errors=True)


def record(epoch: int, val_loss: float):  # type: ignore[no-untyped-def]
    from convlens.training import EpochRecord

    return EpochRecord(
        phase="all",
        epoch=epoch,
        step=epoch,
        seconds=1.0,
        learning_rate=0.1,
        train_loss=1.0,
        train_accuracy=0.5,
        val_loss=val_loss,
        val_accuracy=0.5,
        images_per_second=1.0,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices here")
@pytest.mark.parametrize("kind", ["pipe", "device", "sparse"])
def test_tensors_that_never_end_are_refused(kind: str, tmp_path: Path, network: Network) -> None:
    job = Job(tmp_path, network, "adamw")
    job.run()
    file = tmp_path / "checkpoint" / "state.safetensors"
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        with file.open("wb") as opened:
            opened.truncate(1 << 36)
    with pytest.raises(ConvlensError, match="regular file|are read") as told:
        job.run()
    assert told.value.code == "damaged-checkpoint"
