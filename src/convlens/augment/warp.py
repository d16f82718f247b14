"""One interpolation: N images through N affine matrices, on the processor or on the batch's device.

On the processor OpenCV warps each image, in as many threads as torch has. On any other device, and
for half precision, torch's ``grid_sample`` warps the batch. Both interpolate bilinearly, and with
OpenCV 5 they agree within one level of 255. OpenCV 4, and OpenCV 5 where there are neither 1, 3
nor 4 channels, read at the nearest 1/32 of a pixel: there they differ by 0.3 levels on average and
by up to 8 on the sharpest edges.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from convlens.augment.settings import Fill

_CV2_BORDERS = MappingProxyType(
    {
        "nearest": cv2.BORDER_REPLICATE,
        "constant": cv2.BORDER_CONSTANT,
        "reflect": cv2.BORDER_REFLECT,
        "wrap": cv2.BORDER_WRAP,
    }
)
_TORCH_BORDERS = MappingProxyType(
    {"nearest": "border", "constant": "zeros", "reflect": "reflection", "wrap": "zeros"}
)
_VALUES_A_THREAD = 1 << 18
_WORTH_A_DETOUR = 96 * 96


def warp(
    pixels: Tensor,
    matrices: NDArray[np.float64],
    *,
    height: int,
    width: int,
    fill: Fill,
) -> Tensor:
    """Read every pixel of the result where its image's matrix says.

    Args:
        pixels: N×C×H×W, uint8 or float in [0, 1].
        matrices: (N, 2, 3), from the result's (x, y, 1) to the stored (x, y).
        height: rows of the result.
        width: columns of the result.
        fill: what lies beyond the stored pixels.

    Returns:
        N×C×height×width, channels-last, in the dtype and on the device of ``pixels``.
    """
    still = pixels.shape[2:] == (height, width) and (matrices == np.eye(2, 3)).all()
    if still:
        return pixels
    if on_cpu(pixels):
        return _warp_cv2(pixels, matrices, (height, width), fill)
    return _warp_torch(pixels, matrices, (height, width), fill)


def on_cpu(pixels: Tensor) -> bool:
    """Whether OpenCV can work on these pixels where they lie."""
    return pixels.device.type == "cpu" and pixels.dtype in (torch.uint8, torch.float32)


def as_arrays(pixels: Tensor) -> NDArray[Any]:
    """N×C×H×W to N×H×W×C: a view where the memory is channels-last."""
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())


def as_pixels(arrays: NDArray[Any]) -> Tensor:
    """N×H×W×C to N×C×H×W in channels-last memory: a view."""
    return torch.from_numpy(arrays).permute(0, 3, 1, 2)


def each_image(images: NDArray[Any], work: Callable[[int], None]) -> None:
    """Do some work for each number of an image, in threads where there is enough of it."""
    workers = min(torch.get_num_threads(), len(images), images.size // _VALUES_A_THREAD)
    if workers < 2:
        for number in range(len(images)):
            work(number)
        return

    def share(first: int) -> None:
        for number in range(first, len(images), workers):
            work(number)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(share, range(workers)))


def _warp_cv2(
    pixels: Tensor, matrices: NDArray[np.float64], size: tuple[int, int], fill: Fill
) -> Tensor:
    images = as_arrays(pixels)
    warped = np.empty((len(images), *size, images.shape[3]), images.dtype)
    value = fill.value * 255 if images.dtype == np.uint8 else fill.value

    # OpenCV reads four channels twice as fast as three: for large images a detour is worth it.
    detour = images.shape[3] == 3 and size[0] * size[1] >= _WORTH_A_DETOUR

    def one(number: int) -> None:
        image, into = images[number], warped[number]
        done = cv2.warpAffine(
            cv2.cvtColor(image, cv2.COLOR_RGB2RGBA) if detour else image,
            matrices[number],
            size[::-1],
            dst=None if detour else into,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=_CV2_BORDERS[fill.mode],
            borderValue=(value,) * 4,
        )
        if detour:
            cv2.cvtColor(done, cv2.COLOR_RGBA2RGB, dst=into)

    each_image(warped, one)
    return as_pixels(warped)


def _warp_torch(
    pixels: Tensor, matrices: NDArray[np.float64], size: tuple[int, int], fill: Fill
) -> Tensor:
    images = to_unit(pixels)
    sides = torch.tensor([images.shape[3], images.shape[2]], device=images.device)
    places = _places(torch.as_tensor(matrices, dtype=torch.float32).to(images.device), *size)
    if fill.mode == "wrap":
        places = places.remainder(sides)
        images, sides = F.pad(images, (0, 1, 0, 1), mode="circular"), sides + 1
    background = fill.value if fill.mode == "constant" else 0.0
    warped = F.grid_sample(
        images - background if background else images,
        (2 * places + 1) / sides - 1,
        padding_mode=_TORCH_BORDERS[fill.mode],
        align_corners=False,
    )
    return from_unit(warped + background if background else warped, pixels.dtype)


def _places(matrices: Tensor, height: int, width: int) -> Tensor:
    """(N, H, W, 2): where each pixel of the result is read, in stored pixels."""
    y, x = torch.meshgrid(
        torch.arange(height, device=matrices.device, dtype=torch.float32),
        torch.arange(width, device=matrices.device, dtype=torch.float32),
        indexing="ij",
    )
    here = torch.stack([x, y], dim=-1).view(1, height * width, 2)
    there = here @ matrices[:, :, :2].mT + matrices[:, None, :, 2]
    return there.view(-1, height, width, 2)


def to_unit(pixels: Tensor) -> Tensor:
    """Any pixels to float32 in [0, 1]."""
    return pixels.float() / 255 if pixels.dtype == torch.uint8 else pixels.float()


def from_unit(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Float32 values to pixels of a dtype, in channels-last memory, clipped to [0, 1]."""
    clipped = values.clamp(0, 1)
    if dtype == torch.uint8:
        clipped = (clipped * 255).round()
    return clipped.to(dtype, memory_format=torch.channels_last)
