"""The one family of errors.

Every message says what was passed, what was expected, and what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar

LAID_OUT = frozenset({"bad-layers", "shape-mismatch"})
"""The kinds of errors that show a network in lines."""


class ConvlensError(Exception):
    """A request that cannot be carried out as it stands: the caller can mend it.

    Args:
        problem: what was passed and what was expected; what to do as well, where ``remedy`` does
            not say it.
        code: a short stable name for this kind of error, in kebab-case (``"no-images"``).
        remedy: what to do, kept apart for whoever shows it apart; empty where ``problem`` says it.
        between: what stands between the two in the message.

    Attributes:
        message: all of it.

    Example:
        >>> raise ConvlensError("--epochs is 0", remedy="give at least 1", code="bad-option")
        Traceback (most recent call last):
        convlens.core.errors.ConvlensError: --epochs is 0; give at least 1
    """

    exit_status: ClassVar[int] = 2

    def __init__(self, problem: str, *, code: str, remedy: str = "", between: str = "; ") -> None:
        self.message = f"{problem}{between}{remedy}" if remedy else problem
        super().__init__(self.message)
        self.problem = problem
        self.remedy = remedy
        self.between = between
        self.code = code

    @property
    def laid_out(self) -> bool:
        """Whether the message is laid out in lines; in any other, a line break is part of a name.

        A message of these kinds quotes nothing that may hold a line break.
        """
        return self.code in LAID_OUT


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
        f"unknown {kind} '{name}'",
        remedy=f"{hint}Known: {', '.join(names) or 'none'}",
        code=code,
    )
