"""How near is what a run is told to take to what it then takes?

    python -m benchmarks.estimates [--cifar FOLDER_OR_TAR] [--runs digits ...] [--rounds 1]

Whole runs of ``convlens train``, each in a process of its own with an empty cache: the seconds of
training and the memory that it says before the first epoch, and those that it has taken at the end.
Digits with everything chosen by rule; CIFAR-10's JPEG edition with ``standard`` in float32, and
with the sprint recipe in bfloat16, whose first epochs have smaller images; and 300 images of
128×128 pixels through VGG16 in two phases, the frozen layers' features kept. No run stops early, so
that the estimate is no upper bound. The table and ``results/estimates.json`` give the ratio of what
was taken to what was said, and the median of the rounds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from benchmarks.harness import RESULTS, ROOT, cifar10, write_result
from benchmarks.transfer import write_images

from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build
from convlens.prediction import Bundle, save_bundle
from convlens.runs import Run

PEERS = ("what then happened",)
MINUTES = 8
QUICK = ("--runs", "digits")
TARGET = "within 25 %"


def digits(_: Path, folder: Path) -> list[str]:
    """Everything by rule."""
    return ["digits"]


def standard(cifar: Path, _: Path) -> list[str]:
    """A network in float32, one epoch."""
    return [str(cifar), "--model", "standard", "--epochs", "1"]


def sprint(cifar: Path, _: Path) -> list[str]:
    """bfloat16, and two sizes of images."""
    return [str(cifar), "--recipe", str(ROOT / "recipes" / "cifar10-sprint.toml")]


def transfer(_: Path, folder: Path) -> list[str]:
    """Two phases behind frozen layers; the weights, which are loaded, are random."""
    write_images(folder / "images.npz", {"train": 300, "val": 60})
    spec = InputSpec(height=128, width=128)
    network = build(ModelSpec(name="vgg16"), spec, classes=2)
    bundle = Bundle(classifier=network, model=ModelSpec(name="vgg16"), classes=("a", "b"))
    save_bundle(bundle, folder / "weights")
    words = [str(folder / "images.npz"), "--model", "vgg16", "--size", "128", "--augment", "none"]
    words += ["--weights", str(folder / "weights" / "model.safetensors"), "--epochs", "3"]
    return words  # three epochs a phase are too few to stop early


RUNS: Mapping[str, Callable[[Path, Path], list[str]]] = {
    "digits": digits,
    "CIFAR-10, standard": standard,
    "CIFAR-10, sprint": sprint,
    "128×128, VGG16": transfer,
}


def measured(words: Sequence[str], folder: Path) -> dict[str, float]:
    """What a run said, and what it took."""
    out = folder / "run"
    command = [sys.executable, "-m", "convlens", "train", *words, "--out", str(out)]
    own = os.environ | {"CONVLENS_CACHE": str(folder / "cache")}
    subprocess.run(command, env=own, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
    said = json.loads((out / "preflight.json").read_text("utf-8"))["estimate"]
    took = Run(out).metrics
    return {
        "seconds_said": round(said["training_seconds"], 2),
        "seconds_taken": round(took["seconds"], 2),
        "mb_said": said["memory_mb"],
        "mb_taken": took["peak_memory_mb"],
        "seconds_ratio": round(took["seconds"] / said["training_seconds"], 3),
        "mb_ratio": round(took["peak_memory_mb"] / said["memory_mb"], 3),
    }


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of every figure."""
    return {key: statistics.median(own[key] for own in rounds) for key in rounds[0]}


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    return "; ".join(
        f"{name}: {own['seconds_taken']:.0f} s where {own['seconds_said']:.0f} were said "
        f"({own['seconds_ratio']:.2f}), {own['mb_taken']:,.0f} MB where {own['mb_said']:,.0f} "
        f"({own['mb_ratio']:.2f})"
        for name, own in found["runs"].items()
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--runs", nargs="+", choices=tuple(RUNS), default=tuple(RUNS))
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "estimates.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)  # what is written down of this machine
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        needed = any(name.startswith("CIFAR") for name in given.runs)
        images = cifar10(given.cifar, Path(temporary)) if needed else Path()
        for name in given.runs:
            rounds = []
            for _ in range(given.rounds):
                with tempfile.TemporaryDirectory() as own:
                    rounds.append(measured(RUNS[name](images, Path(own)), Path(own)))
            found[name] = medians(rounds) | {"every_round": rounds}
            print(headline({"runs": {name: found[name]}}), flush=True)
    write_result(
        given.out,
        __file__,
        arguments,
        "seconds of training and the most memory held, as said before a run and as taken",
        {"rounds": given.rounds, "threads": given.threads, "runs": found},
        packages=("torch", "numpy"),
    )


if __name__ == "__main__":
    main()
