"""The images of a run's source, numbered by the run's classes, and what changed since."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from convlens.core.errors import ConvlensError
from convlens.core.formatting import some
from convlens.core.reporter import Reporter
from convlens.data import ImageSet, SourceChanges, open_source, reopen_source
from convlens.recipe.recipe import ARRAYS, Recipe


@dataclass(frozen=True, kw_only=True)
class RunImages:
    """The images of a run's source as it is now.

    Attributes:
        images: those that the run had, each in its split, numbered by the run's classes.
        changes: how the source differs from what the run was trained on.
    """

    images: ImageSet
    changes: SourceChanges


def open_run_images(
    folder: Path,
    recipe: Recipe,
    *,
    classes: Sequence[str] | None,
    splits: Path,
    source: Any = None,
    reporter: Reporter,
) -> RunImages:
    """Open the source of a run.

    Args:
        folder: the run's.
        recipe: the run's.
        classes: the run's, in the order of the network's outputs; None where it has not begun.
        splits: its file of splits; it may be missing.
        source: where its images are now, or the arrays; None for where they were.
        reporter: told what was found and skipped.

    Raises:
        ConvlensError: the source was arrays in memory, is no longer there, or has none of the
            images of the run.
    """
    if source is None and recipe.source == ARRAYS:
        raise ConvlensError(
            f"{folder} was trained on arrays in memory, which are gone; pass them, or "
            "another SOURCE of labeled images",
            code="no-source",
        )
    where = recipe.source if source is None else source
    try:
        return _opened(where, recipe, folder, classes=classes, splits=splits, reporter=reporter)
    except ConvlensError as error:
        if source is not None or error.code != "no-such-source":
            raise
        raise ConvlensError(
            f"the images of {folder} are no longer where they were: {where} does not exist",
            remedy="bring them back, or pass where they are now: --source SOURCE (in Python, "
            "source=...)",
            code="no-such-source",
        ) from error


def _opened(
    where: Any,
    recipe: Recipe,
    folder: Path,
    *,
    classes: Sequence[str] | None,
    splits: Path,
    reporter: Reporter,
) -> RunImages:
    if classes is not None and splits.is_file():
        images, changes = reopen_source(
            where, classes=classes, splits=splits, settings=recipe.data, reporter=reporter
        )
        return RunImages(images=images, changes=changes)
    settings = recipe.data.model_copy(update={"splits": splits if splits.is_file() else None})
    images = open_source(where, seed=recipe.seed, settings=settings, reporter=reporter)
    return RunImages(images=_numbered_by(classes, images, folder), changes=SourceChanges())


def _numbered_by(classes: Sequence[str] | None, images: ImageSet, folder: Path) -> ImageSet:
    """The images numbered by these classes, which must be their own in any order."""
    if classes is None or tuple(classes) == images.classes:
        return images
    if set(classes) != set(images.classes):
        added, removed = (
            some(sorted(set(one) - set(other)), 10) or "none"
            for one, other in ((images.classes, classes), (classes, images.classes))
        )
        raise ConvlensError(
            f"the classes of {images.name} changed since {folder} was trained (added: {added}; "
            f"removed: {removed}), and its splits.csv is missing; restore either, or pass a "
            "SOURCE of labeled images",
            code="other-classes",
        )
    numbers = np.array([tuple(classes).index(name) for name in images.classes], np.int64)
    return replace(images, classes=tuple(classes), labels=numbers[images.labels])
