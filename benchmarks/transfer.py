"""How long do the chapter's two phases of transfer learning take?

    python -m benchmarks.transfer [--images 500] [--head-epochs 10] [--fine-epochs 10] [--rounds 1]
                                  [--threads 2]

VGG16 at 128×128 with random weights, 500 training and 100 validation images of random numbers with
random labels, batches of 32: first a head alone (global average pooling, 256 units, dropout, one
sigmoid output) with Adam at 0.001, then the last block with it at 0.00001; no augmentation, every
epoch is run. Keras 3 on TensorFlow runs the chapter's listing, convlens a recipe; each in a process
of its own on the same cores, in turns.

Keras's seconds run from the call of ``fit`` to its return, and are given without its first step as
well, which compiles. convlens's run from the start of the whole run, so that reading the images,
building the network and keeping the frozen layers' features are counted, to the end of the phase's
last epoch, checkpoint included. ``floor`` is what cannot be left out however clever the program:
one forward pass of the frozen layers over all images, then the last block and the head, forward and
backward, divided by the fastest float32 matrix product of this machine. The labels being random,
the loss stays about ln 2 = 0.693; by how much it moves from epoch to epoch is its noise.

The table and ``results/transfer.json`` give the medians of the rounds.
"""

import argparse
import math
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.harness import RESULTS, medians, rounded, run_peer, write_result

import convlens
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build_architecture
from convlens.training.freeze import freeze

PEERS = ("Keras on TensorFlow",)
MINUTES = 15
QUICK = ("--images", "64", "--head-epochs", "2", "--fine-epochs", "2")
TARGET = "7× Keras for the head, 5× for both"

SIDE, BATCH = 128, 32
HEAD = "globalavgpool, dense 256 relu, dropout 0.5, dense"
OURS, KERAS = "convlens", "keras on tensorflow"
PHASES = {"head": "head", "fine": "last 3"}


def write_images(path: Path, images: Mapping[str, int]) -> None:
    """Random numbers for images, random zeros and ones for labels."""
    rng = np.random.default_rng(42)
    arrays: dict[str, Any] = {}
    for split, count in images.items():
        arrays[f"X_{split}"] = rng.integers(0, 256, (count, SIDE, SIDE, 3), np.uint8)
        arrays[f"y_{split}"] = rng.integers(0, 2, count)
    np.savez(path, **arrays)


