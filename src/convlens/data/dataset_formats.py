"""The formats in which classic datasets are published: IDX, and CIFAR's binary records."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from struct import error as StructError
from struct import unpack

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.data.archive_members import members

_IDX_LIMIT = 1 << 32
_CIFAR_PIXELS = 3 * 32 * 32


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, packed with gzip or not.

    Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits",
    section "File formats": two zero bytes, the type of the values, the number of axes, the length
    of each as a big-endian 32-bit integer, then the values.

    Returns:
        An array of as many axes as the file has.

    Raises:
        ConvlensError: it is damaged, or its values are not bytes.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            zeros, kind, axes = unpack(">HBB", file.read(4).ljust(4, b"\xff"))
            if zeros or kind != 8:
                raise _damaged(path, "it does not begin as an IDX file of bytes does")
            shape = unpack(f">{axes}I", file.read(4 * axes))
            size = int(np.prod(shape, dtype=np.float64))
            if size > _IDX_LIMIT:
                raise _damaged(path, f"it claims {size:,} values")
            values = file.read(size + 1)
    except (OSError, EOFError, zlib.error, StructError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    if len(values) != size:
        raise _damaged(path, f"it says {size:,} values and holds {len(values):,} or more")
    return np.frombuffer(values, np.uint8).reshape(shape)


def read_cifar(
    path: Path, parts: Sequence[str], *, label_bytes: int
) -> dict[str, tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Read files of the binary edition of CIFAR-10 or CIFAR-100 without unpacking the archive.

    A record is one label byte (two in CIFAR-100, coarse and fine: the fine one counts) and 3,072
    pixels: the red, green and blue plane, row by row.

    Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009, and the
    page it is published on, section "Binary version".

    Args:
        path: the ``.tar.gz`` as published.
        parts: names of the files of records.
        label_bytes: 1 or 2.

    Returns:
        For each part its pixels N×32×32×3 and its class numbers (N,).

    Raises:
        ConvlensError: it is damaged, or a file is missing.
    """
    record = label_bytes + _CIFAR_PIXELS
    found = {}
    for member in members(path):
        if member.name.name in parts:
            content = member.read()
            if not content or len(content) % record:
                raise _damaged(path, f"{member.name} is not whole records of {record:,} bytes")
            rows = np.frombuffer(content, np.uint8).reshape(-1, record)
            planes = rows[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            labels = rows[:, label_bytes - 1].astype(np.int64)
            found[member.name.name] = (np.ascontiguousarray(planes), labels)
    if missing := sorted(set(parts) - found.keys()):
        raise _damaged(path, f"it lacks {', '.join(missing)}")
    return found


def read_names(path: Path, name: str) -> list[str]:
    """Read the class names, one a line, in a member of an archive; ``_`` stands for a space.

    Raises:
        ConvlensError: the archive is damaged, or lacks the file.
    """
    for member in members(path):
        if member.name.name == name:
            return member.read().decode("utf-8", "replace").replace("_", " ").strip().split("\n")
    raise _damaged(path, f"it lacks {name}")


def _damaged(path: Path, why: str) -> ConvlensError:
    return ConvlensError(
        f"{path} is damaged: {why}; expected the file as it is published: "
        "remove it, and it is fetched again",
        code="damaged-dataset",
    )
