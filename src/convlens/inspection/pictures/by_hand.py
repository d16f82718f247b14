"""Convolution and pooling by hand, on the user's own image or on numbers."""

from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from convlens.core.errors import ConvlensError
from convlens.inspection.convolution import EXAMPLE_IMAGE, convolution
from convlens.inspection.images import read_gray
from convlens.inspection.kernels import find_kernel
from convlens.inspection.pictures.look import Look
from convlens.inspection.pictures.matrix import MOST_CELLS_WITH_NUMBERS
from convlens.inspection.pictures.sliding import (
    ConvolutionPicture,
    PoolingPicture,
    SlidingPicture,
)
from convlens.inspection.pooling import pooling
from convlens.inspection.sliding import Matrix, Padding, as_matrix

_LONGEST = 224


def visualize_convolution(
    image: str | Path | ArrayLike | None = None,
    *,
    kernel: str = "vertical edge",
    stride: int = 1,
    padding: Padding = 0,
    dilation: int = 1,
    at: tuple[int, int] | None = None,
    longest: int = _LONGEST,
) -> Look:
    """One kernel sliding over one image.

    Args:
        image: a file, whose gray levels from 0 to 255 are taken; or H×W numbers; a 5×5 example by
            default.
        kernel: a name such as ``"vertical edge"``, or weights as ``"-1 0 1; -1 0 1; -1 0 1"``.
        stride: pixels from one stop to the next.
        padding: rows and columns of zeros on every side, ``"same"`` or ``"valid"``.
        dilation: pixels from one weight to the next.
        at: row and column of the number to explain; the first of a small image, the strongest of a
            large one by default.
        longest: the longer side of a file's image is brought to so many pixels at most.

    Raises:
        ConvlensError: the kernel is unknown or does not fit, or the image cannot be read.

    Example:
        >>> visualize_convolution(kernel="vertical edge").summary["sum"]
        1.0
    """
    pixels = _matrix(image, longest)
    found = convolution(
        pixels, find_kernel(kernel), stride=stride, padding=padding, dilation=dilation
    )
    small = max(pixels.shape) <= MOST_CELLS_WITH_NUMBERS
    row, column = _stop(at, found.feature_map, (0, 0) if small else found.strongest())
    picture = ConvolutionPicture(found)
    picture.show(row, column)
    under = found.sliding.under(picture.padded, row, column)
    products = found.products(row, column)
    return _sliding_look(
        "convolution",
        picture,
        {"feature_map": found.feature_map},
        {"image": found.image, "kernel": found.kernel.weights},
        kernel=found.kernel.name,
        weights=found.kernel.weights.tolist(),
        at=[row, column],
        window=under.tolist(),
        products=products.tolist(),
        sum=float(found.feature_map[row, column]),
    )


def visualize_pooling(
    image: str | Path | ArrayLike | None = None,
    *,
    window: int = 2,
    stride: int | None = None,
    padding: int = 0,
    at: tuple[int, int] | None = None,
    longest: int = _LONGEST,
) -> Look:
    """One window sliding over one image, keeping the largest number and the mean.

    Args:
        image: as for `visualize_convolution`.
        window: its side in pixels.
        stride: pixels from one stop to the next; the window's side by default.
        padding: rows and columns on every side, at most half the window's side.
        at: row and column of the number to explain; the first by default.
        longest: as for `visualize_convolution`.

    Raises:
        ConvlensError: the window does not fit, or the image cannot be read.

    Example:
        >>> visualize_pooling(window=2).summary["max"]
        2.0
    """
    found = pooling(_matrix(image, longest), window, stride=stride, padding=padding)
    row, column = _stop(at, found.maximum, (0, 0))
    picture = PoolingPicture(found)
    picture.show(row, column)
    under = found.sliding.under(found.sliding.pad(found.image, fill=0.0), row, column)
    return _sliding_look(
        "pooling",
        picture,
        {"max": found.maximum, "average": found.average},
        {"image": found.image},
        size=window,
        at=[row, column],
        window=under.tolist(),
        max=float(found.maximum[row, column]),
        average=float(found.average[row, column]),
    )


def _sliding_look(
    name: str,
    picture: SlidingPicture,
    maps: dict[str, Matrix],
    given: dict[str, Matrix],
    **summary: Any,
) -> Look:
    sliding = picture.sliding
    small = all(
        max(one.shape) <= MOST_CELLS_WITH_NUMBERS for one in (*maps.values(), *given.values())
    )
    told = {
        "image": list(sliding.image_shape),
        "output": list(sliding.output_shape),
        "formula": sliding.formula(),
        **summary,
    }
    if small:
        told["numbers"] = {key: one.tolist() for key, one in {**given, **maps}.items()}
    return Look(
        figures={name: picture.figure},
        arrays={name: {**given, **maps}},
        summary=told,
        sliding=picture,
    )


def _matrix(image: str | Path | ArrayLike | None, longest: int) -> Matrix:
    if image is None:
        return EXAMPLE_IMAGE
    if isinstance(image, str | Path):
        return read_gray(image, longest=longest)
    return as_matrix(image, "image")


def _stop(at: tuple[int, int] | None, output: Matrix, usual: tuple[int, int]) -> tuple[int, int]:
    if at is None:
        return usual
    rows, columns = output.shape
    if not (0 <= at[0] < rows and 0 <= at[1] < columns):
        raise ConvlensError(
            f"the number at row {at[0]}, column {at[1]} is asked for; the output has rows 0 to "
            f"{rows - 1} and columns 0 to {columns - 1}",
            code="bad-option",
        )
    return at
