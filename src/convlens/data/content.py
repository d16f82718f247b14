"""Digests of what images hold, the same wherever they lie and whatever they are called.

They say which images a network was trained on. A cache needs no such thing: see
`convlens.data.file_keys`.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Reporter
from convlens.data.file_contents import file_contents
from convlens.data.image_set import ImageSet, image_names

ContentKind: TypeAlias = Literal["files", "arrays"]


def content_kind(images: ImageSet) -> ContentKind:
    """What an image set's digests are made of: only digests of one kind can be compared."""
    return "files" if images.arrays is None else "arrays"


def content_digests(
    images: ImageSet, numbers: NDArray[np.int64], reporter: Reporter
) -> NDArray[np.uint64]:
    """A digest of each image's content.

    Of a file as `file_contents` makes it, of an array of every pixel.

    Args:
        images: an image set.
        numbers: (N,) which of its images.
        reporter: sees the reading.

    Returns:
        (N,) uint64; 0 for a file that cannot be read.
    """
    if images.arrays is not None:
        digests = [bytes.fromhex(n) for n in image_names(None, images.arrays[numbers])]
    else:
        paths = [(images.paths or ())[number] for number in numbers.tolist()]
        digests = file_contents(paths, reporter)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)
