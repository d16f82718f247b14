"""Images as a page holds them: small files, encoded."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from convlens.reporting.facts import Picture

FEW = 96
"""Pixels of the longer side up to which an image is kept as it is, and shown as squares."""

LONGEST = 224

_QUALITY = 78

Pixels = NDArray[np.uint8]


def encode(image: Pixels) -> Picture:
    """A picture of at most 224 pixels a side; a small one keeps every pixel.

    Args:
        image: H×W×C uint8. Three channels are color; others are shown as their mean.

    Example:
        >>> encode(np.zeros((8, 8, 1), np.uint8)).kind, encode(np.zeros((500, 9, 3), np.uint8)).kind
        ('png', 'webp')
    """
    few = max(image.shape[:2]) <= FEW
    small = seen(image) if few else _shrunk(seen(image))
    height, width = small.shape[:2]
    buffer = io.BytesIO()
    picture = Image.fromarray(small[..., 0] if small.shape[2] == 1 else small)
    if few:
        picture.save(buffer, "PNG", optimize=True)
        return Picture(content=buffer.getvalue(), kind="png", width=width, height=height, few=True)
    picture.save(buffer, "WEBP", quality=_QUALITY)
    return Picture(content=buffer.getvalue(), kind="webp", width=width, height=height)


def seen(image: Pixels) -> Pixels:
    """The image with one channel or three: an eye has no others."""
    if image.shape[2] in {1, 3}:
        return image
    return np.asarray(image.mean(axis=2, keepdims=True).round(), np.uint8)


def _shrunk(image: Pixels) -> Pixels:
    height, width = image.shape[:2]
    part = min(1.0, LONGEST / max(height, width))
    size = max(1, round(width * part)), max(1, round(height * part))
    shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8).reshape(size[1], size[0], image.shape[2])
