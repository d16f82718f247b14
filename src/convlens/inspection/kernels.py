"""Kernels worth knowing by name, and reading one that is typed in.

The weights are those of any image processing text (Gonzalez and Woods, "Digital Image Processing",
4th edition, sections 3.5 and 3.6); the edge kernels are Prewitt's and Sobel's.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError, unknown_name


@dataclass(frozen=True)
class Kernel:
    """A small matrix to slide over an image.

    Attributes:
        name: what to call it in a picture.
        weights: k_h×k_w float64.
    """

    name: str
    weights: NDArray[np.float64]


_WRITTEN = {
    "identity": "0 0 0; 0 1 0; 0 0 0",
    "vertical edge": "-1 0 1; -1 0 1; -1 0 1",
    "horizontal edge": "-1 -1 -1; 0 0 0; 1 1 1",
    "sobel vertical": "-1 0 1; -2 0 2; -1 0 1",
    "sobel horizontal": "-1 -2 -1; 0 0 0; 1 2 1",
    "outline": "-1 -1 -1; -1 8 -1; -1 -1 -1",
    "blur": "1/9 1/9 1/9; 1/9 1/9 1/9; 1/9 1/9 1/9",
    "gaussian blur": "1/16 2/16 1/16; 2/16 4/16 2/16; 1/16 2/16 1/16",
    "sharpen": "0 -1 0; -1 5 -1; 0 -1 0",
    "emboss": "-2 -1 0; -1 1 1; 0 1 2",
}


def known_kernels() -> tuple[str, ...]:
    """The names that `find_kernel` knows."""
    return tuple(_WRITTEN)


def find_kernel(text: str) -> Kernel:
    """A kernel by its name, or as typed: rows apart by ``;``, weights by spaces or commas.

    Args:
        text: ``"vertical edge"`` (``-`` and ``_`` stand for the space), or
            ``"-1 0 1; -1 0 1; -1 0 1"``; a weight may be a fraction such as ``1/9``.

    Raises:
        ConvlensError: the name is unknown, a weight is not a number, or the rows differ in length.

    Example:
        >>> find_kernel("vertical-edge").weights[0].tolist()
        [-1.0, 0.0, 1.0]
    """
    name = " ".join(text.replace("-", " ").replace("_", " ").split()).lower()
    if name in _WRITTEN:
        return Kernel(name, read_matrix(_WRITTEN[name], what="kernel"))
    if any(mark.isalpha() for mark in text.replace("e", "")):
        raise unknown_name("kernel", text, _WRITTEN, code="unknown-kernel")
    return Kernel("your kernel", read_matrix(text, what="kernel"))


def read_matrix(text: str, *, what: str) -> NDArray[np.float64]:
    """Read a matrix as it is typed: rows apart by ``;``, numbers by spaces or commas.

    Args:
        text: such as ``"1 2 0; 0 1 2"``.
        what: what the matrix is, for the error.

    Raises:
        ConvlensError: a word is not a finite number, or the rows differ in length.

    Example:
        >>> read_matrix("1 1/2; 0, -3", what="kernel").tolist()
        [[1.0, 0.5], [0.0, -3.0]]
    """
    rows = [row.replace(",", " ").split() for row in text.strip().strip(";").split(";")]
    lengths = sorted({len(row) for row in rows})
    if len(lengths) > 1 or lengths == [0]:
        counts = ", ".join(str(len(row)) for row in rows)
        raise ConvlensError(
            f"{what} '{text}' has rows of {counts} numbers; expected rows of one length, "
            f'such as "-1 0 1; -1 0 1; -1 0 1"',
            code="bad-matrix",
        )
    return np.array([[_number(word, text, what) for word in row] for row in rows])


def _number(word: str, text: str, what: str) -> float:
    above, slash, below = word.partition("/")
    try:
        value = float(above) / float(below) if slash else float(above)
    except (ValueError, ZeroDivisionError):
        value = math.nan
    if not math.isfinite(value):
        raise ConvlensError(
            f"{what} '{text}' has the word '{word}'; expected a finite number or a fraction "
            "such as 1/9",
            code="bad-matrix",
        )
    return value
