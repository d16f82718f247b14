"""Does training that begins from another task's weights win, with 200 images?

    python -m benchmarks.transfer_accuracy [--cifar FOLDER_OR_TAR] [--seeds 5]
        [--pretraining-images 25000] [--pretraining-epochs 8] [--head-epochs 20] [--fine-epochs 40]
        [--scratch-epochs 120]

On the JPEG edition of CIFAR-10. The standard network, with global average pooling and one dense
layer for its head, learns five of the ten classes, once. Then, for each seed, 40 training images of
each of the other five classes are drawn, 200 in all, and the same network is trained on them twice:
from those weights, first a new head, then all of it at a lower rate; and from random weights, with
the same augmentation, at the rate that convlens chooses, for at least as many steps and as many
seconds. Neither sees a validation image, and each ends with its last epoch's weights. Measured on
all 5,000 test images of the five classes.

The interval is Student's t over the seeds' paired differences: it speaks of which images are drawn
and of all that is random in the second training, not of the pretraining, of which there is one.

Without ``--cifar`` the images are ``cifar10-jpeg.tar.xz`` in the folder that ``CONVLENS_DATA``
names. The table and ``results/transfer_accuracy.json`` give every seed's accuracies.
"""

import argparse
import csv
import os
import statistics
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.harness import RESULTS, cifar10, interval, write_result
from benchmarks.quiet_run import quiet_run
from safetensors.torch import load_file, save_file

from convlens.core.settings import merge
from convlens.runs import Run

PEERS = ("the same network from random weights",)
MINUTES = 40
QUICK = (
    "--cifar",
    "digits",
    "--seeds",
    "2",
    "--pretraining-images",
    "500",
    "--pretraining-epochs",
    "2",
    "--head-epochs",
    "2",
    "--fine-epochs",
    "2",
    "--scratch-epochs",
    "4",
)
TARGET = "the interval of the difference lies above 0"

EACH = 40
HEAD = "globalavgpool, dense"
PRETRAINED, SCRATCH = "pretrained", "from scratch"


def write_table(path: Path, splits: Mapping[str, Iterable[Path]]) -> Path:
    """A table of images; each lies in its class's folder."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label", "split"])
        for split, images in splits.items():
            rows.writerows(
                [os.path.relpath(image, path.parent), image.parent.name, split] for image in images
            )
    return path


def images_of(folder: Path, classes: Sequence[str]) -> dict[str, list[Path]]:
    """The images of each class."""
    return {name: sorted((folder / name).glob("*.jpg")) for name in classes}


def run(source: Path, folder: Path, seed: int, asked: Mapping[str, Any]) -> Run:
    """A run of convlens on a table."""
    shared = {
        "source": str(source),
        "seed": seed,
        "data": {"val": 0},
        "input": {
            "mean": (0.0, 0.0, 0.0),
            "std": (1.0, 1.0, 1.0),
        },  # those weights' and the others'
        "model": {"name": "standard", "head": HEAD},
        "training": {"keep": "last"},
    }
    return quiet_run(merge(shared, asked), folder)


def backbone(trained: Run, path: Path) -> Path:
    """The stages' weights alone: what is learned next has classes, and a head, of its own."""
    weights = load_file(trained.bundle / "model.safetensors")
    save_file({name: t for name, t in weights.items() if name.startswith("stages.")}, path)
    return path


def both(table: Path, weights: Path, folder: Path, seed: int, given: argparse.Namespace) -> Any:
    """The network trained both ways on a seed's images: what each reached, and took."""
    phases = [
        {"train": "head", "epochs": given.head_epochs, "optimizer": {"learning_rate": 2e-3}},
        {"train": "all", "epochs": given.fine_epochs, "optimizer": {"learning_rate": 5e-4}},
    ]
    ways: dict[str, dict[str, Any]] = {
        PRETRAINED: {"model": {"weights": str(weights)}, "training": {"phases": phases}},
        SCRATCH: {"training": {"epochs": given.scratch_epochs}},
    }
    found = {}
    for name, asked in ways.items():
        done = run(table, folder / f"{name}-{seed}", seed, asked)
        found[name] = {
            "accuracy": done.metrics["test"]["accuracy"],
            "seconds": round(done.metrics["seconds"], 1),
            "steps": done.history[-1]["step"],
        }
    return found


