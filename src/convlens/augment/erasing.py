"""Rectangles that disappear: cutout (a gray square) and random erasing (noise)."""

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from convlens.augment.parameters import Draws, Whole
from convlens.core.rng import bits

_GREY = 0.5
_TILE_SEED = 1708_04896  # any fixed number: what differs between images is the place in the tile


def erase(pixels: Tensor, draws: Draws) -> Tensor:
    """Cut the gray squares out, and fill the rectangles with noise.

    Args:
        pixels: N×C×H×W, uint8 or float in [0, 1].
        draws: the parameters of the N images.

    Returns:
        Pixels of the same shape, dtype and device.
    """
    cut, erased = (np.flatnonzero(boxes[:, 2]) for boxes in (draws.cutout, draws.erase))
    if not (len(cut) or len(erased)):
        return pixels
    done = pixels.clone()
    for number in cut:
        _window(done[number], draws.cutout[number]).fill_(_in(done.dtype, _GREY))
    if len(erased):
        noise = _noise(done)
        height, width = done.shape[2:]
        for number in erased:
            left, top = (draws.noise[number] * [width, height]).astype(int)
            window = _window(done[number], draws.erase[number])
            rows, columns = window.shape[1:]
            window.copy_(noise[:, top : top + rows, left : left + columns])
    return done


def _window(image: Tensor, box: Whole) -> Tensor:
    """The part of a C×H×W image that a box covers, where it may hang over the edges."""
    left, top, width, height = box.tolist()
    return image[:, max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]


def _in(dtype: torch.dtype, value: float) -> float:
    return round(value * 255) if dtype == torch.uint8 else value


def _noise(pixels: Tensor) -> Tensor:
    """C×2H×2W of noise like these pixels: wide enough for any window from any place in it."""
    channels, height, width = pixels.shape[1:]
    tile = _tile(2 * height, 2 * width, channels, pixels.device)
    return tile if pixels.dtype == torch.uint8 else (tile / 255).to(pixels.dtype)


@lru_cache(maxsize=4)
def _tile(height: int, width: int, channels: int, device: torch.device) -> Tensor:
    count = np.arange(height * width * channels)
    values = (bits(_TILE_SEED, 0, count, 0) >> np.uint64(56)).astype(np.uint8)
    tile = torch.from_numpy(values.reshape(height, width, channels)).to(device)
    return tile.permute(2, 0, 1)
