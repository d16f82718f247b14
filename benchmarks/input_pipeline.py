"""What share of a training step does the input pipeline cost, from the second epoch on?

    python -m benchmarks.input_pipeline [--images 512] [--batch 32] [--steps 3] [--rounds 5]
                                        [--policy standard] [--threads N]

The pipeline alone, as training runs it: batches gathered from the memory-mapped cache, augmented,
scaled and normalized. Against it, in the same run and in turns, the training step (forward, loss,
backward, update) of ``standard`` and ``resnet18`` on a batch that is there already. JPEGs of the
size are written first, and decoded once into a cache of their own, which is not counted.

The table and ``results/input_pipeline.json`` give the medians of the rounds: images a second, and
the pipeline's share of the time of pipeline and step together, one after the other: what reading
ahead in a thread hides is not credited.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.harness import RESULTS, apart, in_turns, medians, write_result
from PIL import Image
from sklearn.datasets import load_sample_images

from convlens.augment import make_transform, policy
from convlens.core.batch import Batch, BatchTransform
from convlens.core.classifier import Classifier
from convlens.core.cores import usable_cores
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.data import CacheSettings, ImageSet, PixelBatches, Pixels, read_pixels
from convlens.models import ModelSpec, build
from convlens.training import TrainingSettings, TrainingState
from convlens.training.loop import StepContext, train_step

PEERS = ("its own training step",)
MINUTES = 6
QUICK = ("--images", "64", "--batch", "16", "--steps", "1", "--rounds", "1")
TARGET = "10 % at most"

CLASSES = 10
MODELS = ("standard", "resnet18")
SIDES = (32, 224)


def write_images(folder: Path, n: int, side: int) -> ImageSet:
    """N JPEGs, windows of scikit-learn's two photographs, somewhat larger than the input."""
    rng, photographs = np.random.default_rng(0), load_sample_images().images
    larger, paths = min(round(side * 1.25), 400), []
    for number in range(n):
        photograph = photographs[number % len(photographs)]
        top, left = (int(rng.integers(length - larger + 1)) for length in photograph.shape[:2])
        window = photograph[top : top + larger, left : left + larger]
        paths.append(str(folder / f"{number:05}.jpg"))
        Image.fromarray(window).save(paths[-1], quality=90)
    numbers = np.arange(n)
    return ImageSet(
        name="windows",
        classes=tuple(str(number) for number in range(CLASSES)),
        labels=numbers % CLASSES,
        splits={"train": numbers, "val": numbers[:0], "test": numbers[:0]},
        paths=paths,
    )


def pipeline_epoch(
    batches: PixelBatches, transform: BatchTransform, normalize: torch.nn.Module
) -> Callable[[int], float]:
    """A function that runs the next epoch of the pipeline; it returns its seconds an image."""
    epochs = count(1)  # the first has filled the cache

    def run(_: int) -> float:
        start = time.perf_counter()
        with torch.inference_mode():
            for batch in batches.epoch(next(epochs)):
                ready = normalize(transform(batch).pixels)
                assert ready.dtype == torch.float32
                assert len(ready) == len(batch)
        return (time.perf_counter() - start) / batches.samples

    return run


def training_steps(classifier: Classifier, batch: Batch, steps: int) -> Callable[[int], float]:
    """A function that takes some training steps; it returns their seconds an image."""
    settings = TrainingSettings(batch_size=len(batch))
    state, terms = TrainingState.start(classifier, settings), StepContext(settings=settings, seed=0)
    state.phase_steps = 1_000_000  # no end: the rate stays what it is

    def run(_: int) -> float:
        start = time.perf_counter()
        for _ in range(steps):
            train_step(state, batch, terms)
        return (time.perf_counter() - start) / (steps * len(batch))

    return run


def read(images: ImageSet, spec: InputSpec, margin: float, folder: Path) -> Pixels:
    """The pixels, memory-mapped from a cache that is thrown away afterward."""
    cache = CacheSettings(folder=folder / "cache")
    numbers = images.splits["train"]
    return read_pixels(images, numbers, spec, margin=margin, settings=cache, reporter=Quiet())


def measure(side: int, given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything at one size."""
    spec = InputSpec(height=side, width=side, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    settings = policy(given.policy)
    images = write_images(folder, given.images, side)
    pixels = read(images, spec, settings.margin, folder)
    batches = PixelBatches(pixels, images.labels, batch_size=given.batch, seed=0)
    transform = make_transform(settings, seed=0, classes=CLASSES, height=side, width=side)
    torch.manual_seed(0)
    networks = {n: build(ModelSpec(name=n), spec, classes=CLASSES) for n in MODELS}
    normalize = networks[MODELS[0]].stages[0]
    batch = transform(next(batches.epoch(0)))
    runs = {"pipeline": pipeline_epoch(batches, transform, normalize)} | {
        name: training_steps(network, batch, given.steps) for name, network in networks.items()
    }
    seconds = in_turns(runs, given.rounds)
    middle = medians(seconds)
    pipeline = middle["pipeline"]
    shares = {name: pipeline / (pipeline + middle[name]) for name in MODELS}
    for name, value in middle.items():
        share = f"{shares[name]:12.1%}" if name in shares else ""
        print(f"{side:>4} {name:12}{1 / value:12.0f}{apart(seconds[name])}{share}")
    return {
        "images_per_second": {name: round(1 / value, 1) for name, value in middle.items()},
        "share_of_a_step": {name: round(share, 4) for name, share in shares.items()},
        "every_round_ms_an_image": {
            name: [round(value * 1e3, 4) for value in values] for name, values in seconds.items()
        },
    }


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    told = []
    for size, own in found["sizes"].items():
        shares = (f"{share:.1%} ({name})" for name, share in own["share_of_a_step"].items())
        told.append(f"{size}: {', '.join(shares)}")
    return "; ".join(told)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--policy", default="standard")
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--sides", type=int, nargs="+", default=SIDES)
    parser.add_argument("--out", type=Path, default=RESULTS / "input_pipeline.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    print(f"{'side':>4} {'':12}{'images/s':>12}{'':13}{'pipeline':>12}")
    sizes = {}
    for side in given.sides:
        with tempfile.TemporaryDirectory() as folder:
            sizes[f"{side}x{side}"] = measure(side, given, Path(folder))
    settings = ("images", "batch", "steps", "rounds", "policy")
    write_result(
        given.out,
        __file__,
        arguments,
        "the input pipeline's share of a training step, second epoch onward",
        {name: getattr(given, name) for name in settings} | {"sizes": sizes},
        packages=("numpy", "opencv-python-headless", "pillow"),
    )


if __name__ == "__main__":
    main()
