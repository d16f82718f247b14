"""Paths as users type them: pathlib, before Python 3.14, raises where these answer no."""

import os
from pathlib import Path


def typed_path(text: str | Path) -> Path:
    """A path as it was typed, with ``~`` for the home folder where that is known.

    Example:
        >>> typed_path("~no such user/images").as_posix()
        '~no such user/images'
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib raises for an unknown user


def is_dir(path: str | Path) -> bool:
    """Whether a folder is there, and may be looked at."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Whether a file is there, and may be looked at; a text too long for a name is none."""
    return os.path.isfile(path)  # noqa: PTH113


def exists(path: str | Path) -> bool:
    """Whether anything is there that may be looked at."""
    return os.path.exists(path)  # noqa: PTH110
