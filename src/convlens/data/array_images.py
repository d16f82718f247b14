"""Arrays of pixels from Python: which axis is which, and what its numbers mean."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.data.resample import Pixels8

_CHUNK = 1024
_SMALLEST = 8  # pixels: no image is 3 wide and so many high, and no other axis is of channels
_LONGEST = 16  # times as long as wide: flattened images rather than one image
_ROUNDING = 0.5 / 255  # floats so far outside [0, 1] give the same byte as 0 or 1
_OVERSHOOT = 1.5  # floats up to here were 0 to 1 before something interpolated or brightened them


@dataclass(frozen=True)
class Converted:
    """Images as bytes.

    Attributes:
        pixels: N×H×W×C uint8.
        notes: what was done.
        axis_added: whether they came without a channel axis.
    """

    pixels: Pixels8
    notes: tuple[str, ...] = ()
    axis_added: bool = False


def as_array(values: Any, name: str) -> NDArray[Any]:
    """A NumPy array of what is passed: an array, a tensor of any device, nested lists.

    Raises:
        ConvlensError: it is none, or some of its values are masked.
    """
    if isinstance(values, np.ma.MaskedArray):
        _refuse_masked(values, name)
        return np.asarray(values.data)
    if type(values).__module__.partition(".")[0] == "torch":
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values.resolve_conj()
    try:
        array = np.asarray(values)
        is_written_out = array.dtype == object and array.ndim > 1
        return np.asarray(array.tolist()) if is_written_out else array
    except (ValueError, TypeError, RuntimeError) as error:
        raise bad_arrays(
            f"{name} is not an array ({error})", "a NumPy array, every image of one size"
        ) from error


def convert_batch(array: NDArray[Any], name: str, *, count: int | None = None) -> Converted:
    """Make a batch of images N×H×W×C uint8.

    Args:
        array: N×H×W×C, N×C×H×W or N×H×W, with 1 or 3 channels; of any type that `to_bytes` takes.
        name: what to call it in messages.
        count: how many images there are, where that is known otherwise.

    Raises:
        ConvlensError: it is one image, or not images, or could be read in two ways.
    """
    if array.ndim == 3 and _channels_last(array.shape):
        raise bad_arrays(
            f"{name} has shape {shape_of(array)}, which looks like one image",
            f"a batch of images, even of one: pass {name}[None]",
        )
    if array.ndim == 3:
        _refuse_ambiguous(array, name, count)
    return _convert(array, name)


def convert_images(array: NDArray[Any], name: str, *, flat: int | None = None) -> Converted:
    """Make one image, or a batch of them, N×H×W×C uint8.

    Args:
        array: as for `convert_batch`; or H×W, or H×W×C.
        name: what to call it in messages.
        flat: how many values an image has that was flattened; None where that is not known.

    Raises:
        ConvlensError: it is not images, or could be read in two ways.
    """
    if array.ndim == 2:
        _refuse_flattened(array, name, flat)
        return _convert(array[None], name)
    if array.ndim == 3 and _channels_last(array.shape):
        return _convert(array[None], name)
    if array.ndim == 3:
        _refuse_ambiguous(array, name, None)
    return _convert(array, name)


def convert_one(array: NDArray[Any], name: str) -> Converted:
    """Make one image 1×H×W×C uint8.

    Args:
        array: H×W, H×W×C or C×H×W: known to be one image.
        name: what to call it in messages.

    Raises:
        ConvlensError: it is not an image.
    """
    if array.ndim not in {2, 3}:
        raise bad_arrays(
            f"{name} has shape {shape_of(array)}",
            "an image in a list has the shape height x width, or height x width x channels",
        )
    if array.ndim == 3 and array.shape[2] not in {1, 3, 4} and array.shape[0] not in {1, 3, 4}:
        raise bad_arrays(
            f"{name} has shape {shape_of(array)}: {array.shape[2]} channels",
            "1 (gray) or 3 (RGB) channels",
        )
    return _convert(array[None], name)


def shape_of(array: NDArray[Any]) -> str:
    """A shape as messages say it: ``40 x 32 x 32 x 3``."""
    return " x ".join(map(str, array.shape)) or "()"


def bad_arrays(found: str, expected: str) -> ConvlensError:
    """The error for arrays that cannot be used."""
    return ConvlensError(f"{found}; expected {expected}", code="bad-arrays")


def _convert(array: NDArray[Any], name: str) -> Converted:
    notes: list[str] = []
    _check_type(array, name)
    axis_added = array.ndim == 3
    if axis_added:
        height, width = array.shape[1:]
        array = array[..., None]
        notes.append(f"channel axis added: {height}x{width} -> {height}x{width}x1")
    _check_rank(array, name)
    if array.shape[3] not in {1, 3} and array.shape[1] in {1, 3}:
        before = "x".join(map(str, array.shape[1:]))
        array = array.transpose(0, 2, 3, 1)
        notes.append(f"channels moved last: {before} -> {'x'.join(map(str, array.shape[1:]))}")
    _check_channels(array, name)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
        notes.append("booleans converted to bytes: False is black, True is white")
    elif array.dtype != np.uint8:
        array = _bytes_from_floats(array, name)
        notes.append("floats in [0, 1] converted to bytes: x -> round(255 x)")
    return Converted(array, tuple(notes), axis_added)


def _channels_last(shape: tuple[int, ...]) -> bool:
    return shape[2] in {1, 3, 4} and min(shape[:2]) >= _SMALLEST


def _refuse_ambiguous(array: NDArray[Any], name: str, count: int | None) -> None:
    """Refuse C×H×W, which may be as many gray images; one of either is the same image."""
    first = array.shape[0]
    if first in {3, 4} and min(array.shape[1:]) >= _SMALLEST and count != first:
        raise bad_arrays(
            f"{name} has shape {shape_of(array)}, which may be one image with channels first, or "
            f"{first} gray images",
            f"to know which: pass {name}.transpose(1, 2, 0) for one image ({name}.permute(1, 2, 0) "
            f"for a tensor), or {name}[..., None] for {first} gray ones",
        )
    last = array.shape[2]
    if last < _SMALLEST <= min(array.shape[:2]) and count is None:
        raise bad_arrays(
            f"{name} has shape {shape_of(array)}, which may be one image of {last} channels, or "
            f"{first} gray images {last} pixels wide",
            f"1 (gray) or 3 (RGB) channels: pass {name}[..., :1] for the first channel of one "
            f"image, or {name}[..., None] for {first} gray ones",
        )


def _refuse_flattened(array: NDArray[Any], name: str, flat: int | None) -> None:
    rows, columns = array.shape
    if columns == flat or max(rows, columns) > _LONGEST * min(rows, columns):
        raise bad_arrays(
            f"{name} has shape {shape_of(array)}, which looks like flattened images",
            "height x width for one gray image, or N x height x width x channels: pass "
            f"{name}.reshape(-1, height, width, channels)",
        )


def _check_type(array: NDArray[Any], name: str) -> None:
    if array.dtype == object:
        raise bad_arrays(
            f"{name} has dtype object (images of different sizes?)",
            "uint8 or float of one shape: resize the images, or save them as files and "
            "pass the folder",
        )
    if array.dtype == np.uint8 or array.dtype.kind in "bf":
        return
    remedy = ""
    if array.dtype.kind in "iu" and array.size:
        remedy = ": " + _remedy_for_integers(int(array.min()), int(array.max()), name)
    raise bad_arrays(f"{name} has dtype {array.dtype}", f"uint8, or floats in [0, 1]{remedy}")


def _remedy_for_integers(low: int, high: int, name: str) -> str:
    if low < 0:
        return "undo the normalization; the network normalizes for itself"
    if high <= 1:
        return f"pass {name}.astype(bool) where 1 is white, or {name}.astype('uint8') where 255 is"
    if high <= 255:
        return f"pass {name}.astype('uint8') where the values are 0 to 255"
    white = 4095 if high <= 4095 else 65535
    return (
        f"its values reach {high:,}; pass ({name} / {white}).astype('float32') where {white:,} is "
        "white"
    )


def _check_rank(array: NDArray[Any], name: str) -> None:
    if array.ndim != 4:
        raise bad_arrays(
            f"{name} has shape {shape_of(array)}",
            "N x height x width x channels, or N x height x width for gray images",
        )
    if 0 in array.shape:
        raise bad_arrays(f"{name} has shape {shape_of(array)}: no images", "at least one image")


def _check_channels(array: NDArray[Any], name: str) -> None:
    channels = array.shape[3]
    if channels not in {1, 3}:
        alpha = ""
        if channels == 4:
            alpha = f": drop the alpha channel with {name}[..., :3]"
        elif array.shape[1] == 4:
            alpha = f": drop the alpha channel with {name}[:, :3]"
        raise bad_arrays(
            f"{name} has shape {shape_of(array)}: {channels} channels",
            f"1 (gray) or 3 (RGB) channels on the last axis{alpha}",
        )


def _bytes_from_floats(array: NDArray[Any], name: str) -> Pixels8:
    result = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), _CHUNK):
        chunk = array[start : start + _CHUNK]
        low, high = float(chunk.min()), float(chunk.max())
        if not np.isfinite([low, high]).all():
            raise bad_arrays(
                f"{name} holds values that are NaN or infinite",
                "floats in [0, 1]: mend or leave out those images",
            )
        if low < -_ROUNDING or high > 1 + _ROUNDING:
            low, high = float(array.min()), float(array.max())
            beyond = high if high > 1 + _ROUNDING else low
            raise bad_arrays(
                f"{name} holds floats whose values reach {beyond:g}",
                "floats in [0, 1], or uint8: " + _remedy_for_floats(low, high, name),
            )
        np.rint(np.clip(chunk, 0, 1) * 255, out=result[start : start + _CHUNK], casting="unsafe")
    return result


def _remedy_for_floats(low: float, high: float, name: str) -> str:
    if low >= 1 - _OVERSHOOT and 1 <= high <= _OVERSHOOT:
        return (
            f"pass numpy.clip({name}, 0, 1) where 0 is black and 1 is white, as after a bicubic "
            "resize or a brightening"
        )
    if low < -_ROUNDING:
        return "undo the normalization; the network normalizes for itself"
    if high > 255.5:
        white = 4095 if high <= 4095 else 65535
        return f"divide by the value of white ({white:,}?)"
    return f"divide by {255 if high > 16 else high:g} or pass uint8"


def _refuse_masked(values: "np.ma.MaskedArray[Any, Any]", name: str) -> None:
    hidden = int(np.ma.getmaskarray(values).sum())
    if hidden:
        pixels = f"fill them: {name}.filled(0)"
        remedy = pixels if values.ndim > 1 else f"leave them out: keep = ~{name}.mask"
        raise bad_arrays(
            f"{name} is masked: {pluralize(hidden, 'value')} of {values.size:,} are hidden",
            f"an array without hidden values: {remedy}",
        )
