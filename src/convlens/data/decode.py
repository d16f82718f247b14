"""The one way in which a file becomes pixels: training, evaluation, prediction and server call it.

JPEGs, grey or colour, are decoded by OpenCV at the smallest DCT scale that still has the pixels
needed; everything else by Pillow, whose answer for odd kinds of pixel is the reference. Both are
resized by `convlens.data.resize`.
"""

from io import BytesIO
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.data.headers import (
    LIMITS,
    ImageLimits,
    UnreadableImageError,
    check_bytes,
    format_of,
    jpeg_header,
    open_with_pillow,
    opened,
    orientation_of,
)
from convlens.data.jpeg import BrokenJpegError, JpegHeader, check_complete
from convlens.data.resize import Pixels8, Plan, Size, Window, kept_shape, plan, resample

BACKGROUND = (255, 255, 255)
_SCALES = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: cv2.IMREAD_COLOR,
}
_GREY_SCALES = {
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    1: cv2.IMREAD_GRAYSCALE,
}
_NO_RANGE = "its pixels are 32-bit numbers of unknown range; convert it to 8 or 16 bits"
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
_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode(
    source: str | Path | bytes | NDArray[np.uint8],
    spec: InputSpec,
    *,
    margin: float = 0.0,
    limits: ImageLimits = LIMITS,
) -> Pixels8:
    """Turn an image into the network's pixels: decode, EXIF orientation, resize, crop, channels.

    The same bytes give the same pixels, whoever calls. Colour goes to grey as ITU-R BT.601 weighs
    it; transparent parts are laid over white; 16 bits are scaled to 8, not clipped; of an animation
    or a document the first frame is taken.

    Args:
        source: a file, the bytes of one, or (H, W) or (H, W, C) uint8 pixels.
        spec: the size, the channels and the resize rule.
        margin: keep more than the network's input: see `convlens.data.kept_shape`.
        limits: what is refused from its header.

    Returns:
        (height, width, channels) uint8, RGB or grey; an array of this size comes back as it is.

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
            f"the network takes {spec.channels} channels, an image file has 1 or 3; "
            "pass arrays, or a network with 3 channels",
            code="wrong-channels",
        )
    if isinstance(source, bytes):
        return _finish(_decode(source, "the image", spec, margin, limits), spec)
    with opened(source, limits) as file:
        data = file.read()
    return _finish(_decode(data, str(source), spec, margin, limits), spec)


def fit(image: Pixels8, spec: InputSpec, margin: float = 0.0) -> Pixels8:
    """Bring pixels to the size of the network's input by its resize rule; channels stay.

    Args:
        image: (H, W, C).
        spec: the size and the resize rule.
        margin: as in `decode`.

    Returns:
        (height, width, C).
    """
    height, width = image.shape[:2]
    seen = plan(height, width, spec, margin)
    return _placed(resample(image, seen.scaled, seen.window), seen, kept_shape(spec, margin))


def _decode(data: bytes, name: str, spec: InputSpec, margin: float, limits: ImageLimits) -> Pixels8:
    check_bytes(len(data), name, limits)
    kind = format_of(data, name)
    if kind == "JPEG":
        try:
            jpeg = jpeg_header(data, name, limits)
            check_complete(data, jpeg.scan)
        except BrokenJpegError as error:
            raise UnreadableImageError(name, str(error)) from error
        except EOFError:
            raise UnreadableImageError(name, "it is truncated within its header") from None
        if jpeg.components in {1, 3} and jpeg.precision == 8:
            pixels = _decode_jpeg(data, jpeg, spec, margin)
            if pixels is not None:
                return pixels
    return fit(_decode_with_pillow(data, kind, name, limits), spec, margin)


def _decode_jpeg(data: bytes, jpeg: JpegHeader, spec: InputSpec, margin: float) -> Pixels8 | None:
    """Grey or RGB pixels at the network's size; None where OpenCV cannot decode the file.

    Orientation is applied to the window before and to the pixels after: both are small.
    """
    turned, flip_rows, flip_columns = _ORIENTATIONS[jpeg.orientation]
    height, width = (jpeg.width, jpeg.height) if turned else (jpeg.height, jpeg.width)
    seen = plan(height, width, spec, margin)
    scaled, window = _as_stored(seen, jpeg.orientation)
    shrink = min(jpeg.height / scaled.rows, jpeg.width / scaled.columns)
    scale = next((scale for scale in _SCALES if shrink >= scale), 1)
    image = _decode_at_scale(data, jpeg, scale)
    if image is None:
        return None
    extent = jpeg.height / scale, jpeg.width / scale
    pixels = resample(image, scaled, window, extent=extent)
    if jpeg.components == 3:
        pixels = cast("Pixels8", cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB))
    pixels = pixels.transpose(1, 0, 2) if turned else pixels
    pixels = pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    return _placed(pixels, seen, kept_shape(spec, margin))


def _decode_at_scale(data: bytes, jpeg: JpegHeader, scale: int) -> Pixels8 | None:
    grey = jpeg.components == 1
    flag = (_GREY_SCALES if grey else _SCALES)[scale] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        return None
    if image is None or image.shape[:2] != (-(-jpeg.height // scale), -(-jpeg.width // scale)):
        return None
    return cast("Pixels8", image.reshape(*image.shape[:2], 1 if grey else 3))


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


def _decode_with_pillow(data: bytes, kind: str, name: str, limits: ImageLimits) -> Pixels8:
    with open_with_pillow(BytesIO(data), kind, name, limits) as image:
        try:
            image.load()
            pixels = _to_bytes(_upright(image, kind))
        except Exception as error:
            raise UnreadableImageError(name, f"its {kind} data is damaged ({error})") from error
    if pixels is None:
        raise UnreadableImageError(name, _NO_RANGE)
    return pixels


def _upright(image: ImageFile, kind: str) -> Image.Image:
    how = (
        None if kind == "TIFF" else _TRANSPOSES.get(orientation_of(image))
    )  # TIFF: turned as loaded
    return image if how is None else image.transpose(how)


def _to_bytes(image: Image.Image) -> Pixels8 | None:
    """(H, W, 1) or (H, W, 3); None for 32-bit pixels, whose white is anyone's guess."""
    if image.mode.startswith("I;16"):
        return _from_16_bits(np.asarray(image), image.info.get("transparency"))[..., None]
    if image.mode in {"I", "F"}:
        return None
    if image.has_transparency_data:
        colours = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        image = Image.alpha_composite(background, colours)
    mode = "L" if image.mode in {"1", "L"} else "RGB"
    pixels = np.asarray(image.convert(mode))
    return pixels.reshape(*pixels.shape[:2], -1)


def _from_16_bits(values: NDArray[np.uint16], transparent: object) -> Pixels8:
    scaled = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    if isinstance(transparent, int):
        scaled[values == transparent] = BACKGROUND[0]
    return scaled


def _checked(pixels: NDArray[Any]) -> Pixels8:
    if pixels.dtype != np.uint8 or pixels.ndim not in {2, 3} or not pixels.size:
        raise ConvlensError(
            f"the image is an array of {pixels.dtype} and shape {pixels.shape}; "
            "expected uint8, height x width or height x width x channels",
            code="bad-array",
        )
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _placed(pixels: Pixels8, seen: Plan, kept: tuple[int, int]) -> Pixels8:
    if pixels.shape[:2] == kept:
        return np.ascontiguousarray(pixels)
    placed = np.zeros((*kept, pixels.shape[2]), np.uint8)
    row, column = seen.corner
    placed[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels
    return placed


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
        f"the image has {channels} channels, the network takes {spec.channels}; "
        "1 and 3 are converted into each other, any other number must be equal",
        code="wrong-channels",
    )
