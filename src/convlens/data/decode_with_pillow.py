"""Decoding with Pillow, whose answer for odd kinds of pixel is the reference."""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from convlens.data.formats import open_with_pillow, orientation_of
from convlens.data.limits import ImageLimits, UnreadableImageError, naming_damage
from convlens.data.resample import Pixels8
from convlens.data.wide_values import has_wide_colors, over_white, wide_colors

BACKGROUND = (255, 255, 255)
_STRIP = 1 << 22  # pixels that are converted at once
_NO_RANGE = "its pixels are 32-bit numbers of unknown range; convert it to 8 or 16 bits"
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_with_pillow(
    data: bytes, kind: str, name: str, limits: ImageLimits, *, value_bits: int = 16
) -> Pixels8:
    """Gray or RGB pixels at the size of the upright image.

    Args:
        data: the whole file.
        kind: as `format_of` names it.
        name: what errors call the file.
        limits: what is refused from its header.
        value_bits: bits that 16-bit images use: see `convlens.core.input_spec.InputSpec`.

    Returns:
        (H, W, 1 or 3) uint8.

    Raises:
        UnreadableImageError: it is damaged, truncated or over a limit, or has 32-bit pixels.
    """
    opened = open_with_pillow(BytesIO(data), kind, name, limits, file_bytes=len(data))
    with opened as image, naming_damage(name, f"{kind} data"):
        if value_bits < 16 and has_wide_colors(image):
            colors = Image.fromarray(_to_8_bits(over_white(wide_colors(data)), value_bits))
            return np.asarray(_upright_as(colors, orientation_of(image)))
        image.load()
        pixels = _to_bytes(_upright(image, kind), kind, value_bits)
    if pixels is None:
        raise UnreadableImageError(name, _NO_RANGE)
    return pixels


def _upright(image: ImageFile, kind: str) -> Image.Image:
    return image if kind == "TIFF" else _upright_as(image, orientation_of(image))


def _upright_as(image: Image.Image, orientation: int) -> Image.Image:
    how = _TRANSPOSES.get(orientation)  # a TIFF is turned as Pillow loads it
    return image if how is None else image.transpose(how)


def _to_bytes(image: Image.Image, kind: str, value_bits: int) -> Pixels8 | None:
    """(H, W, 1) or (H, W, 3); None for 32-bit pixels, whose white is anyone's guess."""
    wide = image.mode.startswith("I;16") or (kind == "PNM" and image.mode == "I")
    if image.mode in {"I", "F"} and not wide:
        return None
    transparent = image.info.get("transparency")
    clear = image.has_transparency_data and not wide
    channels = 1 if wide or (image.mode in {"1", "L"} and not clear) else 3
    pixels = np.empty((image.height, image.width, channels), np.uint8)
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):  # a conversion holds several copies of what it is of
        whole = rows >= image.height
        box = (0, top, image.width, min(top + rows, image.height))
        strip = image if whole else image.crop(box)
        into = pixels[top : top + rows]
        if wide:
            values = np.asarray(strip)
            into[..., 0] = _to_8_bits(values, 16 if kind == "PNM" else value_bits)
            if isinstance(transparent, int):
                into[values == transparent] = BACKGROUND[0]
        else:
            into[:] = _colors(strip, clear=clear).reshape(into.shape)
    return pixels


def _colors(image: Image.Image, *, clear: bool) -> Pixels8:
    if clear:
        colors = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        return np.asarray(Image.alpha_composite(background, colors).convert("RGB"))
    return np.asarray(image.convert("L" if image.mode in {"1", "L"} else "RGB"))


def _to_8_bits(values: NDArray[Any], bits: int) -> Pixels8:
    """Scale 0 to 2^bits - 1 to 0 to 255; a PNM's values are scaled by its own header before."""
    white = (1 << bits) - 1
    clipped = np.minimum(values, white).astype(np.uint32)
    scaled: Pixels8 = ((clipped * 255 + white // 2) // white).astype(np.uint8)
    return scaled
