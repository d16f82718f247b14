"""How long does it take to reach 70, 80, 85, 88 and 90 % of CIFAR-10's test images?

    python -m benchmarks.time_to_accuracy --keras-whole     Keras's run, once: hours
    python -m benchmarks.time_to_accuracy [--epochs 2 3 5 10 20] [--rounds 1] [--keras-epochs 2]

On the JPEG edition and two cores. Keras 3 on TensorFlow runs the chapter's script as it stands
(``peers/keras_chapter.py``): its seconds are those within ``fit``, without reading the images and
without the measurement on the test images after each epoch; a level is reached at the end of the
first epoch whose weights have it. That run is long: it is made once, and its log kept as
``results/time_to_accuracy_keras.json``. What it takes on another machine, or another day, follows
from its first epochs, which run again beside ours: all of its seconds are scaled by what the epochs
after the first take now against then.

convlens runs ``convlens train`` with ``recipes/cifar10-sprint.toml``, once for each number of
epochs, with nothing in its cache: its seconds are those of the whole command, from the start of the
process to its end, decoding the JPEGs and measuring on the test images included. A run's rate falls
to nothing at its end, so a level is reached by the shortest run that ends with it.

The table and ``results/time_to_accuracy.json`` give the medians of the rounds. ``--cifar digits``
and ``--keras-log none`` do without CIFAR-10 and without the kept log: to see that all of it works.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from benchmarks.harness import RESULTS, ROOT, cifar10, run_peer, write_result
from PIL import Image

PEERS = ("Keras on TensorFlow, the chapter's script",)
MINUTES = 25
QUICK = ("--cifar", "digits", "--keras-log", "none", "--epochs", "2", "--keras-epochs", "2")
TARGET = "a tenth of Keras's time to each level that Keras reaches"

LEVELS = (0.70, 0.80, 0.85, 0.88, 0.90)
RECIPE = ROOT / "recipes" / "cifar10-sprint.toml"
KERAS_LOG = RESULTS / "time_to_accuracy_keras.json"
KERAS_EPOCHS = 100  # at most: the script stops early
PACKAGES = ("torch", "keras", "tensorflow_cpu", "numpy", "pillow")


def write_arrays(images: Path, path: Path) -> None:
    """The decoded images in a random order, as Keras's copy of CIFAR-10 has them."""
    arrays: dict[str, Any] = {}
    for split in ("train", "test"):
        classes = sorted(own.name for own in (images / split).iterdir() if own.is_dir())
        found = [(file, n) for n, own in enumerate(classes) for file in files(images / split / own)]
        order = np.random.default_rng(0).permutation(len(found))
        arrays[f"X_{split}"] = np.stack([decoded(found[at][0]) for at in order])
        arrays[f"y_{split}"] = np.array([found[at][1] for at in order])
    np.savez(path, **arrays)


def files(folder: Path) -> list[Path]:
    """The JPEGs of a class."""
    return sorted(folder.glob("*.jpg"))


def decoded(path: Path) -> Any:
    """Its pixels, height by width by three."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def run_keras(arrays: Path, epochs: int, threads: int) -> dict[str, Any]:
    """The chapter's script, for so many epochs at most."""
    with np.load(arrays) as held:
        classes = int(held["y_train"].max()) + 1
    config = {
        "arrays": str(arrays),
        "classes": classes,
        "epochs": epochs,
        "threads": threads,
        "seed": 0,
    }
    return run_peer("keras_chapter", config)


def run_ours(images: Path, epochs: int, folder: Path, seed: int) -> dict[str, Any]:
    """A whole ``convlens train`` with an empty cache: its seconds, and what it ends with."""
    small = round(0.6 * epochs)  # the recipe's share of epochs on smaller images
    out = folder / f"run-{epochs}-{seed}"
    words = ["train", images, "--recipe", RECIPE, "--epochs", epochs, "--seed", seed, "--out", out]
    words += ["--set", f"augment.early_epochs={small}"]
    command = [sys.executable, "-m", "convlens", *map(str, words)]
    cache = {"CONVLENS_CACHE": str(folder / f"cache-{epochs}-{seed}")}
    start = perf_counter()
    subprocess.run(command, env=os.environ | cache, check=True, capture_output=True)  # noqa: S603
    seconds = perf_counter() - start
    metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    return {
        "epochs": epochs,
        "seconds": seconds,
        "training_seconds": metrics["seconds"],
        "test_accuracy": metrics["test"]["accuracy"],
    }


def scale(now: Sequence[Mapping[str, Any]], then: Sequence[Mapping[str, Any]]) -> float:
    """How much longer Keras's epochs take now than in the kept log; the first compiles.

    Example:
        >>> log = [{"seconds": 10}, {"seconds": 16}, {"seconds": 22}]
        >>> scale([{"seconds": 9}, {"seconds": 12}], log)
        0.5
    """
    last = min(len(now), len(then)) - 1
    took, takes = (own[last]["seconds"] - own[0]["seconds"] for own in (then, now))
    return takes / took


def keras_reached(epochs: Sequence[Mapping[str, Any]], factor: float) -> dict[str, float | None]:
    """By level, the seconds at the end of the first epoch that had it.

    Example:
        >>> log = [{"seconds": 10, "test_accuracy": 0.6}, {"seconds": 20, "test_accuracy": 0.75}]
        >>> keras_reached(log, 2.0)["70 %"], keras_reached(log, 2.0)["80 %"]
        (40.0, None)
    """
    return {
        name(level): next(
            (own["seconds"] * factor for own in epochs if own["test_accuracy"] >= level), None
        )
        for level in LEVELS
    }


