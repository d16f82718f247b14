"""Where convlens keeps what it can make again: decoded pixels, converted weights, downloads."""

import os
from pathlib import Path

from convlens.core.paths import typed_path


def cache_folder(kind: str) -> Path:
    """The folder for one kind of cached thing; not created here.

    ``CONVLENS_CACHE`` names the folder above it; else it is ``convlens`` in ``XDG_CACHE_HOME``,
    or in ``~/.cache``.

    Args:
        kind: ``"pixels"``, ``"weights"``, …
    """
    chosen = os.environ.get("CONVLENS_CACHE")
    if chosen:
        return typed_path(chosen) / kind
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return typed_path(base) / "convlens" / kind
