"""The one way in which a file becomes pixels, whoever asks: training, evaluation, a server."""

from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.data.decode_apart import How, decode_apart
from convlens.data.decode_demand import HELD_HERE, MEMORY, demand_of
from convlens.data.decode_jpeg import decode_jpeg
from convlens.data.decode_with_pillow import decode_with_pillow
from convlens.data.formats import format_of
from convlens.data.limits import (
    LIMITS,
    ImageLimits,
    TooLargeError,
    check_bytes,
    naming_damage,
    opened,
)
from convlens.data.resample import Pixels8
from convlens.data.resize import fit

_WIDE_COLORS = {b"\x10\2", b"\x10\4", b"\x10\6"}  # 16 bits of RGB, gray and alpha, RGBA
DECODE_VERSION = 2  # raise it with any change to a pixel that a file gives: caches are keyed by it


def decode(
    source: str | Path | bytes | NDArray[np.uint8],
    spec: InputSpec,
    *,
    margin: float = 0.0,
    limits: ImageLimits = LIMITS,
) -> Pixels8:
    """Turn an image into the network's pixels: decode, EXIF orientation, resize, crop, channels.

    The same bytes give the same pixels, whoever calls. Color goes to gray as ITU-R BT.601 weighs
    it; transparent parts are laid over white; 16 bits are scaled to 8, not clipped; of an animation
    or a document the first frame is taken.

    Args:
        source: a file, the bytes of one, or (H, W) or (H, W, C) uint8 pixels.
        spec: the size, the channels and the resize rule.
        margin: keep more than the network's input: see `convlens.data.kept_shape`.
        limits: what is refused from its header.

    Returns:
        (height, width, channels) uint8, RGB or gray; an array of this size comes back as it is.

    Raises:
        UnreadableImageError: the file is missing, damaged, truncated, over a limit or no image.
        ConvlensError: an array has another number of channels than the network, or is not uint8.

    Example:
        >>> decode(np.zeros((300, 400, 3), np.uint8), InputSpec(height=224, width=224)).shape
        (224, 224, 3)
    """
    if isinstance(source, np.ndarray):
        return _finish(fit(_checked(source), spec, margin), spec)
    if spec.channels not in {1, 3}:
        raise ConvlensError(
            f"the network takes {spec.channels} channels, an image file has 1 or 3",
            remedy="pass arrays, or a network with 3 channels",
            code="wrong-channels",
        )
    if isinstance(source, bytes):
        return _finish(_decode(source, "the image", spec, margin, limits), spec)
    with opened(source, limits) as file:
        data = file.read()
    return _finish(_decode(data, str(source), spec, margin, limits), spec)


def _decode(data: bytes, name: str, spec: InputSpec, margin: float, limits: ImageLimits) -> Pixels8:
    check_bytes(len(data), name, limits)
    kind = format_of(data, name)
    demand = demand_of(data, kind, name, limits)
    with MEMORY.held(demand.memory, limits.memory):
        how = How(kind, name, spec, margin, limits)
        if not (demand.apart or _is_left_to_opencv(data, how)):
            small = limits.model_copy(update={"memory": min(HELD_HERE, limits.memory)})
            try:
                return decode_here(data, how._replace(limits=small))
            except TooLargeError:  # a frame may be larger than the canvas that the header states
                if limits.memory <= HELD_HERE:
                    raise
        pixels = decode_apart(data, how)
        return decode_here(data, how) if pixels is None else pixels


def _is_left_to_opencv(data: bytes, how: How) -> bool:
    """Whether 16 bits a color are to be scaled: of damage in them OpenCV writes to the terminal."""
    if how.spec.value_bits == 16:
        return False
    return how.kind == "TIFF" or (how.kind == "PNG" and data[24:26] in _WIDE_COLORS)


def decode_here(data: bytes, how: How) -> Pixels8:
    """Decode an image file in this process, whatever it takes.

    Args:
        data: the whole file.
        how: what it is, and what it is to become.

    Raises:
        UnreadableImageError: it is damaged, truncated or over a limit.
    """
    kind, name, spec, margin, limits = how
    with naming_damage(name, f"{kind} data"):
        pixels = decode_jpeg(data, name, spec, margin, limits) if kind == "JPEG" else None
        if pixels is None:
            whole = decode_with_pillow(data, kind, name, limits, value_bits=spec.value_bits)
            pixels = fit(whole, spec, margin)
    return pixels


def _checked(pixels: NDArray[Any]) -> Pixels8:
    if pixels.dtype != np.uint8 or pixels.ndim not in {2, 3} or not pixels.size:
        raise ConvlensError(
            f"the image is an array of {pixels.dtype} and shape {pixels.shape}; "
            "expected uint8, height x width or height x width x channels",
            code="bad-array",
        )
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _finish(pixels: Pixels8, spec: InputSpec) -> Pixels8:
    """Give the pixels the network's channels."""
    channels = pixels.shape[2]
    if channels == spec.channels:
        return pixels
    if (channels, spec.channels) == (1, 3):
        return np.repeat(pixels, 3, axis=2)
    if (channels, spec.channels) == (3, 1):
        return cast("Pixels8", cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None])
    raise ConvlensError(
        f"the image has {channels} channels, the network takes {spec.channels}; 1 and 3 are "
        "converted into each other, any other number must be equal",
        remedy=f"pass images with {spec.channels} channels, or a network for {channels}",
        code="wrong-channels",
    )