def pretrain(images: Path, classes: Sequence[str], folder: Path, given: argparse.Namespace) -> Run:
    """The network trained on the classes that it is to know already."""
    each = given.pretraining_images // len(classes)
    shown, tested = (images_of(images / split, classes) for split in ("train", "test"))
    splits = {
        "train": [path for own in shown.values() for path in own[:each]],
        "test": [path for own in tested.values() for path in own],
    }
    table = write_table(folder / "known.csv", splits)
    asked = {"training": {"epochs": given.pretraining_epochs}}
    return run(table, folder / "pretraining", 0, asked)


def measure(images: Path, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Pretrain, then train both ways for every seed."""
    classes = sorted(path.name for path in (images / "train").iterdir() if path.is_dir())
    known, new = classes[::2], classes[1::2]
    first = pretrain(images, known, folder, given)
    print(f"pretraining: {first.metrics['test']['accuracy']:.1%} of {', '.join(known)}", flush=True)
    weights = backbone(first, folder / "backbone.safetensors")
    pool, tested = (images_of(images / split, new) for split in ("train", "test"))
    every = []
    for seed in range(given.seeds):
        rng = np.random.default_rng(seed)
        drawn = [own[i] for own in pool.values() for i in rng.choice(len(own), EACH, replace=False)]
        splits = {"train": drawn, "test": [path for own in tested.values() for path in own]}
        table = write_table(folder / f"new-{seed}.csv", splits)
        every.append(both(table, weights, folder, seed, given))
        told = (f"{n} {f['accuracy']:.1%} ({f['seconds']:.0f} s)" for n, f in every[-1].items())
        print(f"seed {seed}:", ", ".join(told), flush=True)
        assert every[-1][SCRATCH]["steps"] >= every[-1][PRETRAINED]["steps"]
    return {
        "pretraining": {
            "classes": known,
            "images": first.environment["data"]["images"]["train"],
            "epochs": given.pretraining_epochs,
            "seconds": round(first.metrics["seconds"], 1),
            "test_accuracy": first.metrics["test"]["accuracy"],
        },
        "classes": new,
        "training_images": len(new) * EACH,
        "test_images": sum(map(len, tested.values())),
        **summary(every),
        "every_seed": every,
    }


def summary(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The means over the seeds, and the interval of the difference."""
    means = {
        name: statistics.mean(own[name]["accuracy"] for own in every)
        for name in (PRETRAINED, SCRATCH)
    }
    differences = [own[PRETRAINED]["accuracy"] - own[SCRATCH]["accuracy"] for own in every]
    mean, (low, high) = statistics.mean(differences), interval(differences)
    print(f"difference {mean:+.1%}, 95 % interval {low:+.1%} to {high:+.1%}")
    return {
        "mean_accuracy": {name: round(value, 4) for name, value in means.items()},
        "mean_difference": round(mean, 4),
        "interval_95": [round(low, 4), round(high, 4)],
        "n": len(every),
    }


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    low, high = found["interval_95"]
    means = found["mean_accuracy"]
    return (
        f"{means[PRETRAINED]:.1%} against {means[SCRATCH]:.1%}: {found['mean_difference']:+.1%}, "
        f"95 % interval {low:+.1%} to {high:+.1%}; n = {found['n']} seeds"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--pretraining-images", type=int, default=25_000)
    parser.add_argument("--pretraining-epochs", type=int, default=8)
    parser.add_argument("--head-epochs", type=int, default=20)
    parser.add_argument("--fine-epochs", type=int, default=40)
    parser.add_argument("--scratch-epochs", type=int, default=120)
    parser.add_argument("--out", type=Path, default=RESULTS / "transfer_accuracy.json")
    given = parser.parse_args(arguments)
    if given.seeds < 2:
        parser.error("an interval takes 2 seeds at least")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["CONVLENS_CACHE"] = str(folder / "cache")
        facts = measure(cifar10(given.cifar, folder), folder, given)
    epochs = ("head_epochs", "fine_epochs", "scratch_epochs")
    write_result(
        given.out,
        __file__,
        arguments,
        "accuracy from 200 images of five CIFAR-10 classes: pretrained on the other five, or not",
        {name: getattr(given, name) for name in epochs} | facts,
        packages=("torch", "numpy", "scipy"),
    )


if __name__ == "__main__":
    main()
