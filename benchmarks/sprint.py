"""How much of CIFAR-10 is learned in two minutes, a quarter and half of an hour of two cores?

    python -m benchmarks.sprint [--recipes cifar10-sprint ...] [--seeds 3 1 1]
                                [--cifar FOLDER_OR_TAR] [--runs FOLDER]

On the JPEG edition: ``convlens train`` with each recipe, a seed after another, and what it then
gets right of all 10,000 test images, each seen once, as it is. Seconds are those of training,
validation after each epoch included; those of the whole command, which begins with an empty cache,
checks and decodes the images, measures on the test images and writes the report, stand beside them.
The curve has a point an epoch: seconds, floating-point operations (six for each multiply-add of the
forward pass, at the size that the epoch's images have) and the share of the validation images that
is right; it rises late, as the rate falls and the images come to their full size, which is what
makes a sprint.

Runs under ``--runs`` that are finished are not made again. The table and ``results/sprint.json``
give every seed's figures.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from benchmarks.harness import RESULTS, ROOT, cifar10, commit, write_result

from convlens.core.formatting import percent
from convlens.inspection import trace
from convlens.prediction import load_bundle
from convlens.runs import Run

PEERS = ("the published figures of airbench94 on this edition, in float32",)
MINUTES = 55
QUICK = ("--cifar", "digits", "--recipes", "cifar10-sprint", "--seeds", "1")
TARGET = "83.4 % in 125 s, 89.7 % in 830 s, 91 % in 1,800 s"

RECIPES = ("cifar10-sprint", "cifar10-sprint-15m", "cifar10-sprint-30m")
SEEDS = (3, 1, 1)
_OPERATIONS = 6  # a multiply-add is two, and the backward pass takes twice the forward pass's


class Sprint(NamedTuple):
    """A finished run, the seconds of the whole command that made it, and of which commit it is."""

    run: Run
    command_seconds: float
    commit: str


def trained(
    recipe: str, seed: int, images: Path, folder: Path, epochs: int | None = None
) -> Sprint:
    """Train with a recipe, its cache empty; where the folder has that run, take it from there.

    Args:
        recipe: its name in ``recipes/``.
        seed: of weights and draws.
        images: the source.
        folder: holds the runs.
        epochs: other than the recipe's; as large a share of them has smaller images.
    """
    name = f"{recipe}-{seed}" if epochs is None else f"{recipe}-{epochs}-epochs-{seed}"
    out, kept = folder / name, folder / f"{name}.json"
    if not kept.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(out, ignore_errors=True)  # of a benchmark that was interrupted
        path = ROOT / "recipes" / f"{recipe}.toml"
        words = ["train", images, "--recipe", path, "--seed", seed, "--out", out]
        if epochs is not None:
            words += ["--epochs", epochs, "--set", f"augment.early_epochs={_early(path, epochs)}"]
        command = [sys.executable, "-m", "convlens", *map(str, words)]
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            own = os.environ | {"CONVLENS_CACHE": cache}
            start = perf_counter()
            subprocess.run(command, env=own, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
            seconds = round(perf_counter() - start, 1)
        kept.write_text(json.dumps({"command_seconds": seconds, "commit": commit()}), "utf-8")
    return Sprint(Run(out), **json.loads(kept.read_text("utf-8")))


def _early(recipe: Path, epochs: int) -> int:
    """Epochs on smaller images, the same share of all of them as in the recipe."""
    said = tomllib.loads(recipe.read_text("utf-8"))
    early, full = said["augment"]["early_epochs"], said["training"]["epochs"]
    return min(round(epochs * early / full), epochs - 1)


def operations(run: Run) -> list[float]:
    """Floating-point operations of each epoch: what does not learn counts as if it did."""
    network, recipe = load_bundle(run.folder).classifier, run.recipe
    images = run.environment["data"]["images"]["train"]
    shown = sum(images.values()) if isinstance(images, Mapping) else images
    channels, height, width = recipe.input.shape
    sizes = [
        (recipe.augment.side(height, epoch), recipe.augment.side(width, epoch))
        for epoch in range(len(run.history))
    ]
    macs = {size: trace(network, (channels, *size)).macs for size in set(sizes)}
    return [float(_OPERATIONS * macs[size] * shown) for size in sizes]


def facts_of(sprint: Sprint) -> dict[str, Any]:
    """What a run reached, and when."""
    run = sprint.run
    history, done = run.history, accumulate(operations(run))
    seconds = accumulate(
        epoch["seconds"] + epoch.get("validation_seconds", 0.0) for epoch in history
    )
    test = run.metrics["test"]
    return {
        "test_accuracy": test["accuracy"],
        "interval_95": [round(end, 4) for end in test["interval"]],
        "seconds": round(run.metrics["seconds"], 1),
        "command_seconds": sprint.command_seconds,
        "commit": sprint.commit,
        "curve": [
            {
                "seconds": round(at, 1),
                "petaflop": round(flop / 1e15, 4),
                "val_accuracy": epoch["val_accuracy"],
            }
            for at, flop, epoch in zip(seconds, done, history, strict=True)
        ],
    }


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The middle of the seeds, and their spread."""
    accuracies = [own["test_accuracy"] for own in runs]
    return {
        "n": len(runs),
        "mean_test_accuracy": round(statistics.mean(accuracies), 4),
        "lowest": min(accuracies),
        "highest": max(accuracies),
        "median_seconds": statistics.median(own["seconds"] for own in runs),
        "petaflop": runs[0]["curve"][-1]["petaflop"],
        "every_seed": list(runs),
    }


def headline(result: Mapping[str, Any]) -> str:
    """What was found, in a line of the table.

    Example:
        >>> own = {"n": 3, "mean_test_accuracy": 0.84, "median_seconds": 120}
        >>> headline({"recipes": {"short": own}})
        'short: 84.0 % after 120 s (n = 3)'
    """
    return "; ".join(
        f"{name}: {percent(own['mean_test_accuracy'])} after {own['median_seconds']:.0f} s "
        f"(n = {own['n']})"
        for name, own in result["recipes"].items()
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print what was reached, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS, help="one a recipe")
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS / "sprint.json")
    given = parser.parse_args(arguments)
    found = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.runs or Path(temporary)
        images = cifar10(given.cifar, Path(temporary))
        for recipe, seeds in zip(given.recipes, given.seeds, strict=False):
            runs = [facts_of(trained(recipe, s, images, folder)) for s in range(seeds)]
            found[recipe] = summary(runs)
            print(headline({"recipes": {recipe: found[recipe]}}), flush=True)
    write_result(
        given.out,
        __file__,
        arguments,
        "share of the 10,000 test images that is right after so many seconds of training",
        {"recipes": found},
        packages=("torch", "numpy"),
    )


if __name__ == "__main__":
    main()
