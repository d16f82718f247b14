"""By how much does a leak between the splits flatter the test accuracy?

    python -m benchmarks.leak [--cifar FOLDER_OR_TAR] [--seeds 1]

5 % of CIFAR-10's test images, in its JPEG edition, are encoded once more, at quality 50, and put
into train under their own class. ``convlens train`` with the sprint recipe then trains on train as
published, with the planted images, and on the table that ``convlens check --fix`` makes of the
latter: without any image that was named as a copy or near duplicate. All three are measured on the
same test images: all of them, and those that were planted. CIFAR-10 has near duplicates of its own,
so the third is not the first. The table and ``results/leak.json`` give the means of the seeds.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.harness import RESULTS, ROOT, cifar10, write_result
from benchmarks.preflight import plant

import convlens
from convlens.core.formatting import percent

PEERS = ("the same training without the leak",)
MINUTES = 9
QUICK = ("--cifar", "digits")
TARGET = "measured, and told"

_ALLOWED = ("near-duplicates", "copies-across-splits")
RECIPE = ROOT / "recipes" / "cifar10-sprint.toml"


def trained(source: Path, out: Path, seed: int, planted: Sequence[Path]) -> dict[str, Any]:
    """What a sprint on a source gets right of all test images, and of those planted."""
    run = convlens.train(source, recipe=RECIPE, out=out, seed=seed, allow=_ALLOWED, quiet=True)
    answers = run.predictor().predict(planted, top=1)
    right = [a.top[0].name == p.parent.name for a, p in zip(answers, planted, strict=True)]
    test = run.metrics["test"]
    return {
        "accuracy": test["accuracy"],
        "interval_95": [round(end, 4) for end in test["interval"]],
        "of_those_planted": round(float(np.mean(right)), 4),
        "training_images": sum(run.environment["data"]["images"]["train"].values()),
    }


def means(every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over the seeds."""
    return {
        key: round(float(np.mean([own[key] for own in every])), 4)
        for key in ("accuracy", "of_those_planted", "training_images")
    } | {"every_seed": list(every)}


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table.

    Example:
        >>> own = {"accuracy": 0.84, "of_those_planted": 0.85}
        >>> headline({"planted": 500, "seeds": 1, "runs": {"as published": own}})
        'as published 84.0 % (85.0 % of the 500 planted); n = 1'
    """
    told = (
        f"{name} {percent(own['accuracy'])} ({percent(own['of_those_planted'])} of the "
        f"{found['planted']:,} planted)"
        for name, own in found["runs"].items()
    )
    return ", ".join(told) + f"; n = {found['seeds']}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "leak.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["CONVLENS_CACHE"] = str(folder / "cache")
        leaky = plant(cifar10(given.cifar, folder / "cifar"), folder)
        clean = folder / "clean.csv"
        convlens.check(leaky.leaky, recipe=RECIPE, fix=clean, measure=False, quiet=True)
        sources = {
            "as published": leaky.plain,
            "with the leak": leaky.leaky,
            "without all that was named": clean,
        }
        runs = {}
        for name, source in sources.items():
            out = folder / name.replace(" ", "-")
            every = [
                trained(source, out / str(seed), seed, leaky.planted_tests)
                for seed in range(given.seeds)
            ]
            runs[name] = means(every)
            print(f"{name}: {runs[name]}", flush=True)
        planted = len(leaky.planted_tests)
    write_result(
        given.out,
        __file__,
        arguments,
        "share of CIFAR-10's test images that is right, with and without a leak",
        {"planted": planted, "seeds": given.seeds, "runs": runs},
        packages=("torch", "numpy"),
    )


if __name__ == "__main__":
    main()
