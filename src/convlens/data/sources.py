"""Opening a source, whatever form it has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize, some
from convlens.core.paths import exists, is_dir, is_file, typed_path
from convlens.core.reporter import Reporter
from convlens.data.archive_members import archive_name
from convlens.data.archives import read_archive
from convlens.data.arrays import read_arrays, read_npz
from convlens.data.catalog import known_datasets
from convlens.data.datasets import read_dataset
from convlens.data.duplicates import copy_notes, joined, same_arrays, same_files
from convlens.data.folders import read_folder
from convlens.data.image_files import find_images, no_images, tell_skipped
from convlens.data.image_set import SPLITS, ImageSet, Skipped, normalized
from convlens.data.labeled import UNSAID, Labeled, validate_classes
from convlens.data.scan import scan_headers
from convlens.data.settings import DataSettings
from convlens.data.source_changes import SourceChanges, changes_since
from convlens.data.splits import image_set, split
from convlens.data.splits_file import read_split_rows
from convlens.data.table_paths import is_address
from convlens.data.tables import TABLE_SUFFIXES, read_table

Source: TypeAlias = str | Path | tuple[Any, Any]
"""A path or name; or arrays ``(X, y)``, or ``((X, y), (X_test, y_test))``."""


def open_source(
    source: Source,
    *,
    seed: int = 0,
    settings: DataSettings | None = None,
    reporter: Reporter,
) -> ImageSet:
    """Open what the user points at, for training: every image labeled, and in a split.

    Args:
        source: a folder of class folders, an archive of one, a table, an ``.npz`` file, a name of
            the catalog, or arrays ``(X, y)``.
        seed: for the splits that are to be cut.
        settings: how to read and split it.
        reporter: told what was found, done and skipped.

    Raises:
        ConvlensError: it is none of these, or cannot be trained on as it stands.
    """
    settings = settings or DataSettings()
    labeled = _read(source, settings, for_training=True, reporter=reporter)
    labeled = _readable(labeled, reporter)
    validate_classes(
        labeled.name, labeled.classes, "labels of at least two kinds, or two class folders"
    )
    names = labeled.names()
    images = split(_with_copies(labeled, names, reporter), names, seed=seed, settings=settings)
    _tell(images, reporter)
    return images


_SPREADSHEETS = frozenset({".xlsx", ".xls", ".xlsm", ".ods"})
_WITHOUT_CLASSES = frozenset(
    {"no-class-folders", "ambiguous-classes", "one-class", "unknown-source"}
)
"""Why a source cannot be trained on whose images can be used all the same."""


def open_images(source: Source, *, seed: int = 0, reporter: Reporter) -> ImageSet:
    """Open what the user points at, for work that needs no classes.

    Args:
        source: as for `open_source`; or an image file, or a folder of them at any depth.
        seed: for the splits that are to be cut.
        reporter: told what was found, done and skipped.

    Returns:
        What `open_source` gives. Where there is one class only, nothing is cut, and a folder with a
        test split is read as if it had no classes: such images have the label -1, and no split.

    Raises:
        ConvlensError: it is none of these, or has no images.
    """
    try:
        return open_source(source, seed=seed, reporter=reporter)
    except ConvlensError as error:
        if error.code not in _WITHOUT_CLASSES:
            raise
        found = _of_one_class(source, reporter) if error.code == "one-class" else None
        if found is None and isinstance(source, str | Path):
            found = _without_classes(typed_path(source), reporter)
        if found is None:
            raise
        return found


def _of_one_class(source: Source, reporter: Reporter) -> ImageSet | None:
    """Every image with its class; None where only the images of one split were read."""
    labeled = _read(source, DataSettings(), for_training=False, reporter=reporter)
    if labeled.root and len(labeled.in_split("test")):
        return None
    images = image_set(_readable(labeled, reporter), labeled.given, notes=labeled.notes)
    reporter.say(f"found {pluralize(len(images))} of one class, '{images.classes[0]}'")
    tell_skipped(images.skipped, reporter)
    return images


def _without_classes(path: Path, reporter: Reporter) -> ImageSet:
    files, skipped = find_images([path], reporter)
    reporter.say(f"found {pluralize(len(files))} without classes")
    none = np.zeros(0, np.int64)
    return ImageSet(
        name=path.resolve().name or "images",
        classes=(),
        labels=np.full(len(files), -1, np.int64),
        splits=dict.fromkeys(SPLITS, none),
        paths=files,
        skipped=skipped,
        root=str(path if is_dir(path) else path.parent),
    )


def open_for_evaluation(
    source: Source,
    *,
    classes: Sequence[str],
    settings: DataSettings | None = None,
    reporter: Reporter,
) -> ImageSet:
    """Open what the user points at, to measure a trained network on it.

    Args:
        source: as for `open_source`.
        classes: the network's classes; the source's are matched to them by name.
        settings: what a table's columns are called; nothing is cut.
        reporter: told what was found, done and skipped.

    Returns:
        An image set with ``classes`` and with every image in ``"test"``, or only those of the
        source's own test split where it has one.

    Raises:
        ConvlensError: the source cannot be read, or has classes that the network does not know.
    """
    labeled = _read(source, settings or DataSettings(), for_training=False, reporter=reporter)
    own = labeled.in_split("test")
    labeled = labeled.take(own) if own.size else labeled
    known = {normalized(name): number for number, name in enumerate(classes)}
    used = [labeled.classes[number] for number in np.unique(labeled.labels)]
    if unknown := [name for name in used if name not in known]:
        raise ConvlensError(
            f"{labeled.name} has classes that the network was not trained on: "
            f"{some(unknown, 10)}; expected some of: {some(classes, 10)}. "
            "Rename their folders or labels, or leave their images out",
            code="unknown-classes",
        )
    notes = labeled.notes
    if absent := [name for name in classes if normalized(name) not in used]:
        notes += (f"no images of {len(absent)} of {len(classes)} classes: {some(absent)}",)
    numbers = np.array([known.get(name, -1) for name in labeled.classes], np.int64)
    matched = replace(labeled, classes=tuple(classes), labels=numbers[labeled.labels])
    test = np.full(len(matched), SPLITS.index("test"), np.int8)
    images = image_set(matched, test, notes=notes)
    _tell(images, reporter)
    return images


def reopen_source(
    source: Source,
    *,
    classes: Sequence[str],
    splits: Path,
    settings: DataSettings | None = None,
    reporter: Reporter,
) -> tuple[ImageSet, SourceChanges]:
    """Open the source of a run again: the run's images, numbered by the run's classes.

    Classes and images are matched by name. Those that the run did not have are left out, so that
    every image is in the split that it was in, and none has the number of another class.

    Args:
        source: as for `open_source`, as it is now.
        classes: the run's, in the order of the network's outputs.
        splits: the run's file of splits.
        settings: what a table's columns are called; nothing is cut.
        reporter: told what was found and skipped; not what changed.

    Returns:
        An image set with ``classes``, and what changed. For a source that did not change the image
        set is the one that the run was trained on.

    Raises:
        ConvlensError: the source cannot be read, or none of the run's images is there.
    """
    labeled, only_test = _read_again(source, settings or DataSettings(), reporter)
    names, rows = labeled.names(), read_split_rows(splits)
    if not rows:
        raise ConvlensError(
            f"{splits} names no images; expected those that the run was trained on",
            remedy="restore it",
            code="bad-splits",
        )
    changes = changes_since(rows, labeled, names, classes=classes, only_test=only_test)
    known = {normalized(name): number for number, name in enumerate(classes)}
    numbers = np.array([known.get(name, -1) for name in labeled.classes], np.int64)
    given = [SPLITS.index(rows[name].split) if name in rows else UNSAID for name in names]
    matched = replace(
        labeled,
        classes=tuple(classes),
        labels=numbers[labeled.labels],
        given=np.array(given, np.int8),
    )
    kept = np.flatnonzero((matched.labels >= 0) & (matched.given != UNSAID))
    if not len(kept):
        raise ConvlensError(
            f"{labeled.name} has none of the images that the run was trained on: "
            f"{'; '.join(changes.lines())}",
            remedy="bring them back, or pass other labeled images as SOURCE",
            code="other-images",
        )
    matched, _ = _without_unreadable(matched.take(kept), reporter)
    matched = _with_copies(matched, matched.names(), reporter)
    note = f"splits kept from {splits.name}: {pluralize(len(matched))}"
    images = image_set(matched, matched.given, notes=(*matched.notes, note))
    _tell(images, reporter)
    return images, changes


def _read_again(source: Source, settings: DataSettings, reporter: Reporter) -> tuple[Labeled, bool]:
    """What a source holds, whatever became of its classes; whether it is the test images alone."""
    try:
        return _read(source, settings, for_training=True, reporter=reporter), False
    except ConvlensError as error:
        if error.code not in {"one-class", "classes-differ"}:
            raise
    labeled = _read(source, settings, for_training=False, reporter=reporter)
    return labeled, bool(labeled.root and len(labeled.in_split("test")) == len(labeled))


def _read(
    source: Source, settings: DataSettings, *, for_training: bool, reporter: Reporter
) -> Labeled:
    if not isinstance(source, str | Path):
        return read_arrays(source, settings.missing_labels)
    path = typed_path(source)
    if isinstance(source, str) and source in known_datasets():
        labeled = read_dataset(source, for_training=for_training, reporter=reporter)
        note = f"'{source}' is the dataset of that name; write ./{source} for the folder"
        return replace(labeled, notes=(*labeled.notes, note)) if exists(path) else labeled
    if is_dir(path):
        return read_folder(path, settings, for_training=for_training)
    if is_file(path):
        suffix = path.suffix.lower()
        if suffix in {".npz", ".npy"}:
            return read_npz(path, settings.missing_labels)
        if suffix in TABLE_SUFFIXES:
            return read_table(path, settings, for_training=for_training)
        if archive_name(path) is not None:
            return read_archive(path, settings, for_training=for_training, reporter=reporter)
    if path.suffix.lower() in _SPREADSHEETS and exists(path):
        raise ConvlensError(
            f"{source} is a spreadsheet; expected a table as text",
            remedy="save it as CSV UTF-8, and pass that",
            code="unknown-source",
        )
    if exists(path):
        raise ConvlensError(f"{source} is a file; expected {_forms()}", code="unknown-source")
    if is_address(str(source)):
        raise ConvlensError(
            f"{source} is a URL; expected {_forms()}",
            remedy="download it, and pass the file or the folder",
            code="no-such-source",
        )
    nearest = get_close_matches(str(source), known_datasets(), n=1)
    hint = f"did you mean '{nearest[0]}'? Expected" if nearest else "expected"
    raise ConvlensError(
        f"no such file, folder or dataset: {source}; {hint} {_forms()}", code="no-such-source"
    )


def _forms() -> str:
    return (
        "a folder of class folders, an archive of one (.zip, .tar.gz, .tar.xz), an .npz file with "
        "X and y, a table (.csv, .jsonl, .parquet) with the columns image and label, or a dataset: "
        + ", ".join(sorted(known_datasets()))
    )


def _readable(labeled: Labeled, reporter: Reporter) -> Labeled:
    """As `_without_unreadable`; a class of which no image can be read is refused."""
    found, unreadable = _without_unreadable(labeled, reporter)
    left = np.bincount(found.labels, minlength=len(found.classes))
    if empty := [name for name, n in zip(found.classes, left, strict=True) if not n]:
        number = next(i for i in unreadable if labeled.classes[labeled.labels[i]] in empty)
        first = f"{(labeled.paths or ())[number]}: {unreadable[number]}"
        raise ConvlensError(
            f"no image of {some(empty)} can be read ({first}); expected at least one readable "
            "image a class",
            remedy="replace the files, or remove the class",
            between=": ",
            code="class-without-images",
        )
    return found


def _without_unreadable(labeled: Labeled, reporter: Reporter) -> tuple[Labeled, Mapping[int, str]]:
    """Without the files whose header says that they cannot be read, and why; a note on the others.

    Raises:
        ConvlensError: none of them can be read.
    """
    if labeled.paths is None:
        return labeled, {}
    found = scan_headers(labeled.paths, reporter)
    bad = tuple(
        Skipped(labeled.paths[number], reason, unreadable=True)
        for number, reason in found.unreadable.items()
    )
    if len(bad) == len(labeled):
        raise no_images(labeled.root, bad)
    good = np.setdiff1d(np.arange(len(labeled)), list(found.unreadable))
    left = replace(
        labeled.take(good) if bad else labeled,
        skipped=(*labeled.skipped, *bad),
        notes=(found.summary(), *labeled.notes),
    )
    return left, found.unreadable


def _with_copies(labeled: Labeled, names: Sequence[str], reporter: Reporter) -> Labeled:
    """With exact copies in one group, and notes on them."""
    first = same_arrays(names) if labeled.paths is None else same_files(labeled.paths, reporter)
    if (first == np.arange(len(first))).all():
        return labeled
    groups = first if labeled.groups is None else joined(labeled.groups, first)
    notes = (*labeled.notes, *copy_notes(labeled, first))
    return replace(labeled, groups=groups, notes=notes)


def _tell(images: ImageSet, reporter: Reporter) -> None:
    """Say what was found: once, in the same words whatever the source was."""
    counts = ", ".join(
        f"{len(numbers):,} {name}" for name, numbers in images.splits.items() if len(numbers)
    )
    total = sum(map(len, images.splits.values()))
    reporter.say(f"found {pluralize(total)} in {len(images.classes)} classes: {counts}")
    for note in images.notes:
        reporter.say(note)
    tell_skipped(images.skipped, reporter)
