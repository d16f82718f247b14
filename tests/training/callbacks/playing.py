"""Playing recorded figures to a callback, as a phase would."""

import json
from collections.abc import Sequence
from typing import Any

import torch

from convlens.training import (
    Callback,
    CallbackState,
    EpochRecord,
    Moment,
    TrainingSettings,
    TrainingState,
)
from tests.training.quarters import small_network


def fresh_state() -> TrainingState:
    return TrainingState.start(small_network(), TrainingSettings())


def end_epoch(state: TrainingState, figures: dict[str, float | None]) -> None:
    """Another epoch; the weights then say which."""
    state.epoch += 1
    with torch.no_grad():
        for parameter in state.classifier.parameters():
            parameter.fill_(state.epoch)
    known: dict[str, Any] = {
        "train_loss": 1.0,
        "train_accuracy": 0.5,
        "val_loss": None,
        "val_accuracy": None,
    }
    state.history.append(
        EpochRecord(
            phase="all",
            epoch=state.epoch,
            step=10 * state.epoch,
            seconds=2.0,
            learning_rate=0.01,
            images_per_second=50.0,
            **{**known, **figures},
        )
    )


def play(
    callback: Callback, state: TrainingState, figure: str, values: Sequence[float | None]
) -> list[float]:
    """A phase in which a figure takes these values; returns the rate's scale after each epoch."""
    scales = []
    callback.on(Moment.PHASE_START, state)
    for value in values:
        end_epoch(state, {figure: value})
        callback.on(Moment.EPOCH_END, state)
        scales.append(state.rate_scale)
        if state.stopped is not None:
            break
    callback.on(Moment.PHASE_END, state)
    return scales


def weights_of(state: TrainingState) -> int:
    """The epoch whose weights the network has."""
    first = next(state.classifier.parameters())
    assert (first == first.flatten()[0]).all()
    return int(first.flatten()[0].item())


def through_a_checkpoint(before: Callback, after: Callback) -> None:
    """What one remembers, on its way through files, to another."""
    memory = before.state_dict()
    tensors = {name: tensor.clone() for name, tensor in memory.tensors.items()}
    after.load_state_dict(
        CallbackState(values=json.loads(json.dumps(memory.values)), tensors=tensors)
    )
