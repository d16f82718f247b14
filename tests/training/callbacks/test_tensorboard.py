import builtins
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convlens.core.errors import ConvlensError
from convlens.training import Moment, WriteTensorBoard
from tests.training.callbacks.playing import end_epoch, fresh_state, play


def read(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard itself reads."""
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulators.EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, pytest.approx(event.value, rel=1e-6)) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_reads_every_epochs_figures(tmp_path: Path) -> None:
    state = fresh_state()
    play(WriteTensorBoard(tmp_path), state, "val_loss", [0.9, 0.7, 0.8])
    assert read(tmp_path / "val") == {"loss": [(1, 0.9), (2, 0.7), (3, 0.8)]}
    epochs = (1, 2, 3)
    assert read(tmp_path / "train") == {
        "loss": [(epoch, 1.0) for epoch in epochs],
        "accuracy": [(epoch, 0.5) for epoch in epochs],
        "learning rate": [(epoch, 0.01) for epoch in epochs],
        "images per second": [(epoch, 50.0) for epoch in epochs],
    }


def test_figures_are_on_the_disk_at_each_epochs_end(tmp_path: Path) -> None:
    state, writer = fresh_state(), WriteTensorBoard(tmp_path)
    writer.on(Moment.PHASE_START, state)
    end_epoch(state, {"val_loss": 0.9})
    writer.on(Moment.EPOCH_END, state)
    assert read(tmp_path / "val") == {"loss": [(1, 0.9)]}
    writer.close()


def test_epochs_trained_again_take_the_place_of_the_older(tmp_path: Path) -> None:
    play(WriteTensorBoard(tmp_path), fresh_state(), "val_loss", [0.9, 0.7, 0.8, 0.6])
    resumed = fresh_state()
    for value in (0.9, 0.7):
        end_epoch(resumed, {"val_loss": value})
    play(WriteTensorBoard(tmp_path), resumed, "val_loss", [0.5, 0.4])
    assert read(tmp_path / "val")["loss"] == [(1, 0.9), (2, 0.7), (3, 0.5), (4, 0.4)]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ConvlensError, match="taken"):
        play(WriteTensorBoard(tmp_path / "taken"), fresh_state(), "val_loss", [0.9])


@pytest.mark.parametrize(
    ("number", "told"), [(8, "no room left"), (7, "Permission denied"), (15, "cannot write")]
)
def test_errors_of_tensorflows_file_layer_are_the_systems(
    number: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OpError(Exception):
        error_code = number

    def fails(*_: Any, **__: Any) -> Any:
        raise OpError

    fake = SimpleNamespace(errors=SimpleNamespace(OpError=OpError))
    writer = WriteTensorBoard(tmp_path / "here")
    monkeypatch.setitem(sys.modules, "tensorflow", fake)
    monkeypatch.setattr(writer, "_open_writer", fails)
    with pytest.raises(ConvlensError, match=told) as caught:
        writer.on(Moment.PHASE_START, fresh_state())
    assert "here" in caught.value.message


def test_without_tensorboard_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "torch.utils.tensorboard":
            raise ImportError(name)
        return ours(name, *args, **kwargs)

    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConvlensError, match=r"pip install 'convlens\[tensorboard\]'"):
        WriteTensorBoard(tmp_path)
