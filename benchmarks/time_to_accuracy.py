"""How long does it take to reach 70, 80, 85, 88 and 90 % of CIFAR-10's test images?

    python -m benchmarks.time_to_accuracy --keras-whole     Keras's run, once: an hour
    python -m benchmarks.time_to_accuracy [--ours cifar10-sprint:3 ...] [--rounds 1] [--runs FOLDER]

On the JPEG edition and two cores. Keras 3 on TensorFlow runs the chapter's script as it stands
(``peers/keras_chapter.py``): its seconds are those within ``fit``, without reading the images and
without the measurement on the test images after each epoch; a level is reached at the end of the
first epoch whose weights have it. That run is long: it is made once, and its log kept as
``results/time_to_accuracy_keras.json``. Of the log the accuracies count; an epoch takes as long as
another, so the seconds are those of its first epochs, which run again beside ours. SIGTERM to the
long run's process ends it early: the log then says so.

convlens runs ``convlens train`` with the sprint recipes, each run with nothing in its cache: its
seconds are those of the whole command, from the start of the process to its end, checking and
decoding the JPEGs, measuring on the test images and the report included. A run's rate falls to
nothing at its end, so a level is reached by the shortest run that ends with it.

``--ours`` names recipes of ``recipes/``, each with its own number of epochs or the one after the
colon. Runs under ``--runs`` that are finished, those of ``benchmarks.sprint`` too, are not made
again. The table and ``results/time_to_accuracy.json`` give the medians of the rounds.
``--cifar digits`` and ``--keras-log none`` do without CIFAR-10 and without the kept log: to see
that all of it works.
"""

import argparse
import json
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.harness import RESULTS, cifar10, run_peer, write_result
from benchmarks.sprint import trained
from PIL import Image

from convlens.core.formatting import percent

PEERS = ("Keras on TensorFlow, the chapter's script",)
MINUTES = 25
QUICK = ("--cifar", "digits", "--keras-log", "none", "--ours", "cifar10-sprint:2")
TARGET = "a tenth of Keras's time to each level that Keras reaches"

LEVELS = (0.70, 0.80, 0.85, 0.88, 0.90)
OURS = (
    "cifar10-sprint:2",
    "cifar10-sprint:3",
    "cifar10-sprint",
    "cifar10-sprint-15m",
    "cifar10-sprint-30m",
)
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


def run_ours(images: Path, run: str, folder: Path, seed: int) -> dict[str, Any]:
    """A whole ``convlens train`` with an empty cache: its seconds, and what it ends with."""
    recipe, _, epochs = run.partition(":")
    made = trained(recipe, seed, images, folder, int(epochs) if epochs else None)
    metrics = made.run.metrics
    return {
        "run": run,
        "seconds": made.command_seconds,
        "training_seconds": round(metrics["seconds"], 1),
        "test_accuracy": metrics["test"]["accuracy"],
    }


def paced(epochs: int, first: Sequence[Mapping[str, Any]]) -> list[float]:
    """Seconds at the end of each epoch, from those of the first ones; the very first compiles.

    Example:
        >>> paced(4, [{"seconds": 9}, {"seconds": 12}, {"seconds": 16}])
        [9.0, 12.5, 16.0, 19.5]
    """
    ends = [float(own["seconds"]) for own in first]
    other = statistics.median(later - earlier for earlier, later in pairwise(ends))
    return [ends[0] + number * other for number in range(epochs)]


def keras_reached(accuracies: Sequence[float], seconds: Sequence[float]) -> dict[str, float | None]:
    """By level, the seconds at the end of the first epoch that had it.

    Example:
        >>> keras_reached([0.6, 0.75], [5.0, 10.0])["70 %"]
        10.0
    """
    ends = list(zip(accuracies, seconds, strict=True))
    return {
        percent(level, 0): next((at for accuracy, at in ends if accuracy >= level), None)
        for level in LEVELS
    }


def ours_reached(runs: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """By level, the seconds of the shortest run that ends with it."""
    return {
        percent(level, 0): min(
            (own["seconds"] for own in runs if own["test_accuracy"] >= level), default=None
        )
        for level in LEVELS
    }


def medians(every: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each of our runs, the median of its rounds."""
    figures = ("seconds", "training_seconds", "test_accuracy")
    return [
        {"run": run}
        | {
            key: statistics.median(own[key] for own in every if own["run"] == run)
            for key in figures
        }
        for run in dict.fromkeys(own["run"] for own in every)
    ]


def measure(images: Path, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Ours and Keras's first epochs, in turns."""
    write_arrays(images, folder / "arrays.npz")
    kept = None if given.keras_log is None else json.loads(given.keras_log.read_text("utf-8"))
    ours: list[dict[str, Any]] = []
    keras: list[dict[str, Any]] = []
    for seed in range(given.rounds):
        keras.append(run_keras(folder / "arrays.npz", given.keras_epochs, given.threads))
        for run in given.ours:
            ours.append(run_ours(images, run, given.runs or folder, seed))
            print(f"{run}: {ours[-1]['test_accuracy']:.2%} after", end=" ")
            print(f"{ours[-1]['seconds']:.0f} s", flush=True)
    log = kept or keras[0]
    rounds = [paced(len(log["epochs"]), own["epochs"]) for own in keras]
    seconds = [statistics.median(each) for each in zip(*rounds, strict=True)]
    return summary(ours, log, seconds) | {
        "keras_seconds_an_epoch": round(seconds[-1] - seconds[-2], 1),
        "keras_log": None if kept is None else kept["commit"],
        "keras_first_epochs": [own["epochs"] for own in keras],
        "every_run": ours,
    }


def summary(
    ours: Sequence[Mapping[str, Any]], log: Mapping[str, Any], seconds: Sequence[float]
) -> Any:
    """Print the table; its figures."""
    runs = medians(ours)
    accuracies = [own["test_accuracy"] for own in log["epochs"]]
    reached = {"convlens": ours_reached(runs), "keras": keras_reached(accuracies, seconds)}
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
            "best_test_accuracy": max(accuracies),
            "seconds": round(seconds[-1], 1),
            "epochs": len(log["epochs"]),
            "ended_early": log["ended_early"],
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
            peer = f"{theirs:,.0f} s" if theirs is not None else "not"
            told.append(f"{level}: {mine:,.0f} s (Keras {peer})")
    final = found["in_the_end"]
    if final["keras"]["ended_early"]:
        told.append(f"Keras was ended after {final['keras']['epochs']} epochs")
    ends = (
        f"{who} {own['test_accuracy']:.1%} ({own['seconds']:,.0f} s)" for who, own in final.items()
    )
    return "; ".join(told) + f"; in the end {', '.join(ends)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--ours", nargs="+", default=OURS, metavar="RECIPE[:EPOCHS]")
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--keras-whole", action="store_true", help="only Keras's run, to its end")
    parser.add_argument("--keras-epochs", type=int, default=2, help="re-run beside ours")
    parser.add_argument("--keras-log", type=Path, default=KERAS_LOG, help="'none' for no kept log")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "time_to_accuracy.json")
    given = parser.parse_args(arguments)
    if given.keras_epochs < 2:
        parser.error("--keras-epochs 2 at least: the first one compiles")
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
