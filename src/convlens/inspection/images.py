"""The user's own images, decoded to be looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Reporter
from convlens.data import (
    UnreadableImageError,
    decode,
    find_images,
    list_images,
    picture_file,
    read_header,
)
from convlens.inspection.recording import Pixels
from convlens.inspection.sliding import Matrix, as_matrix

MOST_IMAGES = 24


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded images and what to call them.

    Attributes:
        pixels: uint8 N×H×W×C.
        names: N short names, each different where the files are.
    """

    pixels: Pixels
    names: tuple[str, ...]


def read_images(images: Any, spec: InputSpec, reporter: Reporter) -> Images:
    """Decode images as the network is fed them.

    Args:
        images: as for `convlens.data.list_images`; of paths alone folders are searched.
        spec: what the network is fed.
        reporter: told which files could not be read.

    Raises:
        ConvlensError: a path does not exist, nothing can be read, or there are too many images to
            show side by side.
    """
    given, notes = list_images(images, flat=spec.height * spec.width * spec.channels)
    for note in notes:
        reporter.say(note)
    paths = [image for image in given if isinstance(image, str)]
    if len(paths) == len(given):
        return _read_files(paths, spec, reporter)
    _refuse_too_many(len(given))
    contents = [
        picture_file(image, f"image {number}") if isinstance(image, Image.Image) else image
        for number, image in enumerate(given)
    ]
    pixels = np.stack([decode(content, spec) for content in contents])
    return Images(pixels, tuple(f"image {number}" for number in range(len(pixels))))


def read_gray(image: str | Path, *, longest: int) -> Matrix:
    """Decode an image as a matrix of gray levels from 0 to 255, its shape kept.

    Args:
        image: a file.
        longest: pixels of its longer side, at most.

    Raises:
        ConvlensError: it cannot be read.
    """
    header = read_header(image)
    part = min(1.0, longest / max(header.height, header.width))
    spec = InputSpec(
        height=max(1, round(header.height * part)),
        width=max(1, round(header.width * part)),
        channels=1,
        resize="stretch",
    )
    return as_matrix(decode(image, spec)[..., 0], "image")


def short_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Each file's name, with as many folders before it as tell all of them apart.

    Example:
        >>> short_names(["a/cat/1.jpg", "a/dog/1.jpg", "a/dog/2.jpg"])
        ('cat/1.jpg', 'dog/1.jpg', 'dog/2.jpg')
    """
    parts = [Path(path).parts for path in paths]
    deepest = max(map(len, parts), default=1)
    for depth in range(1, deepest + 1):
        names = tuple("/".join(one[-depth:]) for one in parts)
        if len(set(names)) == len(set(parts)):
            break
    return names


def _read_files(paths: Sequence[str | Path], spec: InputSpec, reporter: Reporter) -> Images:
    files, _ = find_images(paths, reporter)
    _refuse_too_many(len(files))
    pixels, read, unread = [], [], []
    for file in files:
        try:
            pixels.append(decode(file, spec))
            read.append(file)
        except UnreadableImageError as error:
            unread.append(error)
    if not pixels:
        raise unread[0]
    for one in unread:
        reporter.warn(f"left out: {one.message}")
    return Images(np.stack(pixels), short_names(read))


def _refuse_too_many(count: int) -> None:
    if count > MOST_IMAGES:
        raise ConvlensError(
            f"{count} images cannot be shown side by side; name {MOST_IMAGES} at most",
            code="too-many-images",
        )
