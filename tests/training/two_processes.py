"""What two processes do together, in one program that each of them runs: see `test_ranks`.

RANK=0 WORLD_SIZE=2 … python -m tests.training.two_processes FOLDER
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from convlens.core.batch import batches_on
from convlens.core.classifier import Classifier
from convlens.core.distributed import Ranks
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.reporter import Quiet
from convlens.data import PixelBatches, Pixels
from convlens.training import (
    Budget,
    Callback,
    EmaSettings,
    KeepBest,
    LossSettings,
    Moment,
    OptimizerSettings,
    SaveAndLeave,
    SaveCheckpoint,
    StepContext,
    TrainingSettings,
    TrainingState,
    benchmark_steps,
    fit,
    load_checkpoint,
    train_step,
)
from convlens.training.loop import measure_statistics
from tests.training.quarters import SPEC, QuarterBatches, small_network

CLASS_WEIGHTS = torch.tensor([1.0, 2.5, 0.3, 4.0], dtype=torch.float64)
LAST_BATCHES = (27, 23, 21)  # with batches of 10: shares of 4 and 3, of 3 and 0, of 1 and 0


class Unused(nn.Flatten):
    """Has a weight that no step uses: nothing may pull it toward zero either."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 3, dtype=torch.float64))


def double_network() -> Classifier:
    """Double precision, no batch normalization."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        block = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        head = nn.Sequential(Unused(), nn.Linear(8 * 16, 4))
        return Classifier({"block1": block}, head, SPEC).double()


def shared_batches(samples: int, size: int, ranks: Ranks, *, seed: int = 0) -> PixelBatches:
    source = QuarterBatches(samples, seed=seed)
    array = np.ascontiguousarray(source.pixels.permute(0, 2, 3, 1).numpy())
    return PixelBatches(
        Pixels(array, np.arange(samples)),
        source.labels.numpy(),
        batch_size=size,
        seed=3,
        rank=ranks.rank,
        world_size=ranks.world_size,
        prefetch=0,
    )


def gradients(samples: int, ranks: Ranks) -> dict[str, Tensor]:
    """Every step's gradients, and the weights after the last."""
    settings = TrainingSettings(
        batch_size=10,
        epochs=1,
        optimizer=OptimizerSettings(name="adamw", weight_decay=0.1),
        loss=LossSettings(label_smoothing=0.1),
        grad_clip_norm=0.5,
    )
    state = TrainingState.start(double_network(), settings)
    state.phase_steps = 3
    terms = StepContext(settings=settings, seed=0, class_weights=CLASS_WEIGHTS, ranks=ranks)
    found: dict[str, Tensor] = {}
    for batch in batches_on(state.device, shared_batches(samples, 10, ranks).epoch(0)):
        train_step(state, batch, terms)
        for name, parameter in state.classifier.named_parameters():
            if parameter.grad is not None:
                found[f"{state.step}/{name}"] = parameter.grad.clone()
    return found | {f"end/{name}": t for name, t in state.classifier.state_dict().items()}


class SignalAt(Callback):
    """One process is told to end after a step, or at the phase's end."""

    def __init__(self, step: int, moment: Moment = Moment.STEP_END) -> None:
        self.step, self.moment = step, moment

    def on(self, moment: Moment, state: TrainingState) -> None:
        if moment is self.moment and state.step == self.step:
            os.kill(os.getpid(), signal.SIGTERM)


SETTINGS = TrainingSettings(
    epochs=4, batch_size=16, ema=EmaSettings(decay=0.9), checkpoint_seconds=1e9
)


def job(folder: Path, ranks: Ranks, *also: Callback) -> TrainingState:
    """Batch normalization, dropout, averages and the best weights; goes on from a checkpoint."""
    state, best = TrainingState.start(small_network(), SETTINGS), KeepBest()
    load_checkpoint(folder / "checkpoint", state, {"best": best})
    save = SaveCheckpoint(folder / "checkpoint", every_seconds=1e9, remember={"best": best})
    with SaveAndLeave(folder, save.save, ranks) as leave:
        fit(
            state,
            shared_batches(101, 16, ranks),
            shared_batches(37, 16, ranks, seed=1),
            StepContext(settings=SETTINGS, seed=0, ranks=ranks),
            callbacks=[best, *also, *([save] if ranks.is_global_zero else []), leave],
        )
    return state


def budgeted(ranks: Ranks) -> TrainingState:
    settings = TrainingSettings(epochs=1, batch_size=16, budget_seconds=0.5)
    state = TrainingState.start(small_network(), settings)
    train, val = shared_batches(101, 16, ranks), shared_batches(37, 16, ranks, seed=1)
    terms = StepContext(settings=settings, seed=0, ranks=ranks)
    budget = Budget(0.5, phases=settings.plan, steps_an_epoch=7, ranks=ranks, reporter=Quiet())
    budget.plan(state, benchmark_steps(state, train, val, terms))
    fit(state, train, val, terms, callbacks=[budget])
    return state


def measured(ranks: Ranks) -> TrainingState:
    """The state before its first step, its statistics measured."""
    state = TrainingState.start(small_network(), SETTINGS)
    terms = StepContext(settings=SETTINGS, seed=0, ranks=ranks)
    measure_statistics(state, shared_batches(101, 16, ranks), terms)
    return state


def history(state: TrainingState) -> list[dict[str, Any]]:
    timings = {"seconds", "images_per_second", "validation_seconds"}
    return [{k: v for k, v in r.as_json().items() if k not in timings} for r in state.history]


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with Ranks.of_torchrun().joined("cpu") as ranks:
        tensors: dict[str, Tensor] = {}
        for samples in LAST_BATCHES:
            for name, tensor in gradients(samples, ranks).items():
                tensors[f"gradients/{samples}/{name}"] = tensor
        facts: dict[str, Any] = {
            "told": ranks.broadcast(f"plantes d'été, {ranks.rank}"),
            "agreed": ranks.broadcast_scalar(0.5 + ranks.rank),
            "greatest": ranks.max(ranks.rank),
            "order": [b.indices.tolist() for b in shared_batches(101, 16, ranks).epoch(0)],
        }
        try:
            ranks.require_same(str(ranks.rank), "images")
        except ConvlensError as error:
            facts["refused"] = error.message
        whole = job(folder / "whole", ranks)
        try:
            job(folder / "cut", ranks, *([SignalAt(9)] if ranks.rank == 1 else []))
        except WorkFailedError as error:
            facts["left"] = error.message
        resumed = job(folder / "cut", ranks)
        at_end = SignalAt(whole.step, Moment.PHASE_END)
        try:
            job(folder / "cut", ranks, *([at_end] if ranks.rank == 1 else []))
        except WorkFailedError as error:
            facts["left at the end"] = error.message
        tensors |= {f"measured/{n}": t for n, t in measured(ranks).classifier.state_dict().items()}
        for name, state in (("whole", whole), ("resumed", resumed)):
            facts[name] = history(state)
            tensors |= {f"{name}/{key}": t for key, t in state.classifier.state_dict().items()}
        facts["budget"] = budgeted(ranks).phase_steps
    save_file(tensors, folder / f"{ranks.rank}.safetensors")
    (folder / f"{ranks.rank}.json").write_text(json.dumps(facts), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
