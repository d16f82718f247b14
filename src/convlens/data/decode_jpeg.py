"""Decoding a JPEG with libjpeg-turbo, at the smallest DCT scale that has the pixels needed."""

import re

import simplejpeg

from convlens.core.input_spec import InputSpec
from convlens.data.decode_demand import jpeg_memory
from convlens.data.formats import jpeg_header
from convlens.data.jpeg import JpegHeader, count_scans
from convlens.data.limits import ImageLimits, UnreadableImageError, check_memory
from convlens.data.resample import Pixels8, Size, Window, resample
from convlens.data.resize import Plan, kept_shape, placed, plan

_SCALES = 8, 4, 2, 1
_COLOURS = {1: "GRAY", 3: "RGB"}  # by number of components
_STRAY = re.compile(r"(\d+) extraneous bytes before marker")
_MOST_STRAY = 16  # bytes that some cameras leave in a picture that is whole
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
    """Gray or RGB pixels at the network's size.

    Orientation is applied to the window before sampling and to the pixels after: both are small.

    Args:
        data: the whole file.
        name: what errors call it.
        spec: the size and the resize rule.
        margin: as in `convlens.data.decode`.
        limits: what is refused from its header.

    Returns:
        (height, width, 1 or 3) uint8, or None for a kind of JPEG that is not decoded here.

    Raises:
        UnreadableImageError: it is damaged, truncated or over a limit.
    """
    try:
        jpeg = jpeg_header(data, name, limits)
    except EOFError:
        raise UnreadableImageError(name, "it is truncated within its header") from None
    if jpeg.components not in _COLOURS or jpeg.precision != 8:
        return None
    turned, flip_rows, flip_columns = _ORIENTATIONS[jpeg.orientation]
    height, width = (jpeg.width, jpeg.height) if turned else (jpeg.height, jpeg.width)
    seen = plan(height, width, spec, margin)
    scaled, window = _as_stored(seen, jpeg.orientation)
    shrink = min(jpeg.height / scaled.rows, jpeg.width / scaled.columns)
    scale = next((scale for scale in _SCALES if shrink >= scale), 1)
    scans = count_scans(data, jpeg, most=limits.scans)
    check_memory(jpeg_memory(jpeg, scans, scale=scale, file_bytes=len(data)), name, limits)
    image = _decode_at_scale(data, name, jpeg, scale)
    if image is None:
        return None
    extent = jpeg.height / scale, jpeg.width / scale
    pixels = resample(image, scaled, window, extent=extent)
    pixels = pixels.transpose(1, 0, 2) if turned else pixels
    pixels = pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
    return placed(pixels, seen, kept_shape(spec, margin))


def _decode_at_scale(data: bytes, name: str, jpeg: JpegHeader, scale: int) -> Pixels8 | None:
    """The picture in 1/scale of its size; None where it is of a kind that is not decoded here.

    What libjpeg only warns of, a picture that ends early above all, is damage.
    """
    size = Size(-(-jpeg.height // scale), -(-jpeg.width // scale))
    try:
        image = _turbo(data, jpeg, size, strict=True)
    except ValueError as error:
        warning = str(error)
        try:
            image = _turbo(data, jpeg, size, strict=False)
        except ValueError:
            return None
        stray = _STRAY.search(warning)
        if stray is None or int(stray[1]) > _MOST_STRAY:
            raise UnreadableImageError(name, _damage(warning)) from None
    return image if image.shape[:2] == size else None


def _turbo(data: bytes, jpeg: JpegHeader, size: Size, *, strict: bool) -> Pixels8:
    color = _COLOURS[jpeg.components]
    rows, columns = size if size.rows < jpeg.height or size.columns < jpeg.width else (0, 0)
    image: Pixels8 = simplejpeg.decode_jpeg(
        data, color, min_height=rows, min_width=columns, strict=strict
    )
    return image


def _damage(warning: str) -> str:
    if warning.startswith("Premature end"):
        return "it is truncated: the end-of-image marker is missing"
    return f"its coded data is damaged ({warning.removeprefix('Corrupt JPEG data: ')})"


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