def split_sizes(given: argparse.Namespace) -> dict[str, int]:
    """A fifth as many images for validation as for training."""
    return {"train": given.images, "val": given.images // 5}


def recipe(source: Path, given: argparse.Namespace) -> dict[str, Any]:
    """What convlens is asked for."""
    return {
        "source": str(source),
        "seed": given.seed,
        "data": {"test": 0, "calibration": 0},  # all validation images, as Keras
        "input": {"height": SIDE, "width": SIDE},
        "model": {"name": "vgg16", "head": HEAD},
        "augment": {"policy": "none"},
        "training": {
            "batch_size": BATCH,
            "keep": "last",
            "loss": {"name": "binary"},
            "schedule": {"name": "constant", "warmup": 0},
            "phases": [
                {
                    "train": PHASES["head"],
                    "epochs": given.head_epochs,
                    "optimizer": {"name": "adam", "learning_rate": 1e-3, "weight_decay": 0},
                },
                {
                    "train": PHASES["fine"],
                    "epochs": given.fine_epochs,
                    "optimizer": {"name": "adam", "learning_rate": 1e-5, "weight_decay": 0},
                },
            ],
        },
    }


def run_ours(config: dict[str, Any], head_epochs: int) -> dict[str, Any]:
    """A run of convlens, taken apart into its phases."""
    found = run_peer("convlens_training", config)
    ended = found["epoch_ended_after_seconds"]
    until = {"head": ended[head_epochs - 1], "fine": ended[-1] - ended[head_epochs - 1]}
    epochs = {"head": slice(None, head_epochs), "fine": slice(head_epochs, None)}
    return {"peak_memory_mb": found["peak_memory_mb"]} | {
        phase: {"seconds": until[phase], "losses": found["losses"][epochs[phase]]}
        for phase in PHASES
    }


def floor_gflop(head_epochs: int, fine_epochs: int, *, train: int, val: int) -> dict[str, float]:
    """Billions of floating-point operations that each phase cannot do without.

    The first phase passes every image through the frozen layers once, the last block among them;
    the second has what the fourth block made of them. Training takes three passes, but for the last
    block's first convolution, whose input needs no gradient.
    """
    found = convlens.inspect("vgg16", head=HEAD, classes=1, input=f"{SIDE}x{SIDE}x3")
    macs: dict[str, list[int]] = {}
    for layer in found.layers:
        if layer.macs:
            part = layer.name.split(".")[0]
            macs.setdefault(part if part.startswith("block") else "head", []).append(layer.macs)
    assert list(macs) == [*(f"block{number}" for number in range(1, 6)), "head"]
    head, last = sum(macs["head"]), macs["block5"]
    frozen = found.macs - head
    training = 3 * (head + sum(last)) - last[0]
    return {
        "head": 2e-9 * (frozen * (train + val) + head_epochs * head * (3 * train + val)),
        "fine": 2e-9 * fine_epochs * (training * train + (sum(last) + head) * val),
    }


def check(keras: dict[str, Any]) -> None:
    """Both learn the same weights in each phase."""
    spec = InputSpec(height=SIDE, width=SIDE)
    network = build_architecture(ModelSpec(name="vgg16", head=HEAD), spec, classes=1)
    for phase, train in PHASES.items():
        assert freeze(network, train).trainable == keras[phase]["trainable_parameters"]


def summary(
    answers: dict[str, list[dict[str, Any]]], limits: list[float], given: argparse.Namespace
) -> dict[str, Any]:
    """Print the table; its figures."""
    seconds = {
        phase: {n: [own[phase]["seconds"] for own in found] for n, found in answers.items()}
        for phase in PHASES
    }
    seconds["both"] = {
        name: [sum(own[phase]["seconds"] for phase in PHASES) for own in found]
        for name, found in answers.items()
    }
    first = [sum(own[p]["first_step_seconds"] for p in PHASES) for own in answers[KERAS]]
    gflop = floor_gflop(given.head_epochs, given.fine_epochs, **split_sizes(given))
    limit = max(limits)
    floor = {phase: value / limit for phase, value in gflop.items()}
    floor["both"] = sum(floor.values())
    middle = {phase: medians(rounds) for phase, rounds in seconds.items()}
    ratios = {phase: found[KERAS] / found[OURS] for phase, found in middle.items()}
    print(f"{'seconds':8}{OURS:>12}{KERAS:>22}{'ratio':>8}{'floor':>8}{'of floor':>10}")
    for phase, found in middle.items():
        print(
            f"{phase:8}{found[OURS]:12.1f}{found[KERAS]:22.1f}{ratios[phase]:7.2f}×"
            f"{floor[phase]:8.1f}{found[OURS] / floor[phase]:9.2f}×"
        )
    losses = {
        phase: {name: [own[phase]["losses"] for own in found] for name, found in answers.items()}
        for phase in PHASES
    }
    last = {
        phase: {name: statistics.mean(own[-1] for own in some) for name, some in found.items()}
        for phase, found in losses.items()
    }
    noise = {
        phase: {name: max(_noise(own) for own in some) for name, some in found.items()}
        for phase, found in losses.items()
    }
    memory = {n: statistics.median(o["peak_memory_mb"] for o in a) for n, a in answers.items()}
    for phase in PHASES:
        told = (f"{n} {last[phase][n]:.4f} ± {noise[phase][n]:.4f}" for n in answers)
        print(f"last training loss of {phase}:", ", ".join(told))
    print("peak memory:", ", ".join(f"{name} {value:,.0f} MB" for name, value in memory.items()))
    return {
        "seconds": {phase: {n: round(v, 2) for n, v in m.items()} for phase, m in middle.items()},
        "times_convlens_is_faster": {phase: round(value, 2) for phase, value in ratios.items()},
        "keras_first_steps_seconds": round(statistics.median(first), 2),
        "times_without_kerass_first_steps": round(
            (middle["both"][KERAS] - statistics.median(first)) / middle["both"][OURS], 2
        ),
        "floor_gflop": {phase: round(value, 1) for phase, value in gflop.items()},
        "matmul_gflops": round(limit, 1),
        "floor_seconds": {phase: round(value, 2) for phase, value in floor.items()},
        "times_the_floor": {p: round(middle[p][OURS] / floor[p], 2) for p in floor},
        "last_training_loss": _short(last),
        "noise_of_the_loss": _short(noise),
        "peak_memory_mb": memory,
        "every_loss": losses,
        "every_round_seconds": {phase: rounded(rounds, 2) for phase, rounds in seconds.items()},
        "every_round_matmul_gflops": [round(value, 1) for value in limits],
    }


def _noise(losses: list[float]) -> float:
    """The standard deviation over the last five epochs."""
    return statistics.stdev(losses[-5:]) if len(losses) > 1 else math.nan


def _short(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    return {key: {n: round(v, 4) for n, v in found.items()} for key, found in figures.items()}


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    faster, memory = found["times_convlens_is_faster"], found["peak_memory_mb"]
    return (
        f"head {faster['head']:.1f}×, both phases {faster['both']:.1f}× Keras, "
        f"{found['times_the_floor']['both']:.2f}× the floor, "
        f"{memory[OURS]:,.0f} MB against {memory[KERAS]:,.0f}; n = {found['rounds']}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--head-epochs", type=int, default=10)
    parser.add_argument("--fine-epochs", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "transfer.json")
    given = parser.parse_args(arguments)
    if min(given.head_epochs, given.fine_epochs) < 2:
        parser.error("a phase takes 2 epochs at least, to say how much its loss moves")
    torch.set_num_threads(given.threads)  # what is written down of this machine
    answers: dict[str, list[dict[str, Any]]] = {OURS: [], KERAS: []}
    limits, where = [], {"threads": given.threads, "device": "cpu"}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_images(folder / "images.npz", split_sizes(given))
        for number in range(given.rounds):
            os.environ["CONVLENS_CACHE"] = str(folder / f"cache-{number}")  # nothing is there yet
            limits.append(run_peer("matmul", where | {"seconds": 5})["gflops"])
            config = where | {
                "seed": given.seed + number,
                "batch": BATCH,
                "arrays": str(folder / "images.npz"),
                "head_epochs": given.head_epochs,
                "fine_epochs": given.fine_epochs,
                "recipe": recipe(folder / "images.npz", given),
                "folder": str(folder / f"run-{number}"),
            }
            answers[OURS].append(run_ours(config, given.head_epochs))
            answers[KERAS].append(run_peer("keras_vgg16", config))
            check(answers[KERAS][-1])
    facts = {
        name: getattr(given, name) for name in ("images", "head_epochs", "fine_epochs", "rounds")
    }
    write_result(
        given.out,
        __file__,
        arguments,
        "seconds of two phases of transfer learning: VGG16 at 128x128, head, then last block",
        facts | {"batch": BATCH, "threads": given.threads} | summary(answers, limits, given),
        packages=("torch", "keras", "tensorflow_cpu", "numpy"),
    )


if __name__ == "__main__":
    main()
