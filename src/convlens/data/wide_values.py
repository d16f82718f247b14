"""Images of 16 bits a sample, and how many of the bits are in use.

Cameras and scanners of 10, 12 or 14 bits write 16-bit files whose white is a small part of the
range. Scaled by the whole range they are nearly black, and scaled one by one they lose how bright
they are beside each other. So one scale is found for all images of a source.
"""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL.ImageFile import ImageFile

from convlens.core.cores import usable_cores
from convlens.data.formats import bit_depth_of, format_of, open_with_pillow
from convlens.data.limits import LIMITS, UnreadableImageError, naming_damage
from convlens.data.thread_map import ordered_map

_BITS = (8, 10, 12, 14, 16)
_LOOKED_AT = 500
_LARGEST = 16_000_000  # pixels of an image that is looked at: each is decoded for its values


class ValueRange(NamedTuple):
    """What 16-bit images hold.

    Attributes:
        bits: the smallest of 8, 10, 12, 14 and 16 in which every value looked at fits.
        largest: the largest value.
        images: how many images were looked at.
    """

    bits: int
    largest: int
    images: int


def value_range(paths: Sequence[str]) -> ValueRange | None:
    """The range that 16-bit images use; None where none of those looked at has 16 bits.

    Args:
        paths: image files, of which at most 500 are looked at.
    """
    chosen = paths[:: max(1, -(-len(paths) // _LOOKED_AT))]
    threads = usable_cores()
    with closing(ordered_map(_largest, chosen, threads=threads, ahead=2 * threads)) as found:
        values = [value for value in found if value is not None]
    if not values:
        return None
    largest = max(values)
    return ValueRange(next(b for b in _BITS if largest < 1 << b), largest, len(values))


def has_wide_colors(image: ImageFile) -> bool:
    """Whether an image has 16 bits in each of its colors, of which Pillow drops eight."""
    return image.mode in {"RGB", "RGBA", "LA"} and bit_depth_of(image) == 16


def wide_colors(data: bytes) -> NDArray[np.uint16]:
    """(H, W, 3 or 4) RGB of an image with 16 bits a color, not turned.

    Raises:
        ValueError: it is damaged.
    """
    pixels: Any = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16 or pixels.ndim != 3:
        raise ValueError("its 16-bit colors cannot be decoded")
    order = [2, 1, 0, 3][: pixels.shape[2]]
    colors: NDArray[np.uint16] = pixels[..., order]
    return colors


def over_white(colors: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """(H, W, 3): transparent parts laid over the largest value, which is white."""
    if colors.shape[2] == 3:
        return colors
    alpha = colors[..., 3:].astype(np.float32) / 65535
    return np.rint(colors[..., :3] * alpha + 65535 * (1 - alpha)).astype(np.uint16)


def _largest(path: str) -> int | None:
    """The largest value of a 16-bit image; None for any other, or one that cannot be read."""
    try:
        with Path(path).open("rb") as file:
            kind = format_of(file.read(64), path)
            if kind not in {"PNG", "TIFF"}:
                return None
            file.seek(0)
            with (
                naming_damage(path, kind),
                open_with_pillow(file, kind, path, LIMITS, file_bytes=0) as image,
            ):
                if bit_depth_of(image) != 16 or image.width * image.height > _LARGEST:
                    return None
                if has_wide_colors(image):
                    return int(wide_colors(Path(path).read_bytes())[..., :3].max())
                return int(np.asarray(image).max()) if image.mode.startswith("I;16") else None
    except (OSError, UnreadableImageError):
        return None
