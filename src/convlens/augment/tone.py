"""Operations on 8-bit tones and on sharpness: what TrivialAugment takes from Pillow's ``ImageOps``.

They are defined on 8 bits, so float pixels are rounded to them first. Few images of a batch have
any, so each is done on those alone, with torch, on the batch's device.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from convlens.augment.parameters import Draws, Flags, Reals, Whole


def retone(pixels: Tensor, draws: Draws) -> Tensor:
    """Autocontrast, equalize, solarize, posterize and sharpen the images whose draws say so.

    Args:
        pixels: N×C×H×W, uint8 or float in [0, 1].
        draws: the parameters of the N images.

    Returns:
        Pixels of the same shape, dtype and device.
    """
    steps: tuple[tuple[Flags, Callable[[Tensor, Tensor], Tensor], Reals | Whole | Flags], ...] = (
        (draws.autocontrast, _autocontrast, draws.autocontrast),
        (draws.equalize, _equalize, draws.equalize),
        (draws.solarize < 256, _solarize, draws.solarize),
        (draws.posterize < 8, _posterize, draws.posterize),
        (draws.sharpness != 1, _sharpen, draws.sharpness),
    )
    done = pixels
    for chosen, operation, amounts in steps:
        if chosen.any():
            if done is pixels:
                done = pixels.clone()
            which = torch.from_numpy(np.flatnonzero(chosen)).to(pixels.device)
            amount = torch.as_tensor(amounts[chosen], dtype=torch.float32, device=pixels.device)
            levels = operation(_to_levels(done[which]), amount.view(-1, 1, 1, 1))
            done[which] = _from_levels(levels, pixels.dtype)
    return done


def _to_levels(pixels: Tensor) -> Tensor:
    if pixels.dtype == torch.uint8:
        return pixels.long()
    return (pixels.float() * 255).round().long()


def _from_levels(levels: Tensor, dtype: torch.dtype) -> Tensor:
    return levels.to(dtype) if dtype == torch.uint8 else (levels / 255).to(dtype)


def _autocontrast(levels: Tensor, _: Tensor) -> Tensor:
    low = levels.amin(dim=(2, 3), keepdim=True)
    high = levels.amax(dim=(2, 3), keepdim=True)
    stretched = (levels - low) * 255 // (high - low).clamp(min=1)
    return torch.where(high > low, stretched, levels)


def _equalize(levels: Tensor, _: Tensor) -> Tensor:
    n, channels, height, width = levels.shape
    flat = levels.reshape(n * channels, height * width)
    counts = torch.zeros(n * channels, 256, dtype=torch.long, device=levels.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat))
    brightest = counts.gather(1, flat.amax(dim=1, keepdim=True))
    step = (height * width - brightest) // 255
    below = counts.cumsum(dim=1) - counts
    table = ((below + step // 2) // step.clamp(min=1)).clamp(max=255)
    table = torch.where(step > 0, table, torch.arange(256, device=levels.device))
    return table.gather(1, flat).view_as(levels)


def _solarize(levels: Tensor, threshold: Tensor) -> Tensor:
    return torch.where(levels < threshold, levels, 255 - levels)


def _posterize(levels: Tensor, bits: Tensor) -> Tensor:
    step = 2 ** (8 - bits.long())
    return levels // step * step


def _sharpen(levels: Tensor, factor: Tensor) -> Tensor:
    """Pillow's: away from, or toward, a 3×3 smoothing that leaves the outermost pixels alone."""
    images = levels.float()
    if min(images.shape[2:]) < 3:
        return levels
    channels = images.shape[1]
    kernel = torch.ones(channels, 1, 3, 3, device=images.device)
    kernel[:, :, 1, 1] = 5
    smooth = images.clone()
    smooth[:, :, 1:-1, 1:-1] = F.conv2d(images, kernel / 13, groups=channels)
    return (smooth + (images - smooth) * factor).round().clamp(0, 255).long()