def ours_reached(runs: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """By level, the seconds of the shortest run that ends with it."""
    return {
        name(level): min(
            (own["seconds"] for own in runs if own["test_accuracy"] >= level), default=None
        )
        for level in LEVELS
    }


def name(level: float) -> str:
    """As it is read."""
    return f"{level:.0%}".replace("%", " %")


def medians(every: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each number of epochs, the median of its rounds."""
    return [
        {
            key: statistics.median(own[key] for own in every if own["epochs"] == epochs)
            for key in own
        }
        for epochs, own in {own["epochs"]: own for own in every}.items()
    ]


def measure(images: Path, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Ours and Keras's first epochs, in turns."""
    write_arrays(images, folder / "arrays.npz")
    kept = None if given.keras_log is None else json.loads(given.keras_log.read_text("utf-8"))
    ours: list[dict[str, Any]] = []
    keras: list[dict[str, Any]] = []
    for seed in range(given.rounds):
        keras.append(run_keras(folder / "arrays.npz", given.keras_epochs, given.threads))
        for epochs in given.epochs:
            ours.append(run_ours(images, epochs, folder, seed))
            print(f"{epochs} epochs: {ours[-1]['test_accuracy']:.2%} after", end=" ")
            print(f"{ours[-1]['seconds']:.0f} s", flush=True)
    log = kept or keras[0]
    factor = statistics.median(scale(own["epochs"], log["epochs"]) for own in keras)
    return summary(ours, log, factor) | {
        "keras_scale": round(factor, 4),
        "keras_log": None if kept is None else kept["commit"],
        "keras_first_epochs": [own["epochs"] for own in keras],
        "every_run": ours,
    }


def summary(ours: Sequence[Mapping[str, Any]], log: Mapping[str, Any], factor: float) -> Any:
    """Print the table; its figures."""
    runs = medians(ours)
    reached = {"convlens": ours_reached(runs), "keras": keras_reached(log["epochs"], factor)}
    ratios = {}
    print(f"{'test accuracy':>14}{'convlens':>12}{'Keras':>12}{'ratio':>9}")
    for level, mine in reached["convlens"].items():
        theirs = reached["keras"][level]
        both = None if mine is None or theirs is None else theirs / mine
        ratios[level] = None if both is None else round(both, 2)
        told = (("not" if value is None else f"{value:,.0f} s") for value in (mine, theirs))
        print(
            f"{level:>14}",
            *(f"{each:>11}" for each in told),
            "" if both is None else f"{both:7.1f}×",
        )
    best = max(runs, key=lambda own: float(own["test_accuracy"]))
    final = {
        "convlens": {"test_accuracy": best["test_accuracy"], "seconds": round(best["seconds"], 1)},
        "keras": {
            "test_accuracy": log["test_accuracy"],
            "seconds": round(log["seconds"] * factor, 1),
            "epochs": len(log["epochs"]),
        },
    }
    print("in the end:", *(f"{n} {f['test_accuracy']:.2%}" for n, f in final.items()))
    return {
        "seconds_to": {
            who: {level: value and round(value, 1) for level, value in found.items()}
            for who, found in reached.items()
        },
        "times_convlens_is_faster": ratios,
        "in_the_end": final,
        "runs": runs,
    }


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    told = []
    for level, mine in found["seconds_to"]["convlens"].items():
        theirs = found["seconds_to"]["keras"][level]
        if mine is not None:
            peer = f"{theirs:,.0f} s" if theirs is not None else "never"
            told.append(f"{level}: {mine:,.0f} s (Keras {peer})")
    final = found["in_the_end"]
    ends = (
        f"{who} {own['test_accuracy']:.1%} ({own['seconds']:,.0f} s)" for who, own in final.items()
    )
    return "; ".join(told) + f"; in the end {', '.join(ends)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--epochs", type=int, nargs="+", default=(2, 3, 5, 10, 20))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--keras-whole", action="store_true", help="only Keras's run, to its end")
    parser.add_argument("--keras-epochs", type=int, default=2, help="re-run beside ours")
    parser.add_argument("--keras-log", type=Path, default=KERAS_LOG, help="'none' for no kept log")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "time_to_accuracy.json")
    given = parser.parse_args(arguments)
    if min(given.keras_epochs, *given.epochs) < 2:
        parser.error("2 epochs at least: Keras's first one compiles, ours has smaller images")
    if str(given.keras_log) == "none":
        given.keras_log = None
    elif not given.keras_whole and not given.keras_log.is_file():
        parser.error(f"{given.keras_log} is missing; make it with --keras-whole, or pass none")
    torch.set_num_threads(given.threads)  # what is written down of this machine
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        images = cifar10(given.cifar, folder)
        if given.keras_whole:
            write_arrays(images, folder / "arrays.npz")
            facts = run_keras(folder / "arrays.npz", KERAS_EPOCHS, given.threads)
        else:
            facts = measure(images, folder, given) | {"rounds": given.rounds}
    write_result(
        KERAS_LOG if given.keras_whole else given.out,
        __file__,
        arguments,
        "seconds to test accuracies, CIFAR-10 JPEG, two cores"
        + ": Keras's run to its end" * given.keras_whole,
        facts | {"threads": given.threads},
        packages=PACKAGES,
    )


if __name__ == "__main__":
    main()
