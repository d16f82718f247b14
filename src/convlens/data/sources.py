"""Opening a source, whatever form it has."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Reporter
from convlens.data.arrays import read_arrays, read_npz
from convlens.data.class_folders import read_class_folders
from convlens.data.digits import read_digits
from convlens.data.image_files import tell_skipped
from convlens.data.image_set import SPLITS, ImageSet, counted, normalised, some
from convlens.data.labelled import Labelled, refuse_one_class
from convlens.data.settings import DataSettings
from convlens.data.splits import image_set, split

Source = str | Path | tuple[ArrayLike, ArrayLike]

_NAMED: dict[str, Callable[[], Labelled]] = {"digits": read_digits}
_FORMS = (
    f"a folder of class folders, an .npz file with X and y, or one of: {', '.join(sorted(_NAMED))}"
)


def open_source(
    source: Source,
    *,
    seed: int = 0,
    settings: DataSettings | None = None,
    reporter: Reporter,
) -> ImageSet:
    """Open what the user points at, for training: every image labelled, and in a split.

    Args:
        source: a folder of class folders, an ``.npz`` file, a name of the catalogue, or arrays
            ``(X, y)``.
        seed: for the splits that are to be cut.
        settings: how to read and split it.
        reporter: told what was found, done and skipped.

    Raises:
        ConvlensError: it is none of these, or cannot be trained on as it stands.
    """
    labelled = _read(source, for_training=True)
    refuse_one_class(
        labelled.name, labelled.classes, "labels of at least two kinds, or two class folders"
    )
    images = split(labelled, seed=seed, settings=settings or DataSettings())
    _tell(images, reporter)
    return images


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
        settings: how to read it; nothing is cut.
        reporter: told what was found, done and skipped.

    Returns:
        An image set with ``classes`` and with every image in ``"test"``, or only those of the
        source's own test split where it has one.

    Raises:
        ConvlensError: the source cannot be read, or has classes that the network does not know.
    """
    del settings  # columns of tables
    labelled = _read(source, for_training=False)
    own = labelled.in_split("test")
    labelled = labelled.take(own) if own.size else labelled
    known = {normalised(name): number for number, name in enumerate(classes)}
    used = [labelled.classes[number] for number in np.unique(labelled.labels)]
    if unknown := [name for name in used if name not in known]:
        raise ConvlensError(
            f"{labelled.name} has classes that the network was not trained on: "
            f"{some(unknown, 10)}; expected some of: {some(classes, 10)}. "
            "Rename their folders or labels, or leave their images out",
            code="unknown-classes",
        )
    notes = labelled.notes
    if absent := [name for name in classes if normalised(name) not in used]:
        notes += (f"no images of {len(absent)} of {len(classes)} classes: {some(absent)}",)
    numbers = np.array([known.get(name, -1) for name in labelled.classes], np.int64)
    matched = replace(labelled, classes=tuple(classes), labels=numbers[labelled.labels])
    test = np.full(len(matched), SPLITS.index("test"), np.int8)
    images = image_set(matched, test, notes=notes)
    _tell(images, reporter)
    return images


def _read(source: Source, *, for_training: bool) -> Labelled:
    if not isinstance(source, str | Path):
        return read_arrays(source)
    path = Path(source).expanduser()
    if isinstance(source, str) and source in _NAMED:
        labelled = _NAMED[source]()
        note = f"'{source}' is the dataset of that name; write ./{source} for the folder"
        return replace(labelled, notes=(*labelled.notes, note)) if path.exists() else labelled
    if path.is_dir():
        return read_class_folders(path, for_training=for_training)
    if path.is_file() and path.suffix.lower() in {".npz", ".npy"}:
        return read_npz(path)
    if path.exists():
        raise ConvlensError(f"{source} is a file; expected {_FORMS}", code="unknown-source")
    nearest = get_close_matches(str(source), _NAMED, n=1)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    raise ConvlensError(
        f"no such file, folder or dataset: {source}; {hint}Expected {_FORMS}",
        code="no-such-source",
    )


def _tell(images: ImageSet, reporter: Reporter) -> None:
    """Say what was found: once, in the same words whatever the source was."""
    counts = ", ".join(
        f"{len(numbers):,} {name}" for name, numbers in images.splits.items() if len(numbers)
    )
    total = sum(map(len, images.splits.values()))
    reporter.say(f"found {counted(total)} in {len(images.classes)} classes: {counts}")
    for note in images.notes:
        reporter.say(note)
    tell_skipped(images.skipped, reporter)
