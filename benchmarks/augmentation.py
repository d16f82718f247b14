"""How fast is a classic augmentation of 224×224 photographs?

    python -m benchmarks.augmentation [--images 64] [--rounds 7] [--threads 1]

In the same run, one process, alternated: convlens; Keras's ``ImageDataGenerator`` with the very
settings (left out, and said so, where Keras is not installed); and the settings one after another
with Pillow, a bilinear interpolation each. Each ends in float32 pixels in [0, 1]. Pillow fills with
black, for it has no nearest fill, which spares it work. The table and ``results/augmentation.json``
give the median of the rounds.
"""

import argparse
import importlib
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.harness import RESULTS, apart, in_turns, medians, rounded, write_result
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from convlens.augment import AugmentSettings, make_transform
from convlens.core.batch import Batch

PEERS = ("Keras's ImageDataGenerator", "Pillow")
MINUTES = 1
QUICK = ("--rounds", "2")
TARGET = "10× Keras, 3× Pillow"

SIDE = 224
BATCH = 32
SETTINGS: dict[str, Any] = {
    "rotation_range": 20,
    "width_shift_range": 0.2,
    "height_shift_range": 0.2,
    "horizontal_flip": True,
    "zoom_range": 0.2,
    "shear_range": 0.15,
    "fill_mode": "nearest",
}
PACKAGES = ("numpy", "opencv-python-headless", "pillow")

Images = NDArray[np.uint8]
Epoch = Callable[[int], None]


def photographs(n: int) -> Images:
    """N windows of 224×224 pixels from scikit-learn's two photographs."""
    rng, sources = np.random.default_rng(0), load_sample_images().images
    windows = []
    for number in range(n):
        source = sources[number % len(sources)]
        top, left = (rng.integers(side - SIDE + 1) for side in source.shape[:2])
        windows.append(source[top : top + SIDE, left : left + SIDE])
    return np.stack(windows)


def with_convlens(images: Images) -> Epoch:
    """An epoch of batches through the batch transform that training is handed."""
    settings = AugmentSettings(**SETTINGS)
    transform = make_transform(settings, seed=0, classes=2, height=SIDE, width=SIDE)
    pixels, indices = torch.from_numpy(images).permute(0, 3, 1, 2), torch.arange(len(images))

    def epoch(number: int) -> None:
        for start in range(0, len(images), BATCH):
            some = slice(start, start + BATCH)
            done = transform(Batch(pixels[some], indices[some] % 2, indices[some], number))
            check(done.pixels.float().div_(255))

    return epoch


def with_keras(images: Images) -> Epoch | None:
    """An epoch of Keras's generator, or None where Keras is not installed."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        module = importlib.import_module("keras._tf_keras.keras.preprocessing.image")
    except ImportError:
        return None
    generator = module.ImageDataGenerator(rescale=1 / 255, **SETTINGS)
    batches = generator.flow(images.astype(np.float32), batch_size=BATCH, shuffle=False)

    def epoch(_: int) -> None:
        for _ in range(len(batches)):
            check(next(batches))

    return epoch


def with_pillow(images: Images) -> Epoch:
    """An epoch of one image after another, one setting after another."""
    pictures = [Image.fromarray(image) for image in images]

    def epoch(number: int) -> None:
        rng = np.random.default_rng(number)
        for start in range(0, len(pictures), BATCH):
            done = [one_after_another(p, rng) for p in pictures[start : start + BATCH]]
            check(np.stack(done).astype(np.float32) / 255)

    return epoch


def one_after_another(picture: Image.Image, rng: np.random.Generator) -> Images:
    """One picture through rotation, shift, shear, zoom and flip, each done on its own."""
    picture = picture.rotate(rng.uniform(-20, 20), Image.Resampling.BILINEAR)
    across, down = rng.uniform(-0.2, 0.2, 2) * SIDE
    shear = math.radians(rng.uniform(-0.15, 0.15))
    zoom_x, zoom_y = rng.uniform(0.8, 1.2, 2)
    middle = SIDE / 2
    for data in (
        (1, 0, across, 0, 1, down),
        (1, -math.sin(shear), math.sin(shear) * middle, 0, math.cos(shear), 0),
        (zoom_x, 0, middle * (1 - zoom_x), 0, zoom_y, middle * (1 - zoom_y)),
    ):
        picture = picture.transform(
            picture.size, Image.Transform.AFFINE, data, Image.Resampling.BILINEAR
        )
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(picture)


def check(batch: Any) -> None:
    """Nobody may win by making something else."""
    assert batch.shape[0] <= BATCH
    assert sorted(batch.shape[1:]) == [3, SIDE, SIDE]
    assert str(batch.dtype).endswith("float32")
    assert 0.05 < float(batch[0].mean()) < 0.95


def images_per_second(epoch: Epoch, n: int) -> Callable[[int], float]:
    """A function that runs one epoch and returns its speed."""

    def run(number: int) -> float:
        start = time.perf_counter()
        epoch(number)
        return n / (time.perf_counter() - start)

    return run


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    faster = found["times_convlens_is_faster"]
    told = (f"{v:.1f}× {name}" for name, v in faster.items() if name != "convlens")
    return ", ".join(told)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "augmentation.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    images = photographs(given.images)
    contenders = {
        "convlens": with_convlens(images),
        "keras ImageDataGenerator": with_keras(images),
        "pillow, one after another": with_pillow(images),
    }
    epochs = {name: epoch for name, epoch in contenders.items() if epoch}
    runs = {name: images_per_second(epoch, given.images) for name, epoch in epochs.items()}
    speeds = in_turns(runs, given.rounds)
    middle = medians(speeds)
    faster = {name: middle["convlens"] / speed for name, speed in middle.items()}
    print(f"{'':28}{'images/s':>10}{'':13}{'convlens is':>14}")
    for name, speed in middle.items():
        print(f"{name:28}{speed:10.0f}{apart(speeds[name])}{faster[name]:13.1f}×")
    left_out = contenders.keys() - epochs.keys()
    for name in left_out:
        print(f"{name:28}{'left out: Keras is not installed':>34}")
    write_result(
        given.out,
        __file__,
        arguments,
        "images a second: rotation, shifts, shear, zoom, flip; 224x224, one process",
        {
            "settings": SETTINGS,
            "images": given.images,
            "batch": BATCH,
            "rounds": given.rounds,
            "images_per_second": {name: round(value, 1) for name, value in middle.items()},
            "times_convlens_is_faster": {name: round(v, 2) for name, v in faster.items()},
            "every_round": rounded(speeds, 1),
        },
        packages=PACKAGES if left_out else (*PACKAGES, "keras", "scipy"),
    )


if __name__ == "__main__":
    main()
