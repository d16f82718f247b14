"""Sound files that hostile ones lie beside: pictures of two classes, and runs trained on them."""

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = {"ant": (170, 80, 70), "bee": (70, 90, 180)}
_SIDE, _EACH = 16, 12
_NETWORK = """
import torch
from torch import nn

def build(classes):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(classes))
""".replace("nn.LazyLinear(classes)", f"nn.Linear({4 * (_SIDE - 2) ** 2}, classes)")


def photographs(folder: Path) -> Path:
    """Class folders of noisy pictures, one color a class."""
    noise = np.random.default_rng(0)
    for name, color in CLASSES.items():
        (folder / name).mkdir(parents=True)
        for number in range(_EACH):
            pixels = noise.normal(0, 25, (_SIDE, _SIDE, 3)) + color
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(folder / name / f"{number}.png")
    return folder


def make_fixture(folder: Path) -> None:
    """Fill a folder with ``photos``, ``sound.png``, ``run`` and ``own``, unless it is full.

    ``run`` is a finished run of a network of layers, ``own`` one of a network in a Python file.
    """
    if (folder / "own").exists():
        return
    from convlens import api  # loads torch: not before a worker needs it

    shutil.rmtree(folder, ignore_errors=True)
    photos = photographs(folder / "photos")
    shutil.copy(photos / "ant" / "0.png", folder / "sound.png")
    network = folder / "network.py"
    network.write_text(_NETWORK, "utf-8")
    layers = "conv 4 3 same relu, maxpool 2, flatten, dense"
    api.train(photos, layers=layers, size=_SIDE, epochs=2, out=folder / "run", quiet=True)
    api.train(
        photos, model=f"{network}:build", size=_SIDE, epochs=1, out=folder / "own", quiet=True
    )
