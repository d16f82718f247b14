"""From what a source gives to train, validation and test: what is missing is cut."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize, some
from convlens.data.image_set import SPLITS, ImageSet
from convlens.data.labeled import UNSAID, Labeled
from convlens.data.settings import DataSettings
from convlens.data.splits_file import kept_splits
from convlens.data.stratify import TEST, TRAIN, VAL, deal, draws, shares

_ALL_MISSING = {"val": 0.15, "test": 0.15}
_ONE_MISSING = {"val": 0.10, "test": 0.10}
_WORDS = {"train": "training", "val": "validation", "test": "test"}
_SIDE_OF_SPLIT = np.array([TRAIN, VAL, TEST, -1])  # the last is for UNSAID, which is -1
_SPLIT_OF_SIDE = np.array([SPLITS.index(name) for name in ("test", "val", "train")], np.int8)


def split(labeled: Labeled, names: Sequence[str], *, seed: int, settings: DataSettings) -> ImageSet:
    """Cut the splits that a source does not give from its training images, stratified by class.

    Where the source gives no splits, or training images alone, 15 % of them become validation and
    15 % test; where only one is missing, 10 % of train become that one: validation is never cut
    from test. ``settings`` may say otherwise. Images of one group stay on one side, and what a
    file of splits names stays where that says.

    Args:
        labeled: what the source holds.
        names: (N,) what its images are called, as `image_names` gives them.
        seed: the run's seed: the same seed cuts the same images.
        settings: shares of the splits to be cut.

    Raises:
        ConvlensError: there is nothing to train on, or the file of splits cannot be used.
    """
    pool = np.flatnonzero(np.isin(labeled.given, (UNSAID, SPLITS.index("train"))))
    if not pool.size:
        raise ConvlensError(
            f"{labeled.name} has images in {_names_given(labeled)} only; "
            "expected images to train on: add a train split",
            code="no-train-split",
        )
    notes = [*labeled.notes]
    kept = np.full(len(labeled), UNSAID, np.int8)
    if settings.splits is not None:
        kept, note = kept_splits(labeled.name, names, settings.splits)
        notes.append(note)
    missing = [name for name in ("val", "test") if not labeled.in_split(name).size]
    cut = _cut_shares(missing, labeled.fractions, settings)
    split_of = labeled.given.copy()
    split_of[pool] = _cut(labeled, pool, cut, draws(names, seed), kept)
    split_of = np.where(kept == UNSAID, split_of, kept)
    new = split_of[kept == UNSAID]
    notes += _cut_notes(labeled, new, missing if new.size else [], cut)
    notes += _absence_notes(labeled, split_of, few=any(cut.values()))
    images = image_set(
        labeled,
        split_of,
        notes=tuple(notes),
        cut=tuple(missing) if settings.splits is None else (),
    )
    _refuse_untaught_classes(images)
    return images


def image_set(
    labeled: Labeled,
    split_of: NDArray[np.int8],
    *,
    notes: tuple[str, ...],
    cut: tuple[str, ...] = (),
) -> ImageSet:
    """The image set with each image in the split that ``split_of`` (N,) gives; -1 for none."""
    return ImageSet(
        name=labeled.name,
        classes=labeled.classes,
        labels=labeled.labels,
        splits={
            name: np.flatnonzero(split_of == number).astype(np.int64)
            for number, name in enumerate(SPLITS)
        },
        paths=labeled.paths,
        arrays=labeled.arrays,
        skipped=labeled.skipped,
        notes=notes,
        cut=cut,
        axis_added=labeled.axis_added,
        groups=labeled.groups,
        root=labeled.root,
        doubts=labeled.doubts,
    )


def _cut_shares(
    missing: list[str], own: Mapping[str, float], settings: DataSettings
) -> dict[str, float]:
    default = _ALL_MISSING if len(missing) == 2 else _ONE_MISSING
    asked = {"val": settings.val, "test": settings.test}
    cut = {}
    for name in missing:
        share = asked[name]
        cut[name] = own.get(name, default[name]) if share is None else share
    return cut


def _cut(
    labeled: Labeled,
    pool: NDArray[np.int64],
    cut: Mapping[str, float],
    draw: NDArray[np.uint64],
    kept: NDArray[np.int8],
) -> NDArray[np.int8]:
    labels = labeled.labels[pool]
    counts = np.bincount(labels, minlength=len(labeled.classes))
    targets = shares(counts, test=cut.get("test", 0.0), val=cut.get("val", 0.0))
    units = None if labeled.groups is None else labeled.groups[pool]
    placed = _SIDE_OF_SPLIT[kept[pool]]
    return _SPLIT_OF_SIDE[deal(labels, targets, draw[pool], units, placed)]


def _cut_notes(
    labeled: Labeled, new: NDArray[np.int8], missing: list[str], cut: Mapping[str, float]
) -> list[str]:
    """What was cut, of the images whose splits were not kept."""
    notes = []
    for name in missing:
        count = int((new == SPLITS.index(name)).sum())
        done = f"{pluralize(count)} cut from train" if cut[name] else "none wanted"
        notes.append(f"no {_WORDS[name]} split in {labeled.name}: {done}")
    return notes


def _absence_notes(labeled: Labeled, split_of: NDArray[np.int8], *, few: bool) -> list[str]:
    """Which classes are missing from which split, and which were too small to be cut."""
    notes = []
    counts = np.bincount(labeled.labels, minlength=len(labeled.classes))
    small = [f"{n} ({c})" for n, c in zip(labeled.classes, counts, strict=True) if c < 3]
    if small and few:
        notes.append(f"too few images to be in every split (fewer than 3): {some(small)}")
    for number, name in enumerate(SPLITS):
        own = np.bincount(labeled.labels[split_of == number], minlength=len(counts))
        absent = [labeled.classes[i] for i in np.flatnonzero((own == 0) & (counts >= 3))]
        if absent and own.any():
            notes.append(f"no {_WORDS[name]} images of: {some(absent)}")
    return notes


def _refuse_untaught_classes(images: ImageSet) -> None:
    untaught = [name for name, count in images.counts()["train"].items() if not count]
    if untaught:
        raise ConvlensError(
            f"{images.name} has no training image of {some(untaught)}; expected at least one of "
            "each class",
            remedy="add images, leave the class out, or mend splits and groups",
            between=": ",
            code="class-without-images",
        )


def _names_given(labeled: Labeled) -> str:
    return " and ".join(name for name in SPLITS if labeled.in_split(name).size) or "no split"
