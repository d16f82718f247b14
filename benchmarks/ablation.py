"""What does each part of the sprint buy?

    python -m benchmarks.ablation [--recipe cifar10-sprint] [--seeds 5] [--without PART ...]
                                  [--device auto] [--jobs 1] [--cifar FOLDER_OR_TAR]
    python -m benchmarks.ablation --set SETTINGS ... --out FILE

On the JPEG edition: a sprint's recipe as it stands, and without one of its parts at a time, for as
many epochs, several seeds each. A tenth of the training images is held out: on these validation
images the parts are judged, and the test images stand beside them, having decided nothing. The
interval is Student's t over the seeds' paired differences. Operations are those of all epochs, of
the recipe as it stands 1: what a part buys in accuracy is to be read beside what it costs there.
They count a layer that does not learn as if it did, and are as many in 16 bits as in 32, so that
the time which these two parts save does not show.

``--set`` compares other settings in place of the parts, several to a variant with semicolons
between: ``--set augment.cutout=8 "model.width=0.75; training.epochs=30"``. Runs are not timed, so
``--jobs`` of them may share a machine, and a GPU takes minutes where two cores take hours. The
table and ``results/ablation.json`` give every seed's figures.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from benchmarks.harness import RESULTS, ROOT, cifar10, interval, write_result
from benchmarks.quiet_run import quiet_run
from benchmarks.sprint import operations

from convlens.core.settings import apply_setting, merge, read_toml
from convlens.data import CacheSettings

PEERS = ("the sprint without one of its parts",)
MINUTES = 150
QUICK = ("--cifar", "digits", "--seeds", "1", "--without", "flips")
TARGET = "each part buys accuracy or time"

WHOLE = "as it stands"
PARTS: Mapping[str, Sequence[str]] = {
    "a first layer that is not learned": ["training.phases=[{train = 'all'}]"],
    "small images first": ["augment.early_epochs=0"],
    "each image flipped every other epoch, not at random": ["augment.horizontal_flip=true"],
    "flips": ["augment.horizontal_flip=false"],
    "shifts by 2 pixels": ["augment.pad_crop=0"],
    "label smoothing": ["training.loss.label_smoothing=0"],
    "Muon, but SGD at 0.05": [
        "training.optimizer={name = 'sgd', learning_rate = 0.05, weight_decay = 5e-4}"
    ],
    "Muon, but SGD at 0.2": [
        "training.optimizer={name = 'sgd', learning_rate = 0.2, weight_decay = 5e-4}"
    ],
    "Muon, but AdamW at 0.004": [
        "training.optimizer={name = 'adamw', learning_rate = 0.004, weight_decay = 0.02}"
    ],
    "kernels of constant norm": ["training.optimizer.normalize_kernels=false"],
    "a rate that falls to zero": ["training.schedule={name = 'constant', warmup = 0}"],
    "a linear fall, but a cosine": ["training.schedule.name=cosine"],
    "16 bits": ["training.precision=float32"],
}
"""Each part, and the settings that take it away."""

HELD_OUT = {"data": {"val": 0.1, "calibration": 0}}
"""5,000 images decide, where the sprints keep 1,000 to look at."""


def asked_for(recipe: Path, settings: Sequence[str]) -> dict[str, Any]:
    """The recipe with some settings changed; an optimizer or a schedule set whole is only that."""
    asked = merge(read_toml(recipe), HELD_OUT)
    for setting in settings:
        part, _, value = setting.partition("=")
        if value.startswith("{"):
            above = asked
            for name in part.split(".")[:-1]:
                above = above[name]
            above.pop(part.split(".")[-1], None)
        asked = apply_setting(asked, setting)
    return asked


def one(source: Path, folder: Path, device: str, threads: int, asked: Any) -> dict[str, float]:
    """What one run reaches, and the operations that it takes."""
    number, recipe, settings, seed = asked
    torch.set_num_threads(threads)
    wanted = merge(asked_for(recipe, settings), {"seed": seed, "source": str(source)})
    run = quiet_run(
        wanted,
        folder / f"{number}-{seed}",
        device=device,
        cache=CacheSettings(folder=folder / "cache"),
    )
    return {
        "val_accuracy": run.history[-1]["val_accuracy"],
        "test_accuracy": run.metrics["test"]["accuracy"],
        "train_accuracy": run.history[-1]["train_accuracy"],
        "operations": sum(operations(run)),
    }


def measure(source: Path, folder: Path, variants: Any, given: argparse.Namespace) -> Any:
    """Every variant with every seed: what each reached, by variant."""
    path = ROOT / "recipes" / f"{given.recipe}.toml"
    asked = [
        (number, path, settings, seed)
        for number, settings in enumerate(variants.values())
        for seed in range(given.seeds)
    ]
    run = partial(one, source, folder, given.device, given.threads)
    found = []
    with ProcessPoolExecutor(given.jobs, mp_context=get_context("spawn")) as pool:
        first = pool.submit(run, asked[0]).result()  # it fills the cache
        for own, (number, _, _, seed) in zip(
            chain([first], pool.map(run, asked[1:])), asked, strict=True
        ):
            found.append(own)
            print(f"{list(variants)[number]}, seed {seed}: {own['val_accuracy']:.2%}", flush=True)
    return {
        name: found[number * given.seeds : (number + 1) * given.seeds]
        for number, name in enumerate(variants)
    }


def summary(found: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Print the table; its figures."""
    whole = found[WHOLE]
    facts = {}
    print(f"{'':58}{'val.':>7}{'test':>8}{'difference, 95 %':>28}{'operations':>12}")
    for name, runs in found.items():
        differences = [
            one["val_accuracy"] - other["val_accuracy"]
            for one, other in zip(runs, whole, strict=True)
        ]
        several = len(runs) > 1 and name != WHOLE
        ends = [round(end, 4) for end in interval(differences)] if several else None
        own = {
            f"mean_{key}": round(statistics.mean(run[key] for run in runs), 4)
            for key in ("val_accuracy", "test_accuracy", "train_accuracy")
        }
        own |= {
            "difference": round(statistics.mean(differences), 4),
            "interval_95": ends,
            "operations": round(runs[0]["operations"] / whole[0]["operations"], 3),
        }
        facts[name] = own | {"every_seed": list(runs)}
        told = f"{ends[0]:+.2%} to {ends[1]:+.2%}" if ends else ""
        print(
            f"{name:58}{own['mean_val_accuracy']:7.2%}{own['mean_test_accuracy']:8.2%}"
            f"{own['difference']:+9.2%}{told:>19}{own['operations']:8.2f}"
        )
    return facts


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table.

    Example:
        >>> own = {"mean_val_accuracy": 0.84, "difference": -0.011}
        >>> headline({"variants": {"as it stands": own, "flips": own}, "seeds": 5})
        '84.0 % of the held-out images; without flips -1.1; n = 5 seeds'
    """
    whole = found["variants"][WHOLE]["mean_val_accuracy"]
    told = "; ".join(
        f"{'without ' * (name in PARTS)}{name} {100 * own['difference']:+.1f}"
        for name, own in found["variants"].items()
        if name != WHOLE
    )
    return f"{100 * whole:.1f} % of the held-out images; {told}; n = {found['seeds']} seeds"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="cifar10-sprint")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--without", nargs="*", choices=PARTS, metavar="PART")
    parser.add_argument("--set", nargs="*", default=[], metavar="PART.KEY=VALUE; ...")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2, help="of each job")
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    if given.set and not given.out:
        parser.error("--set compares what the results do not hold: say where to, with --out FILE")
    given.out = given.out or RESULTS / "ablation.json"
    parts = given.without if given.without is not None else () if given.set else PARTS
    variants: dict[str, Sequence[str]] = {WHOLE: ()}
    variants |= {part: PARTS[part] for part in parts}
    variants |= {words: [own.strip() for own in words.split(";")] for words in given.set}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        found = measure(cifar10(given.cifar, folder), folder / "runs", variants, given)
    write_result(
        given.out,
        __file__,
        arguments,
        "share of a tenth of the training images, held out, that is right without each part",
        {"recipe": given.recipe, "seeds": given.seeds, "variants": summary(found)},
        packages=("torch", "numpy"),
        device=given.device,
    )


if __name__ == "__main__":
    main()
