"""Digests of what images hold, the same wherever they lie and whatever they are called.

They say which images a network was trained on. A cache needs no such thing: see
`convlens.data.file_keys`.
"""

import hashlib
import os
from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Reporter
from convlens.data.image_set import ImageSet, image_names
from convlens.data.ordered import chunk_by_chunk

ContentKind: TypeAlias = Literal["files", "arrays"]

DIGEST_BYTES = 8
_PIECE = 16384


def content_kind(images: ImageSet) -> ContentKind:
    """What an image set's digests are made of: only digests of one kind can be compared."""
    return "files" if images.arrays is None else "arrays"


def content_digests(
    images: ImageSet, numbers: NDArray[np.int64], reporter: Reporter
) -> NDArray[np.uint64]:
    """A digest of each image's content.

    Of a file its size and three pieces of 16 KiB: its beginning, middle and end, so a file of up to
    48 KiB is read whole. Of an array every pixel.

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
        found = chunk_by_chunk(_of_files, paths, name="reading images", reporter=reporter)
        digests = [digest for chunk in found for digest in chunk]
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def _of_files(paths: Sequence[str]) -> list[bytes]:
    return [_of_file(path) for path in paths]


def _of_file(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - once a file: pathlib is slow
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.blake2b(digest_size=DIGEST_BYTES, salt=size.to_bytes(8, "little"))
            for start in sorted({0, max(0, (size - _PIECE) // 2), max(0, size - _PIECE)}):
                file.seek(start)
                digest.update(file.read(_PIECE))
    except (OSError, ValueError):
        return bytes(DIGEST_BYTES)
    return digest.digest()
