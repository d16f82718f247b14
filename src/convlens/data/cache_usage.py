"""What convlens keeps in its cache folder, and how much room that takes."""

import os
from dataclasses import dataclass
from pathlib import Path

from convlens.core.cache_folder import cache_folder


@dataclass(frozen=True, slots=True)
class CacheUsage:
    """One kind of thing that is kept.

    Attributes:
        kind: ``"pixels"``, ``"datasets"``, ``"archives"``, …
        folder: where it is; all of it can be removed, and is made again when needed.
        files: how many.
        bytes: how much room.
    """

    kind: str
    folder: Path
    files: int
    bytes: int


def cache_usage() -> list[CacheUsage]:
    """What is kept of each kind, sorted by kind; nothing where nothing is kept."""
    top = cache_folder(".")
    kinds = sorted(entry for entry in top.iterdir() if entry.is_dir()) if top.is_dir() else []
    return [_usage(folder) for folder in kinds]


def _usage(folder: Path) -> CacheUsage:
    files = size = 0
    for top, _, names in os.walk(folder):
        for name in names:
            try:
                size += Path(top, name).lstat().st_size
            except FileNotFoundError:
                continue  # another process took it away
            files += 1
    return CacheUsage(folder.name, folder, files, size)
