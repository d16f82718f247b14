"""What the arrays of an ``.npz`` file claim to hold, checked before any of it is read."""

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import IO

from numpy.lib import format as npy

from convlens.core.errors import ConvlensError
from convlens.data.archive_members import ArchiveLimits
from convlens.data.pixel_store import available_memory, gigabytes, memory_room

_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def check_npz(path: Path, file: IO[bytes], names: Sequence[str]) -> None:
    """Refuse arrays that do not fit their file, grow beyond measure, or do not fit into memory.

    Args:
        path: the file, for messages.
        file: its bytes; left where they were found.
        names: the arrays that are to be read.

    Raises:
        ConvlensError: an array is refused.
        ValueError: a header is damaged.
    """
    at = file.tell()
    with zipfile.ZipFile(file) as archive:
        infos = {info.filename: info for info in archive.infolist()}
        chosen = [
            infos[found] for name in names for found in (f"{name}.npy", name) if found in infos
        ]
        for info in chosen:
            with archive.open(info) as member:
                _check_claim(info, member)
        total = sum(info.file_size for info in chosen)
    file.seek(at)
    allowed = ArchiveLimits().total(path)
    if total > allowed:
        raise ConvlensError(
            f"{path} is refused: its arrays would unpack to {gigabytes(total)}; expected at most "
            f"{gigabytes(allowed)} from a file of its size",
            remedy="if you trust it, write it again uncompressed, with numpy.savez",
            between=": ",
            code="archive-refused",
        )
    if total > memory_room():
        raise ConvlensError(
            f"the arrays in {path} need {gigabytes(total)} of memory, and "
            f"{gigabytes(available_memory() or 0)} are available",
            remedy="save the images as files in class folders: they are read one at a time",
            code="no-room-for-arrays",
        )


def _check_claim(info: zipfile.ZipInfo, member: IO[bytes]) -> None:
    """Raise ValueError where a header claims another size than its member has."""
    read = _READERS.get(npy.read_magic(member))
    if read is None:  # of version 3 are only arrays with fields, which are refused later
        return
    try:
        shape, _, dtype = read(member)
    except (TokenError, RecursionError, MemoryError) as error:  # it is read as Python's literals
        raise ValueError(f"the header of {info.filename} is damaged") from error
    claimed, held = math.prod(shape) * dtype.itemsize, info.file_size - member.tell()
    if not dtype.hasobject and claimed != held:
        raise ValueError(
            f"the header of {info.filename} claims {claimed:,} bytes, and it holds {held:,}"
        )
