"""The one family of errors.

Every message says what was passed, what was expected, and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class ConvlensError(Exception):
    """A request that cannot be carried out as it stands: the caller can mend it.

    Args:
        message: what was passed, what was expected, and what to do.
        code: a short stable name for this kind of error, in kebab-case (``"no-images"``).

    Example:
        >>> raise ConvlensError("--epochs is 0; give at least 1", code="bad-option")
        Traceback (most recent call last):
        convlens.core.errors.ConvlensError: --epochs is 0; give at least 1
    """

    exit_status: ClassVar[int] = 2

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class WorkFailedError(ConvlensError):
    """The request was sound, yet the work failed: a full disk, a loss that is not finite."""

    exit_status: ClassVar[int] = 1


def unknown_name(kind: str, name: str, known: Iterable[str], *, code: str) -> ConvlensError:
    """The error for a name that is not known: lists the known ones and the nearest.

    Args:
        kind: what the name names, as the user would say it (``"model"``).
        name: what was passed.
        known: every accepted name.
        code: the error's code.

    Example:
        >>> str(unknown_name("model", "standrad", ["simple", "standard"], code="unknown-model"))
        "unknown model 'standrad'; did you mean 'standard'? Known: simple, standard"
    """
    names = sorted(known)
    nearest = get_close_matches(name, names)
    # Swapped letters are the likeliest slip: of 'vgg61', vgg16 and vgg19 are equally close.
    swapped = [known for known in nearest if sorted(known) == sorted(name)]
    hint = f"did you mean '{(swapped or nearest)[0]}'? " if nearest else ""
    return ConvlensError(
        f"unknown {kind} '{name}'; {hint}Known: {', '.join(names) or 'none'}", code=code
    )
