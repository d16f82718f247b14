"""Bringing an image to the network's size: what is seen of it, and where it lands."""

from typing import NamedTuple

import numpy as np

from convlens.core.input_spec import InputSpec
from convlens.data.resample import Pixels8, Size, Window, resample

CROP_FRACTION = 0.875


class Plan(NamedTuple):
    """What is seen of an image: it is resized, a window is cut out, and that is placed on black.

    Attributes:
        scaled: the size to which the whole image is resized.
        window: the part of that which is seen.
        corner: row and column of the output at which it begins.
    """

    scaled: Size
    window: Window
    corner: tuple[int, int] = (0, 0)


def kept_shape(spec: InputSpec, margin: float = 0.0) -> Size:
    """Rows and columns that are kept of an image.

    Args:
        spec: what the network is fed.
        margin: how much larger than the network's input the kept image is, as a share of its side.
            With the rule "crop", 1 / 0.875 - 1 = 0.143 keeps the scale of evaluation.

    Example:
        >>> kept_shape(InputSpec(height=224, width=224), margin=0.143)
        Size(rows=256, columns=256)
    """
    return Size(round(spec.height * (1 + margin)), round(spec.width * (1 + margin)))


def plan(height: int, width: int, spec: InputSpec, margin: float = 0.0) -> Plan:
    """What is seen of an image of this size.

    "crop" rounds as the published evaluation of pretrained weights does: the short side is resized
    to a whole number of pixels, then the center is cut out. With a margin the whole short side is
    kept.

    Args:
        height: rows of the image.
        width: columns of the image.
        spec: what the network is fed.
        margin: as in `kept_shape`.

    Example:
        >>> plan(300, 400, InputSpec(height=224, width=224)).scaled
        Size(rows=256, columns=341)
    """
    kept = kept_shape(spec, margin)
    if spec.resize == "stretch" or (height, width) == kept:
        return Plan(kept, Window(0, 0, *kept))
    if spec.resize == "pad":
        scaled = _covering(height, width, kept, inside=True)
        corner = (kept.rows - scaled.rows) // 2, (kept.columns - scaled.columns) // 2
        return Plan(scaled, Window(0, 0, *scaled), corner)
    share = 1.0 if margin else CROP_FRACTION
    scaled = _covering(height, width, Size(round(kept.rows / share), round(kept.columns / share)))
    top, left = round((scaled.rows - kept.rows) / 2), round((scaled.columns - kept.columns) / 2)
    return Plan(scaled, Window(top, left, *kept))


def fit(image: Pixels8, spec: InputSpec, margin: float = 0.0) -> Pixels8:
    """Bring pixels to the size of the network's input by its resize rule; channels stay.

    Args:
        image: (H, W, C).
        spec: the size and the resize rule.
        margin: as in `kept_shape`.

    Returns:
        (height, width, C).
    """
    height, width = image.shape[:2]
    seen = plan(height, width, spec, margin)
    return placed(resample(image, seen.scaled, seen.window), seen, kept_shape(spec, margin))


def placed(pixels: Pixels8, seen: Plan, kept: Size) -> Pixels8:
    """The window where the plan has it, in rows and columns that lie in order.

    Args:
        pixels: (rows, columns, C) of the plan's window.
        seen: the plan.
        kept: the size of the output.
    """
    if pixels.shape[:2] == kept:
        return np.ascontiguousarray(pixels)
    placed = np.zeros((*kept, pixels.shape[2]), np.uint8)
    row, column = seen.corner
    placed[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
    return placed


def _covering(height: int, width: int, size: Size, *, inside: bool = False) -> Size:
    """The size, in whole pixels, at which an image just covers a size, or just fits inside it."""
    rows, columns = size
    if (rows * width >= columns * height) != inside:
        return Size(rows, max(1, rows * width // height))
    return Size(max(1, columns * height // width), columns)
