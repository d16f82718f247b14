"""Augmentation whole: of a batch on its way to the network, and of arrays on their own."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn import functional as F

from convlens.augment.color import recolor, shift_channels, validate_channels
from convlens.augment.drawing import draw
from convlens.augment.erasing import erase
from convlens.augment.geometry import compose
from convlens.augment.mixing import draw_mix, mix_pixels, mix_targets
from convlens.augment.parameters import Draws
from convlens.augment.settings import AugmentSettings, Fill
from convlens.augment.tone import retone
from convlens.augment.warp import as_arrays, as_pixels, from_unit, on_cpu, to_unit, warp
from convlens.core.batch import Batch, BatchTransform
from convlens.core.errors import ConvlensError


def apply(
    pixels: Tensor,
    draws: Draws,
    *,
    height: int,
    width: int,
    fill: Fill,
) -> Tensor:
    """Do what was drawn: one warp, then color, then tones, then rectangles.

    Args:
        pixels: N×C×H×W, uint8 or float in [0, 1]; a margin around the input is used.
        draws: the parameters of the N images.
        height: rows of the result.
        width: columns of the result.
        fill: what lies beyond the pixels.

    Returns:
        N×C×height×width, channels-last, in the dtype and on the device of ``pixels``.

    Raises:
        ConvlensError: the pixels are smaller than the result.
    """
    stored_height, stored_width = pixels.shape[2:]
    if stored_height < height or stored_width < width:
        raise ConvlensError(
            f"pixels are {stored_height}x{stored_width} and the network's input is "
            f"{height}x{width}; expected pixels of at least the input's size",
            code="pixels-too-small",
        )
    matrices = compose(
        draws, height=height, width=width, stored_height=stored_height, stored_width=stored_width
    )
    warped = warp(pixels, matrices, height=height, width=width, fill=fill)
    return erase(retone(recolor(shift_channels(warped, draws), draws), draws), draws)


def make_transform(
    settings: AugmentSettings, *, seed: int, classes: int, height: int, width: int
) -> BatchTransform:
    """What training is handed: a batch (with a margin or without) to one ready for the network.

    Args:
        settings: what may happen to an image.
        seed: the run's seed.
        classes: K, for the targets that MixUp and CutMix make.
        height: rows of the network's input.
        width: columns of the network's input.

    Returns:
        A function from batch to batch. Pixels keep dtype and device and have the input's size;
        targets become (N, K) float where images are mixed, else they stay as they are. It raises
        a ConvlensError for pixels smaller than the input, and where color is to change but there
        are neither 1 nor 3 channels.
    """
    return partial(
        _augment_batch, settings=settings, seed=seed, classes=classes, height=height, width=width
    )


def _augment_batch(
    batch: Batch, *, settings: AugmentSettings, seed: int, classes: int, height: int, width: int
) -> Batch:
    if settings.colors:
        validate_channels(batch.pixels.shape[1])
    counters = batch.counters
    draws = draw(
        settings, seed=seed, epoch=batch.epoch, indices=counters, height=height, width=width
    )
    pixels = apply(batch.pixels, draws, height=height, width=width, fill=settings.fill)
    sides = settings.side(height, batch.epoch), settings.side(width, batch.epoch)
    if not settings.mixes:
        return replace(batch, pixels=shrink(pixels, *sides))
    mix = draw_mix(
        settings, seed=seed, epoch=batch.epoch, indices=counters, height=height, width=width
    )
    targets = mix_targets(batch.targets, mix, classes)
    return replace(batch, pixels=shrink(mix_pixels(pixels, mix), *sides), targets=targets)


def shrink(pixels: Tensor, height: int, width: int) -> Tensor:
    """Smaller images, antialiased; the same ones where they have that size.

    Args:
        pixels: N×C×H×W, uint8 or float in [0, 1].
        height: rows of the result, at most H.
        width: columns of the result, at most W.

    Returns:
        N×C×height×width, channels-last, in the same dtype.
    """
    if pixels.shape[2:] == (height, width):
        return pixels
    if on_cpu(pixels):
        smaller = F.interpolate(pixels, size=(height, width), mode="bilinear", antialias=True)
        return smaller.contiguous(memory_format=torch.channels_last)
    # Elsewhere torch filters neither whole numbers nor, on every device, half precision.
    smaller = F.interpolate(to_unit(pixels), size=(height, width), mode="bilinear", antialias=True)
    return from_unit(smaller, pixels.dtype)


def augment(
    arrays: NDArray[Any],
    settings: AugmentSettings,
    *,
    seed: int = 0,
    epoch: int = 0,
    indices: ArrayLike | None = None,
) -> NDArray[Any]:
    """Augment images in memory; MixUp and CutMix, which need targets, are left out.

    Args:
        arrays: N×H×W×C or N×H×W, uint8 or float in [0, 1].
        settings: what may happen to an image.
        seed: another seed gives other draws.
        epoch: so does another epoch.
        indices: (N,) which samples these are; 0 to N - 1 unless said.

    Returns:
        Arrays of the same shape and dtype.

    Raises:
        ConvlensError: the arrays are not images, or have no color to change.

    Example:
        >>> images = np.random.default_rng(0).random((1, 150, 150, 3))
        >>> turned = AugmentSettings(rotation_range=30, zoom_range=0.2, horizontal_flip=True)
        >>> nine = [augment(images, turned, epoch=epoch) for epoch in range(9)]
        >>> nine[0].shape
        (1, 150, 150, 3)
    """
    arrays = np.asarray(arrays)
    _refuse_other_than_images(arrays)
    numbers = np.arange(len(arrays)) if indices is None else np.asarray(indices)
    if numbers.shape != (len(arrays),):
        raise ConvlensError(
            f"{len(arrays)} images and indices of shape {numbers.shape}; give one index an image",
            code="bad-indices",
        )
    height, width = arrays.shape[1:3]
    images = arrays.reshape(len(arrays), height, width, -1)
    if settings.colors:
        validate_channels(images.shape[3])
    computed = images if images.dtype == np.uint8 else images.astype(np.float32)
    draws = draw(settings, seed=seed, epoch=epoch, indices=numbers, height=height, width=width)
    done = apply(
        as_pixels(np.require(computed, requirements=["C", "W"])),
        draws,
        height=height,
        width=width,
        fill=settings.fill,
    )
    result = as_arrays(done).reshape(arrays.shape).astype(arrays.dtype, copy=False)
    return result.copy() if np.shares_memory(result, arrays) else result


def _refuse_other_than_images(arrays: NDArray[Any]) -> None:
    if arrays.ndim not in (3, 4) or 0 in arrays.shape:
        raise ConvlensError(
            f"arrays have shape {arrays.shape}; expected N×H×W×C or N×H×W with no empty side "
            "(one image: image[None])",
            code="not-images",
        )
    if arrays.dtype == np.uint8:
        return
    if not np.issubdtype(arrays.dtype, np.floating):
        raise ConvlensError(
            f"arrays are {arrays.dtype}; expected uint8, or float in [0, 1]",
            code="not-images",
        )
    low, high = float(arrays.min()), float(arrays.max())
    if not 0 <= low <= high <= 1:  # not a number is out of range as well
        raise ConvlensError(
            f"float pixels reach from {low:g} to {high:g}; expected [0, 1]: divide by 255, or pass "
            "uint8",
            code="not-images",
        )
