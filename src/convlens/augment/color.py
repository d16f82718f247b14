"""Color in one pass: brightness, contrast, saturation, hue and gray as one matrix an image.

All of them are linear in the channels, so an image's five parameters make one C×(C + 1) matrix,
and the values are clipped once, at the end. Hue turns the chroma plane of YIQ at constant luma, as
video equipment does; a turn in HSV is not linear and changes how bright a color looks.
"""

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convlens.augment.parameters import Draws, Reals
from convlens.augment.warp import as_arrays, as_pixels, each_image, from_unit, on_cpu, to_unit
from convlens.core.errors import ConvlensError

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's mode "L"
YIQ = np.array([LUMA, [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
_TO_RGB = np.linalg.inv(YIQ)


def color_matrices(draws: Draws, channels: int) -> Reals:
    """For each image the matrix that multiplies its channels; contrast's constant is apart.

    Args:
        draws: the parameters of N images.
        channels: C; hue, saturation and gray need 3 and leave 1 as it is.

    Returns:
        (N, C, C).

    Raises:
        ConvlensError: color is to change where there are neither 1 nor 3 channels.
    """
    gain = (draws.brightness * draws.contrast)[:, None, None] * np.eye(channels)
    colored = bool(draws.gray.any() or (draws.hue != 0).any() or (draws.saturation != 1).any())
    if not colored or channels == 1:
        return gain
    validate_channels(channels)
    to_gray = np.tile(LUMA, (3, 1))
    kept = np.where(draws.gray, 0.0, draws.saturation)[:, None, None]
    return np.asarray(_turned_hue(draws.hue) @ (kept * np.eye(3) + (1 - kept) * to_gray) @ gain)


def validate_channels(channels: int) -> None:
    """Refuse to change the color of images that have neither 1 nor 3 channels.

    Raises:
        ConvlensError: they do not.
    """
    if channels not in (1, 3):
        raise ConvlensError(
            f"images have {channels} channels; saturation, hue and gray are for RGB images",
            remedy="leave saturation_range, hue_range, gray and trivial out of the augmentation",
            between=": ",
            code="not-rgb",
        )


def _turned_hue(degrees: Reals) -> Reals:
    angle = np.deg2rad(degrees)
    turn = np.tile(np.eye(3), (len(angle), 1, 1))
    turn[:, 1, 1] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 2, 1] = np.sin(angle)
    turn[:, 1, 2] = -np.sin(angle)
    return np.asarray(_TO_RGB @ turn @ YIQ)


def recolor(pixels: Tensor, draws: Draws) -> Tensor:
    """Change brightness, contrast, saturation, hue and gray.

    Contrast c about the image's mean luma m: c·x + (1 - c)·m; m is that of the brightened image
    before it is clipped.

    Args:
        pixels: N×C×H×W, uint8 or float in [0, 1].
        draws: the parameters of the N images.

    Returns:
        Pixels of the same shape, dtype and device.
    """
    matrices = color_matrices(draws, pixels.shape[1])
    toward_mean = (1 - draws.contrast) * draws.brightness
    if (matrices == np.eye(pixels.shape[1])).all() and not toward_mean.any():
        return pixels
    work = _recolor_cv2 if on_cpu(pixels) else _recolor_torch
    return work(pixels, matrices, toward_mean)


def _recolor_cv2(pixels: Tensor, matrices: Reals, toward_mean: Reals) -> Tensor:
    images = as_arrays(pixels)
    channels = images.shape[3]
    done = np.empty_like(images)
    full = np.zeros((len(images), channels, channels + 1))
    full[:, :, :channels] = matrices

    def one(number: int) -> None:
        if toward_mean[number]:
            full[number, :, channels] = toward_mean[number] * _mean_luma(images[number])
        cv2.transform(images[number], full[number], dst=done[number])
        if done.dtype != np.uint8:  # OpenCV clips integers itself
            np.clip(done[number], 0, 1, out=done[number])

    each_image(done, one)
    return as_pixels(done)


def _mean_luma(image: NDArray[Any]) -> float:
    channels = image.shape[2]
    means = cv2.mean(image)[:channels] if channels <= 4 else image.mean(axis=(0, 1))
    return float(np.dot(_luma_weights(channels), means))


def _luma_weights(channels: int) -> Reals:
    return LUMA if channels == 3 else np.full(channels, 1 / channels)


def _recolor_torch(pixels: Tensor, matrices: Reals, toward_mean: Reals) -> Tensor:
    images = to_unit(pixels)
    weights = _like(images, _luma_weights(images.shape[1]))
    constant = _like(images, toward_mean) * (images.mean(dim=(2, 3)) @ weights)
    linear = _like(images, matrices)
    done = torch.einsum("nkc,nchw->nkhw", linear, images) + constant[:, None, None, None]
    return from_unit(done, pixels.dtype)


def shift_channels(pixels: Tensor, draws: Draws) -> Tensor:
    """Add one value to all channels, held within the image's own lowest and highest value.

    Args:
        pixels: N×C×H×W, uint8 or float in [0, 1].
        draws: the parameters of the N images.

    Returns:
        Pixels of the same shape, dtype and device.
    """
    if not draws.channel_shift.any():
        return pixels
    images = to_unit(pixels)
    amount = _like(images, draws.channel_shift / 255)
    low, high = images.amin(dim=(1, 2, 3)), images.amax(dim=(1, 2, 3))
    amount, low, high = (v[:, None, None, None] for v in (amount, low, high))
    return from_unit((images + amount).clamp(low, high), pixels.dtype)


def _like(images: Tensor, values: Reals) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32).to(images.device)
