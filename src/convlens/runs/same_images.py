"""Whether an image set holds the images that a run began with, and what differs if not."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.core.reporter import Reporter
from convlens.data import SPLITS, ImageSet, read_splits
from convlens.runs.run import SPLITS_FILE, Run
from convlens.runs.run_files import read_environment

_NAMED = 3


def moved_images(run: Run, source: Any, reporter: Reporter, *, resuming: bool = False) -> ImageSet:
    """The images of a run from where they are now.

    Args:
        run: the run.
        source: a copy of what it was trained on, under any path; or the arrays themselves.
        reporter: told what was found.
        resuming: number them as the run began, whatever became of its bundle.

    Raises:
        ConvlensError: the source holds other images; says which differ.
    """
    classes = run.classes_at_start if resuming else None
    found = run.reopen(reporter, source=source, classes=classes)
    changes = "; ".join(found.changes.lines())
    changes = changes or image_changes(
        run.folder, read_environment(run.folder)["data"], found.images
    )
    if changes:
        raise _others(run.folder, changes)
    return found.images


def image_changes(folder: Path, data: Mapping[str, Any], images: ImageSet) -> str:
    """What differs between a run's images and an image set; empty where nothing does.

    Args:
        folder: the run's.
        data: of the run's environment.
        images: the image set.
    """
    if images.is_as(data["fingerprint"]):
        return ""
    before: dict[str, str] = {}
    with suppress(ConvlensError):
        before = read_splits(folder / SPLITS_FILE)
    names = images.names()
    split_of = {names[n]: split for split in SPLITS for n in images.splits[split].tolist()}
    gone = sorted(before.keys() - set(names))
    new = sorted(set(names) - before.keys()) if before else []
    moved = sorted(n for n in before.keys() & split_of.keys() if before[n] != split_of[n])
    told = [
        f"{pluralize(len(found))} {what} ({_few(found)})"
        for found, what in ((gone, "missing"), (new, "new"), (moved, "in another split"))
        if found
    ]
    return ", ".join(told) or "files of the same names have other contents or other classes"


def _few(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + ", …" * (len(names) > _NAMED)


def _others(folder: Path, what: str) -> ConvlensError:
    return ConvlensError(
        f"the source does not hold the images of {folder}: {what}",
        remedy="pass an exact copy of what it was trained on, or start a new run: "
        + command("train", "SOURCE", "--recipe", folder / "recipe.toml"),
        code="other-images",
    )
