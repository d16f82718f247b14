"""What is passed from Python as images: paths, files, pictures, arrays, or several of them."""

import os
from collections.abc import Iterable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image, ImageOps

from convlens.core.errors import ConvlensError
from convlens.data.array_images import (
    Converted,
    as_array,
    bad_arrays,
    convert_batch,
    convert_images,
    convert_one,
)
from convlens.data.decode_with_pillow import decode_with_pillow
from convlens.data.formats import format_of
from convlens.data.limits import LIMITS, UnreadableImageError
from convlens.data.resample import Pixels8

Given: TypeAlias = str | bytes | Pixels8 | Image.Image
"""One image: a path, the content of a file, H×W×C pixels, or a Pillow image."""

_FORMS = (
    "paths, the bytes of files, open files, Pillow images, or pixels "
    "(N x height x width x channels)"
)
_WITHOUT_CHANGE = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})
_TO_RGBA = {"PA": "RGBA", "RGBa": "RGBA", "La": "LA"}


def list_images(
    images: Any, name: str = "images", *, flat: int | None = None
) -> tuple[list[Given], list[str]]:
    """List the images that are passed.

    Args:
        images: a path, the bytes of an image file, an open file, a Pillow image, pixels (H×W,
            H×W×C, N×H×W, N×H×W×C or N×C×H×W; NumPy, torch or nested lists), or an iterable of any
            of these.
        name: what to call them in messages.
        flat: how many values a flattened image has; None where that is not known.

    Returns:
        The images in their order, and notes on what was done.

    Raises:
        ConvlensError: something is no image, or there are none.

    Example:
        >>> list_images(np.zeros((32, 24, 3), np.uint8))[0][0].shape
        (32, 24, 3)
    """
    one = _single(images, name)
    if one is not None:
        return [one], []
    items = _items(images, name)
    if items is None:
        return _of_array(convert_images(as_array(images, name), name, flat=flat))
    if not items:
        raise bad_arrays(f"{name} is empty", f"at least one image: {_FORMS}")
    if _are_numbers(items):
        return _of_array(convert_images(as_array(items, name), name, flat=flat))
    found: list[Given] = []
    notes: list[str] = []
    for number, item in enumerate(items):
        own = f"{name}[{number}]"
        image = _single(item, own)
        if image is None:
            converted = convert_one(as_array(item, own), own)
            image, notes = converted.pixels[0], [*notes, *converted.notes]
        found.append(image)
    return found, list(dict.fromkeys(notes))


def stack_images(images: Any, name: str, *, count: int | None = None) -> Converted:
    """Make the images that are passed one array, N×H×W×C uint8.

    Gray images beside colored ones become colored.

    Args:
        images: a batch of pixels as for `list_images`; or an iterable of images of one size.
        name: what to call them in messages.
        count: how many there are, where that is known otherwise.

    Raises:
        ConvlensError: they are paths, or one image, or differ in size, or something is no image.
    """
    if _single(images, name) is not None:
        raise bad_arrays(f"{name} is a single image", f"a batch of images: pass [{name}]")
    items = _items(images, name)
    if items is not None and not items:
        raise bad_arrays(f"{name} is empty", "at least one image")
    if items is None or _are_numbers(items):
        return convert_batch(as_array(images if items is None else items, name), name, count=count)
    found, notes = list_images(items, name)
    arrays = [_pixels(image, f"{name}[{number}]") for number, image in enumerate(found)]
    sizes = list(dict.fromkeys(f"{a.shape[0]}x{a.shape[1]}" for a in arrays))
    if len(sizes) > 1:
        raise bad_arrays(
            f"{name} holds images of different sizes ({', '.join(sizes[:3])})",
            "one size: resize the images, or save them as files and pass the folder",
        )
    channels = max(array.shape[2] for array in arrays)
    same = [np.repeat(a, channels, axis=2) if a.shape[2] == 1 else a for a in arrays]
    added = all(getattr(item, "ndim", 0) == 2 for item in items)
    return Converted(np.stack(same), tuple(notes), added)


def _of_array(converted: Converted) -> tuple[list[Given], list[str]]:
    return list(converted.pixels), list(converted.notes)


def _single(item: Any, name: str) -> Given | None:
    """One image that is no array; None where it is something else."""
    if isinstance(item, str | os.PathLike):
        return str(item)
    if isinstance(item, bytes | bytearray | memoryview):
        return bytes(item)
    if isinstance(item, Image.Image):
        return item
    if hasattr(item, "read") and not hasattr(item, "shape"):
        return _content(item, name)
    if isinstance(item, np.ndarray) and item.ndim == 0:
        return _single(item.item(), name)
    return None


def _content(file: Any, name: str) -> bytes:
    try:
        content = file.read()
    except (OSError, ValueError) as error:
        raise bad_arrays(
            f"{name} is a file that cannot be read ({error})", "one opened with open(path, 'rb')"
        ) from error
    if not isinstance(content, bytes):
        raise bad_arrays(
            f"{name} is a file opened as text", "one opened in binary: open(path, 'rb')"
        )
    return content


def _items(images: Any, name: str) -> list[Any] | None:
    """The images of an iterable that is no array of numbers; None for any other."""
    if isinstance(images, dict):
        raise bad_arrays(f"{name} is a dict", _FORMS)
    if isinstance(images, np.ndarray):
        return images.tolist() if images.dtype.kind in "USO" and images.ndim == 1 else None
    if hasattr(images, "__array__") or hasattr(images, "__array_interface__"):
        array = as_array(images, name)
        return _items(array, name) if array.dtype.kind in "USO" else None
    if isinstance(images, Iterable):
        return list(images)
    raise bad_arrays(f"{name} is a {type(images).__name__}", _FORMS)


def _are_numbers(items: Sequence[Any]) -> bool:
    """Whether a list is one array written out."""
    return all(isinstance(item, list | tuple | int | float) for item in items)


def picture_file(image: Image.Image, name: str) -> bytes:
    """Write a Pillow image as the content of a file, which is then read as any file is.

    So a palette is looked up, transparent parts are laid over white, and the image is upright.

    Raises:
        UnreadableImageError: it cannot be read, or has 32-bit pixels, whose white nobody knows.
    """
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in {"I", "F"}:
            raise UnreadableImageError(
                name, "its pixels are 32-bit numbers of unknown range; convert it to 8 or 16 bits"
            )
        file = BytesIO()
        _savable(upright).save(file, "PNG", compress_level=0, exif=b"", icc_profile=b"")
    except ConvlensError:
        raise
    except Exception as error:  # Pillow and its libraries raise of everything
        raise UnreadableImageError(name, f"Pillow cannot read it ({error})") from error
    return file.getvalue()


def _savable(image: Image.Image) -> Image.Image:
    if image.mode in _WITHOUT_CHANGE:
        return image
    if image.mode.startswith("I;16"):
        return Image.fromarray(np.asarray(image).astype("<u2"))
    return image.convert(_TO_RGBA.get(image.mode, "RGB"))


def _pixels(image: Given, name: str) -> Pixels8:
    if isinstance(image, str):
        raise bad_arrays(
            f"{name} is a file name ('{Path(image).name}')",
            "pixels beside labels; for files, pass a folder of class folders, or a table with the "
            "columns image and label",
        )
    if isinstance(image, Image.Image):
        image = picture_file(image, name)
    if isinstance(image, bytes):
        return decode_with_pillow(image, format_of(image, name), name, LIMITS)
    return image
