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
    """How large an image may claim to be before any of it is decoded.

    Attributes:
        pixels: width times height; the default admits the largest photographs of telephones.
        bytes: size of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: int = Field(default=200_000_000, ge=1)
    bytes: int = Field(default=1 << 28, ge=1)


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
    except (UnreadableImageError, MemoryError):
        raise
    except Exception as error:
        raise UnreadableImageError(name, f"its {what} is damaged ({error})") from error


def check_pixels(width: int, height: int, name: str, limits: ImageLimits) -> None:
    """Refuse an image that claims more pixels than the limit, or none."""
    if width < 1 or height < 1 or width * height > limits.pixels:
        raise UnreadableImageError(
            name, f"it claims {width:,} × {height:,} pixels (1 to {limits.pixels:,} are read)"
        )


def check_bytes(size: int, name: str, limits: ImageLimits) -> None:
    """Refuse a file larger than the limit."""
    if size > limits.bytes:
        raise UnreadableImageError(name, f"it has {size:,} bytes (at most {limits.bytes:,})")
