"""What a TIFF's directories say (TIFF 6.0, section 2; BigTIFF), read with bounds of our own.

Pillow turns every value of every tag into an object: a tag that claims the whole file for its
values makes gigabytes of them.
"""

from dataclasses import dataclass
from io import BytesIO
from mmap import ACCESS_READ, mmap
from struct import error as StructError
from struct import unpack_from
from typing import BinaryIO, TypeAlias

Buffer: TypeAlias = bytes | memoryview | mmap

_MOST_CHAINED = 16
_MOST_TAGS = 4_096
_MOST_VALUES = 2_000_000  # of all tags of a directory together; strips of the largest images
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8,
          13: 4, 16: 8, 17: 8, 18: 8}  # fmt: skip
_PLAIN = frozenset({1, 2, 6, 7})  # kinds of bytes, of which no objects are made
_SUBFILE, _WIDTH, _HEIGHT, _COMPRESSION, _CODES = 254, 256, 257, 259, {3: "H", 4: "I", 16: "Q"}


class BrokenTiffError(Exception):
    """The directories are damaged, or claim more than a picture needs; the text says how."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One image of a TIFF.

    Attributes:
        width: columns.
        height: rows.
        compression: 1 where the pixels lie as they are.
        reduced: whether it is a smaller version of another, a thumbnail or an overview.
    """

    width: int
    height: int
    compression: int
    reduced: bool


def read_directories(data: Buffer, *, most: int = 2) -> list[Directory]:
    """The first directories of a TIFF.

    Args:
        data: the whole file.
        most: how many are read; a chain may go in circles.

    Raises:
        BrokenTiffError: more tags or values than a picture needs, or the bytes end early.
    """
    try:
        return _chain(data, most)
    except (StructError, OverflowError) as error:
        raise BrokenTiffError(str(error)) from error


def _chain(data: Buffer, most: int) -> list[Directory]:
    order = "<" if bytes(data[:2]) == b"II" else ">"
    big = bytes(data[2:4]) in {b"+\0", b"\0+"}
    (at,) = unpack_from(f"{order}{'Q' if big else 'I'}", data, 8 if big else 4)
    found: list[Directory] = []
    while at and len(found) < most:
        directory, at = _directory(data, at, order, big=big)
        found.append(directory)
    if not found:
        raise BrokenTiffError("it has no directory")
    return found


def check_directories(file: BinaryIO) -> None:
    """Raise `BrokenTiffError` where Pillow's reading of the header would take gigabytes."""
    if isinstance(file, BytesIO):
        read_directories(file.getbuffer(), most=1)
        return
    with mmap(file.fileno(), 0, access=ACCESS_READ) as data:  # of gigabytes a few pages are read
        read_directories(data, most=1)


def has_several_images(file: BinaryIO) -> bool:
    """Whether a TIFF has a second image that is not a smaller version of its first."""
    try:
        if isinstance(file, BytesIO):
            chain = read_directories(file.getbuffer(), most=_MOST_CHAINED)
        else:
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                chain = read_directories(data, most=_MOST_CHAINED)
    except BrokenTiffError:  # behind the first image, which was read before
        return False
    return sum(not directory.reduced for directory in chain) > 1


def _directory(data: Buffer, at: int, order: str, *, big: bool) -> tuple[Directory, int]:
    (count,) = unpack_from(f"{order}{'Q' if big else 'H'}", data, at)
    if count > _MOST_TAGS:
        raise BrokenTiffError(f"a directory claims {count:,} tags (at most {_MOST_TAGS:,})")
    start, step = (at + 8, 20) if big else (at + 2, 12)
    numbers: dict[int, int] = {}
    values = 0
    for entry in range(start, start + step * count, step):
        tag, kind, many = unpack_from(f"{order}HH{'Q' if big else 'I'}", data, entry)
        size = _SIZES.get(kind, 0) * many
        if kind not in _PLAIN and size <= len(data):  # Pillow leaves out what is not there
            values += many
        if kind in _CODES and many == 1:
            code = _CODES[kind]
            (numbers[tag],) = unpack_from(f"{order}{code}", data, entry + (12 if big else 8))
    if values > _MOST_VALUES:
        raise BrokenTiffError(f"its tags hold {values:,} values (at most {_MOST_VALUES:,})")
    end = start + step * count
    (following,) = unpack_from(f"{order}{'Q' if big else 'I'}", data, end)
    directory = Directory(
        numbers.get(_WIDTH, 0),
        numbers.get(_HEIGHT, 0),
        numbers.get(_COMPRESSION, 1),
        reduced=bool(numbers.get(_SUBFILE, 0) & 1),
    )
    return directory, following
