"""The table that ``--fix`` writes: every image of the source, what was left out, and why."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from convlens.core.csv_cells import csv_text
from convlens.core.errors import ConvlensError
from convlens.core.files import write_text
from convlens.data import CLEANED_COLUMNS, LEFT_OUT, SPLITS, ImageSet
from convlens.preflight.context import WORDS, Material
from convlens.preflight.pictures import blank_images


def validate_fix(path: Path) -> None:
    """Refuse the name of a table that cannot be written, before any work is done for it.

    Raises:
        ConvlensError: there is a file of that name, or it is no ``.csv``.
    """
    if path.suffix.lower() != ".csv" or path.exists():
        what = "is there already" if path.exists() else "is no .csv file"
        raise ConvlensError(
            f"{path} {what}; give --fix the name of a new one, such as clean.csv", code="bad-fix"
        )


def validate_no_arrays(images: ImageSet) -> None:
    """Refuse images that have no files: a table could not name them.

    Raises:
        ConvlensError: they are arrays.
    """
    if images.paths is None:
        raise ConvlensError(
            f"{images.name} holds arrays, and a table names files; leave the images out of the "
            "arrays: --json lists them by number",
            code="no-files",
        )


def write_cleaned(data: Material, path: Path) -> int:
    """Write a cleaned table, which ``convlens train`` takes; the source is left as it is.

    Left out are files that cannot be read, blank pictures, files that stand under two classes, all
    but one of exact copies, and of near duplicates across splits the one that is nearer to
    teaching: training images go before validation images, and these before test images, so that
    what measures stays what it was. File names are relative to the table where they lie below it.
    Where images are grouped, a column says with which: a number a group, none for an image alone.

    Args:
        data: the images, and what was seen of them.
        path: a new ``.csv`` file.

    Returns:
        How many images are left out.

    Raises:
        ConvlensError: the source has no files, or there is a file of that name.
    """
    validate_no_arrays(data.images)
    validate_fix(path)
    reasons = left_out(data)
    groups = _groups(data, reasons)
    rows: list[list[object]] = [[*CLEANED_COLUMNS, *(["group"] if groups else [])]]
    folder = path.absolute().parent
    for number, file in enumerate(data.images.paths or ()):
        side, why = int(data.side[number]), reasons.get(number, "")
        split = LEFT_OUT if why or side < 0 else SPLITS[side]
        label = data.images.classes[data.images.labels[number]]
        own = [groups.get(number, "")] if groups else []
        rows.append([_name(file, folder), label, split, why, *own])
    for skipped in data.images.skipped:
        own = [""] if groups else []
        rows.append([_name(skipped.path, folder), "", LEFT_OUT, skipped.reason, *own])
    write_text(path, csv_text(rows))
    return len(reasons) + len(data.images.skipped)


def _groups(data: Material, reasons: Mapping[int, str]) -> dict[int, int]:
    """The group of each image that is kept beside others of its group; exact copies are not."""
    if data.images.groups is None:
        return {}
    kept = np.setdiff1d(np.flatnonzero(data.side >= 0), list(reasons))
    _, own, sizes = np.unique(data.images.groups[kept], return_inverse=True, return_counts=True)
    several = sizes[own] > 1
    return dict(zip(kept[several].tolist(), own[several].tolist(), strict=True))


def left_out(data: Material) -> dict[int, str]:
    """Why, for the number of each image that is to be left out."""
    return {
        **_one_of_near_duplicates(data),
        **_all_but_one_copy(data),
        **{int(n): "it shows nothing" for n in blank_images(data)},
        **_under_two_labels(data),
        **{n: f"it cannot be read: {why}" for n, why in data.facts.unreadable.items()},
    }


def _under_two_labels(data: Material) -> dict[int, str]:
    labels, first = data.images.labels, data.first_copy
    torn = np.unique(first[labels != labels[first]])
    reasons = {}
    for number in np.flatnonzero(np.isin(first, torn)).tolist():
        kinds = np.unique(labels[first == first[number]])
        names = " and ".join(f"'{data.images.classes[kind]}'" for kind in kinds)
        reasons[number] = f"the same picture stands under {names}"
    return reasons


def _all_but_one_copy(data: Material) -> dict[int, str]:
    """Of exact copies the one that measures stays: in test before validation before training."""
    first, side = data.first_copy, data.side
    reasons = {}
    for group in np.unique(first[first != np.arange(len(first))]).tolist():
        members = np.flatnonzero(first == group)
        kept = int(members[np.argmax(side[members])])
        for number in members.tolist():
            if number != kept:
                reasons[number] = f"an exact copy of {data.short(kept)}"
    return reasons


def _one_of_near_duplicates(data: Material) -> dict[int, str]:
    reasons: dict[int, str] = {}
    side = data.side
    for pair in zip(data.near.one.tolist(), data.near.other.tolist(), strict=True):
        low, high = sorted(pair, key=lambda number: side[number])
        split = WORDS[SPLITS[side[high]]]
        reasons.setdefault(low, f"a near duplicate of the {split} image {data.short(high)}")
    return reasons


def _name(file: str, folder: Path) -> str:
    path = Path(os.path.abspath(file))  # noqa: PTH100 - links stay as the user made them
    return path.relative_to(folder).as_posix() if path.is_relative_to(folder) else str(path)
