"""The picture of Grad-CAM: each image, and its heat laid over it."""

from collections.abc import Sequence

import cv2
import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.core.canvas import (
    CAPTION,
    Image,
    Sheet,
    even_row,
    shorten,
    show_image,
    write_above,
)
from convlens.inspection.grad_cam import GradCam
from convlens.inspection.recording import Pixels

_COLOURS = "turbo"
_OPACITY = 0.62
_SMALLEST_SIDE = 360
_SIDE = 2.9
_GAP = 0.25
_BAR = 0.6
_MOST_A_ROW = 5


def draw_grad_cam(
    found: GradCam,
    pixels: Pixels,
    names: Sequence[str],
    *,
    classes: Sequence[str],
    probabilities: NDArray[np.float32],
    network: str = "",
) -> Figure:
    """Each image above itself under its heat.

    Args:
        found: the heat.
        pixels: uint8 N×H×W×C, the images asked about.
        names: N titles.
        classes: K class names.
        probabilities: N×K.
        network: what to call the network.
    """
    count = len(pixels)
    columns = even_row(count, _MOST_A_ROW)
    tall = _SIDE * pixels.shape[1] / pixels.shape[2]
    block = 2 * (CAPTION + tall) + _GAP
    height, width = found.heat.shape[1:]
    sheet = Sheet(
        columns * (_SIDE + _GAP) + _BAR,
        -(-count // columns) * (block + _GAP) - _GAP,
        f"Grad-CAM at {found.layer}",
        f"Where {network or 'the network'} finds its evidence for the class named; "
        f"{height}×{width} places, each image on its own scale",
    )
    for number in range(count):
        left = number % columns * (_SIDE + _GAP)
        top = number // columns * (block + _GAP) + CAPTION
        above = sheet.place(left, top, _SIDE, tall)
        show_image(above, pixels[number])
        write_above(above, shorten(names[number]))
        below = sheet.place(left, top + tall + CAPTION + _GAP / 2, _SIDE, tall)
        show_image(below, overlay(pixels[number], found.heat[number]))
        wanted = found.classes[number]
        answer = f"{shorten(classes[wanted], 20)}   {_percent(probabilities[number, wanted])}"
        nothing = "" if found.heat[number].any() else ": no evidence"
        write_above(below, answer + nothing)
    bar = sheet.place(columns * (_SIDE + _GAP), CAPTION * 2 + tall + _GAP / 2, 0.16, tall)
    values = ScalarMappable(Normalize(0, 1), _COLOURS)
    sheet.figure.colorbar(values, cax=bar, ticks=[0, 1])
    bar.set_yticklabels(["none", "most"], fontsize=9)
    return sheet.figure


def overlay(image: Image, heat: NDArray[np.float32]) -> Image:
    """The image under its heat: the more evidence, the less of the image shows through.

    Args:
        image: H×W×C uint8, C 1 or 3.
        heat: h×w, zero or more, on any scale.

    Returns:
        uint8 RGB of the image's shape, enlarged by a whole number where it is small.
    """
    times = max(1, -(-_SMALLEST_SIDE // max(image.shape[:2])))
    large = np.broadcast_to(image, (*image.shape[:2], 3)).repeat(times, 0).repeat(times, 1)
    size = (large.shape[1], large.shape[0])
    smooth = np.clip(cv2.resize(heat, size, interpolation=cv2.INTER_CUBIC), 0, None)
    if smooth.max() > 0:
        smooth = smooth / smooth.max()
    painted = colormaps[_COLOURS](smooth)[..., :3] * 255
    part = (_OPACITY * np.sqrt(smooth))[..., None]
    blended: Image = (large * (1 - part) + painted * part).round().astype(np.uint8)
    return blended


def _percent(probability: float) -> str:
    return f"{probability:.0%}" if probability >= 0.01 else "< 1%"
