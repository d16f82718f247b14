"""What is refused of an image file before any of it is decoded, and how that is said."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, Field

from convlens.core.errors import ConvlensError


class ImageLimits(BaseModel):
    """How large an image may claim to be, and how long it may take.

    All but ``seconds`` is known from the header and refused before anything is decoded.

    Attributes:
        pixels: width times height; the default admits the largest photographs of telephones.
        bytes: size of the file.
        memory: bytes that decoding holds at its peak, by what the format's decoder allocates.
        scans: passes over a JPEG; encoders write about ten, and each costs as much as a picture.
        work: pixels times scans.
        seconds: a decode that takes longer is ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: int = Field(default=200_000_000, ge=1)
    bytes: int = Field(default=1 << 28, ge=1)
    memory: int = Field(default=768_000_000, ge=1)
    scans: int = Field(default=100, ge=1)
    work: int = Field(default=2_000_000_000, ge=1)
    seconds: float = Field(default=60.0, gt=0)


LIMITS = ImageLimits()


class UnreadableImageError(ConvlensError):
    """An image that cannot be read.

    Args:
        name: the file, as the user knows it.
        reason: why, in a few words, to stand after the name in a list.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"cannot read {name}: {reason}",
            remedy="replace the file or leave it out",
            code="unreadable-image",
        )
        self.reason = reason


class TooLargeError(UnreadableImageError):
    """An image whose decoding would hold more memory than the limit."""


@contextmanager
def opened(path: str | Path, limits: ImageLimits) -> Iterator[BinaryIO]:
    """Open an image file that is not over the limit in bytes.

    Raises:
        UnreadableImageError: it is over the limit, or not a file, or cannot be read.
    """
    name = str(path)
    try:
        found = os.stat(name)  # noqa: PTH116 - a file a time: pathlib takes several times as long
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableImageError(name, "it is not a file")
        check_bytes(found.st_size, name, limits)
        with open(name, "rb", buffering=0) as file:  # noqa: PTH123 - likewise
            yield file
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableImageError(name, reason[:1].lower() + reason[1:]) from error


@contextmanager
def naming_damage(name: str, what: str) -> Iterator[None]:
    """Whatever goes wrong inside means damage: a parser fed hostile bytes may raise anything.

    Args:
        name: the file.
        what: the part of it that is being read (``"PNG header"``).
    """
    try:
        yield
    except UnreadableImageError:
        raise
    except MemoryError as error:  # raised for a size that no machine has, too
        raise UnreadableImageError(name, f"its {what} needs more memory than there is") from error
    except Exception as error:
        raise UnreadableImageError(name, f"its {what} is damaged ({error})") from error


def check_pixels(width: int, height: int, name: str, limits: ImageLimits) -> None:
    """Refuse an image that claims more pixels than the limit, or none."""
    if width < 1 or height < 1 or width * height > limits.pixels:
        raise UnreadableImageError(
            name, f"it claims {width:,} × {height:,} pixels (1 to {limits.pixels:,} are read)"
        )


def check_memory(needed: int, name: str, limits: ImageLimits) -> None:
    """Refuse an image whose decoding would hold more memory than the limit."""
    if needed > limits.memory:
        raise TooLargeError(
            name,
            f"decoding it takes {needed / 1e6:,.0f} MB of memory "
            f"(at most {limits.memory / 1e6:,.0f} MB)",
        )


def check_scans(scans: int, pixels: int, name: str, limits: ImageLimits) -> None:
    """Refuse a JPEG of so many passes over so many pixels that it would take minutes."""
    if scans > limits.scans or scans * pixels > limits.work:
        raise UnreadableImageError(
            name,
            f"it has {scans:,} scans or more of {pixels:,} pixels (at most {limits.scans} scans, "
            f"and {limits.work / 1e6:,.0f} million pixels in all of them)",
        )


def check_bytes(size: int, name: str, limits: ImageLimits) -> None:
    """Refuse a file larger than the limit."""
    if size > limits.bytes:
        raise UnreadableImageError(name, f"it has {size:,} bytes (at most {limits.bytes:,})")
