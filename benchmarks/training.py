"""How fast does the standard network train, everything included?

    python -m benchmarks.training [--images 10000] [--epochs 1] [--rounds 5] [--threads 2]
                                  [--cifar FOLDER_OR_TAR] [--sets cifar10 digits] [--compiled]
                                  [--batch 64] [--device cpu]

The same network (two convolutions, batch normalization and a pool, three times over), batches of
equal size, Adam at 0.001, no augmentation, in float32 on the same cores: convlens as its command
``train`` carries it out (images decoded in its cache, progress, callbacks, history, checkpoint),
Keras 3 on TensorFlow as its users write it (``model.fit`` on arrays in memory, progress bar,
callbacks), PyTorch as its tutorials write it (a data set, a ``DataLoader`` with two workers, plain
loops), and the best bare PyTorch loop we know to write (channels-last tensors in memory, fused
optimizer, nothing but steps). Every one validates at its epochs' ends.

Each runs in a process of its own, at a terminal of its own, in turns, round after round; the epoch
that warms up is not counted. ``training`` is images a second between an epoch's first step and its
last; ``whole epoch`` counts all that happens from one epoch's end to the next one's: validation,
callbacks, and with convlens the checkpoint. The share of the limit is that of the fastest float32
matrix product, measured in the same rounds: a training step does six floating-point operations for
each multiply-add of the forward pass.

``--device cuda`` leaves Keras out, and goes to ``results/training_gpu.json``; convlens and the bare
loop are then in bfloat16, the bare loop's images in the GPU's memory, and the limit is that of
bfloat16. Memory is the processor's, there too.

The JPEG edition of CIFAR-10 is class folders under ``train`` and ``test``, in a folder or an
archive; without ``--cifar`` it is ``cifar10-jpeg.tar.xz`` in the folder that ``CONVLENS_DATA``
names. Digits come with scikit-learn. The table and ``results/training.json`` give the medians of
the rounds.
"""

import argparse
import csv
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.harness import (
    RESULTS,
    Ratio,
    cifar10,
    medians,
    ratio,
    rounded,
    run_peer,
    spread,
    write_result,
)

import convlens
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.data import CacheSettings, DataSettings, ImageSet, open_source, read_pixels

PEERS = ("Keras on TensorFlow", "PyTorch as its tutorials write it", "a bare PyTorch loop")
MINUTES = 45
QUICK = ("--sets", "digits", "--digits-epochs", "3", "--rounds", "1")
TARGET = "1.25× Keras, 0.97× the bare loop"

OURS, KERAS, TUTORIAL = "convlens", "keras on tensorflow", "pytorch's tutorial"
BARE, COMPILED = "bare pytorch", "bare, compiled"
SETS = ("cifar10", "digits")


def recipe(source: Path | str, batch: int) -> dict[str, Any]:
    """What convlens is asked for."""
    return {
        "source": str(source),
        "data": {"test": 0, "calibration": 0},  # all validation images, as the peers
        "model": {"name": "standard"},
        "augment": {"policy": "none"},
        "training": {
            "batch_size": batch,
            "optimizer": {"name": "adam", "learning_rate": 0.001, "weight_decay": 0.0},
            "schedule": {"name": "constant", "warmup": 0},
            "early_stopping": {"patience": 1000},
            "reduce_on_plateau": {"factor": 0.5, "patience": 1000, "min_lr": 1e-6},
        },
    }


