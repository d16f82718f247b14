"""Images that come with scikit-learn, in place of data that a machine may not have."""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits, load_sample_images

SAMPLES, DIGITS = "samples", "digits"
"""What ``--photos`` and ``--cifar`` take in place of a folder."""

_TEST = 5  # every so many of the digits are test images


def sample_photographs(folder: Path, count: int) -> Path:
    """JPEGs of 500×375 pixels, windows of scikit-learn's two photographs."""
    rng, photographs = np.random.default_rng(0), load_sample_images().images
    folder.mkdir(parents=True)
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        top, left = (int(rng.integers(photograph.shape[i] - (375, 500)[i] + 1)) for i in (0, 1))
        window = photograph[top : top + 375, left : left + 500]
        Image.fromarray(window).save(folder / f"{number:03}.jpg", quality=90)
    return folder


def digits_like_cifar(folder: Path) -> Path:
    """Handwritten digits as CIFAR-10's JPEG edition lies: 32×32 RGB, ``train`` and ``test``."""
    digits = load_digits()
    for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        split = "train" if number % _TEST else "test"
        own = folder / split / f"digit {label}"
        own.mkdir(parents=True, exist_ok=True)
        gray = Image.fromarray((image * (255 / 16)).astype(np.uint8))
        larger = gray.convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)
        larger.save(own / f"{number:04}.jpg", quality=95)
    return folder
