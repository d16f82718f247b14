"""Decoding a JPEG with OpenCV, at the smallest DCT scale that still has the pixels needed."""

from typing import cast

import cv2
import numpy as np

from convlens.core.input_spec import InputSpec
from convlens.data.formats import jpeg_header
from convlens.data.jpeg import BrokenJpegError, JpegHeader, check_complete
from convlens.data.limits import ImageLimits, UnreadableImageError
from convlens.data.resample import Pixels8, Size, Window, resample
from convlens.data.resize import Plan, kept_shape, placed, plan

_SCALES = {  # by number of components
    1: {
        8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
        4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
        2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
        1: cv2.IMREAD_GRAYSCALE,
    },
    3: {
        8: cv2.IMREAD_REDUCED_COLOR_8,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        1: cv2.IMREAD_COLOR,
    },
}
# EXIF orientation: rows and columns change places, then top and bottom, then left and right
# (Exif 2.32, section 4.6.4, tag 0x0112).
_ORIENTATIONS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def decode_jpeg(
    data: bytes, name: str, spec: InputSpec, margin: float, limits: ImageLimits
) -> Pixels8 | None:
    """Grey or RGB pixels at the network's size.

    Orientation is applied to the window before sampling and to the pixels after: both are small.

    Args:
        data: the whole file.
        name: what errors call it.
        spec: the size and the resize rule.
        margin: as in `convlens.data.decode`.
        limits: what is refused from its header.

    Returns:
        (height, width, 1 or 3) uint8, or None for a kind of JPEG that OpenCV does not decode.

    Raises:
        UnreadableImageError: it is damaged, truncated or over a limit.
    """
    jpeg = _whole(data, name, limits)
    if jpeg.components not in _SCALES or jpeg.precision != 8:
        return None
    turned, flip_rows, flip_columns = _ORIENTATIONS[jpeg.orientation]
    height, width = (jpeg.width, jpeg.height) if turned else (jpeg.height, jpeg.width)
    seen = plan(height, width, spec, margin)
    scaled, window = _as_stored(seen, jpeg.orientation)
    shrink = min(jpeg.height / scaled.rows, jpeg.width / scaled.columns)
    scale = next((scale for scale in (8, 4, 2) if shrink >= scale), 1)
    image = _decode_at_scale(data, jpeg, scale)
    if image is None:
        return None
    extent = jpeg.height / scale, jpeg.width / scale
    pixels = resample(image, scaled, window, extent=extent)
    if jpeg.components == 3:
        pixels = cast("Pixels8", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    pixels = pixels.transpose(1, 0, 2) if turned else pixels
    pixels = pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    return placed(pixels, seen, kept_shape(spec, margin))


def _whole(data: bytes, name: str, limits: ImageLimits) -> JpegHeader:
    try:
        jpeg = jpeg_header(data, name, limits)
        check_complete(data, jpeg.scan)
    except BrokenJpegError as error:
        raise UnreadableImageError(name, str(error)) from error
    except EOFError:
        raise UnreadableImageError(name, "it is truncated within its header") from None
    return jpeg


def _decode_at_scale(data: bytes, jpeg: JpegHeader, scale: int) -> Pixels8 | None:
    flag = _SCALES[jpeg.components][scale] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        return None
    if image is None or image.shape[:2] != (-(-jpeg.height // scale), -(-jpeg.width // scale)):
        return None
    return cast("Pixels8", image.reshape(*image.shape[:2], jpeg.components))


def _as_stored(seen: Plan, orientation: int) -> tuple[Size, Window]:
    """What a plan for the upright image is for the image as it is stored."""
    turned, flip_rows, flip_columns = _ORIENTATIONS[orientation]
    scaled, (top, left, rows, columns), _ = seen
    if flip_rows:
        top = scaled.rows - top - rows
    if flip_columns:
        left = scaled.columns - left - columns
    if turned:
        return Size(*scaled[::-1]), Window(left, top, columns, rows)
    return scaled, Window(top, left, rows, columns)