def some_of_cifar10(folder: Path, images: int, table: Path) -> None:
    """Write a table of so many training images, and a tenth as many for validation."""
    classes = sorted(path for path in (folder / "train").iterdir() if path.is_dir())
    each = images // len(classes)
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label", "split"])
        for own in classes:
            paths = sorted(own.glob("*.jpg"))
            for split, some in (
                ("train", paths[:each]),
                ("val", paths[each : each + -(-each // 10)]),
            ):
                rows.writerows([os.path.relpath(p, table.parent), own.name, split] for p in some)


def write_arrays(images: ImageSet, path: Path) -> None:
    """The same pixels and splits for the peers, decoded."""
    arrays: dict[str, Any] = {}
    for split in ("train", "val"):
        numbers = images.splits[split]
        height, width, channels = _shape(images)
        spec = InputSpec(height=height, width=width, channels=channels)
        pixels = read_pixels(
            images, numbers, spec, settings=CacheSettings(enabled=False), reporter=Quiet()
        )
        arrays |= {f"X_{split}": pixels.array, f"y_{split}": images.labels[pixels.rows]}
    np.savez(path, **arrays)


def _shape(images: ImageSet) -> tuple[int, int, int]:
    return (32, 32, 3) if images.arrays is None else images.arrays.shape[1:]


def measure(source: Path | str, epochs: int, given: argparse.Namespace) -> dict[str, Any]:
    """Everything on one set of images."""
    settings = DataSettings(test=0)
    images = open_source(source, settings=settings, reporter=Quiet())
    peers = {
        OURS: "convlens_training",
        KERAS: "keras_standard",
        TUTORIAL: "torch_tutorial",
        BARE: "torch_standard",
    }
    if given.device != "cpu":
        del peers[KERAS]  # [bench] has TensorFlow for processors
    peers |= {COMPILED: "torch_standard"} if given.compiled else {}
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in peers}
    limits = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_arrays(images, folder / "arrays.npz")
        os.environ["CONVLENS_CACHE"] = str(folder / "cache")
        for number in range(given.rounds):
            where = {"threads": given.threads, "device": given.device}
            limits.append(run_peer("matmul", where | {"seconds": 2})["gflops"])
            asked = recipe(source, given.batch)
            asked["training"]["epochs"] = 1 + epochs
            for name, peer in peers.items():
                config = where | {
                    "epochs": epochs,
                    "batch": given.batch,
                    "classes": len(images.classes),
                    "arrays": str(folder / "arrays.npz"),
                    "recipe": asked,
                    "folder": str(folder / f"run-{number}"),
                    "compile": name == COMPILED,
                }
                answers[name].append(run_peer(peer, config))
                print(".", end="", flush=True)
    print()
    return summary(images, answers, limits)


def summary(
    images: ImageSet, answers: dict[str, list[dict[str, Any]]], limits: list[float]
) -> dict[str, Any]:
    """Print the table of one set of images; its figures."""
    speeds = {
        what: {
            name: [own["images"] / own[f"{key}_seconds"] for own in answered]
            for name, answered in answers.items()
        }
        for what, key in (("training", "training"), ("whole epoch", "whole"))
    }
    height, width, channels = _shape(images)
    shape = f"{height}x{width}x{channels}"
    macs = convlens.inspect("standard", input=shape, classes=len(images.classes)).macs
    middle = {what: medians(rounds) for what, rounds in speeds.items()}
    memory = {
        name: statistics.median(own["peak_memory_mb"] for own in answered)
        for name, answered in answers.items()
    }
    assert len({own["parameters"] for some in answers.values() for own in some}) == 1
    limit = max(limits)
    shares = {name: speed * 6 * macs / 1e9 / limit for name, speed in middle["training"].items()}
    print(f"{images.name}, {shape}: images/s; the limit is {limit:,.0f} GFLOP/s")
    print(f"{'':22}{'training':>10}{'whole epoch':>13}{'of limit':>10}{'MB':>8}")
    for name, share in shares.items():
        print(
            f"{name:22}{middle['training'][name]:10,.0f}{middle['whole epoch'][name]:13,.0f}"
            f"{share:10.0%}{memory[name]:8,.0f}"
        )
    ratios = {
        what: {name: ratio(found[OURS], theirs) for name, theirs in found.items() if name != OURS}
        for what, found in speeds.items()
    }
    print("convlens is", ", ".join(f"{v} {n}" for n, v in ratios["whole epoch"].items()), "\n")
    return {
        "input": shape,
        "images": {split: len(images.splits[split]) for split in ("train", "val")},
        "images_measured_a_round": {n: own[0]["images"] for n, own in answers.items()},
        "images_per_second": {w: rounded_values(found) for w, found in middle.items()},
        "times_convlens_is_faster": {
            what: {name: value._asdict() for name, value in found.items()}
            for what, found in ratios.items()
        },
        "spread": {
            what: {name: round(spread(values), 3) for name, values in rounds.items()}
            for what, rounds in speeds.items()
        },
        "forward_macs": macs,
        "matmul_gflops": round(limit, 1),
        "share_of_matmul": {name: round(share, 3) for name, share in shares.items()},
        "peak_memory_mb": memory,
        "share_of_time_spent_saving": round(max(own["saving_share"] for own in answers[OURS]), 4),
        "last_training_loss": {n: round(own[-1]["losses"][-1], 4) for n, own in answers.items()},
        "every_round": {what: rounded(rounds, 1) for what, rounds in speeds.items()},
        "every_round_matmul_gflops": [round(value, 1) for value in limits],
    }


def rounded_values(found: dict[str, float]) -> dict[str, float]:
    """One decimal is as much as is known."""
    return {name: round(value, 1) for name, value in found.items()}


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    told = []
    for name, own in found["sets"].items():
        faster, memory = own["times_convlens_is_faster"]["whole epoch"], own["peak_memory_mb"]
        peers = {KERAS: "Keras", TUTORIAL: "PyTorch's tutorial", BARE: "the bare loop"}
        some = [f"{Ratio(**faster[n])} {said}" for n, said in peers.items() if n in faster]
        if KERAS in memory:
            some.append(f"{memory[OURS]:,.0f} MB against {memory[KERAS]:,.0f}")
        told.append(f"{name}: {', '.join(some)}")
    return "; ".join(told)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--digits-epochs", type=int, default=20, help="for each of --epochs")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--compiled", action="store_true", help="also the loop with torch.compile")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    given.out = given.out or RESULTS / f"training{'_gpu' * (given.device != 'cpu')}.json"
    torch.set_num_threads(given.threads)  # what is written down of this machine
    sets = {}
    if "cifar10" in given.sets:
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            some_of_cifar10(cifar10(given.cifar, folder), given.images, folder / "cifar10.csv")
            sets["cifar10"] = measure(folder / "cifar10.csv", given.epochs, given)
    if "digits" in given.sets:
        sets["digits"] = measure("digits", given.digits_epochs * given.epochs, given)
    keras = ("keras", "tensorflow_cpu") if given.device == "cpu" else ()
    write_result(
        given.out,
        __file__,
        arguments,
        "images a second of training the standard network with Adam, everything included",
        {"batch": given.batch, "rounds": given.rounds, "threads": given.threads, "sets": sets},
        packages=("torch", "numpy", *keras),
        device=given.device,
    )


if __name__ == "__main__":
    main()
