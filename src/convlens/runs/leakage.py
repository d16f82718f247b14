"""Which images a run has learned from: figures on those would flatter it."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet, Reporter
from convlens.data import ImageSet, read_splits, same_files
from convlens.prediction import TrainingImages
from convlens.runs.run import SPLITS_FILE, Run


def seen_in_training(
    folder: Path,
    images: ImageSet,
    numbers: NDArray[np.int64],
    *,
    source: str,
    known: TrainingImages | None = None,
    reporter: Reporter | None = None,
) -> NDArray[np.bool_] | None:
    """Which of some images are training or validation images of a run, or exact copies of them.

    A bundle knows them by their content, wherever they lie. Of a bundle of an earlier version,
    images of the run's own source are known by name, arrays by their pixels, files of another
    source by their bytes.

    Args:
        folder: the run's.
        images: an image set.
        numbers: (N,) which of its images.
        source: what they come from, as a recipe writes it.
        known: what the bundle says; None where it is of an earlier version.
        reporter: sees the reading.

    Returns:
        (N,); None where it cannot be known: arrays cannot be compared with files, and of an earlier
        version there is a bundle alone, or the run's images are gone.
    """
    if known is not None:
        return known.among(images, numbers, reporter or Quiet())
    if not (folder / SPLITS_FILE).is_file():
        return None
    run = Run(folder)
    own = {
        name
        for name, split in read_splits(folder / SPLITS_FILE).items()
        if split in {"train", "val"}
    }
    if images.arrays is not None or source == run.recipe.source:
        if images.arrays is not None and not all(map(_is_digest, own)):
            return None
        names = images.names()
        return np.array([names[number] in own for number in numbers.tolist()], bool)
    with suppress(ConvlensError):
        return _copies(run.images(Quiet()), own, images, numbers)
    return None


def _is_digest(name: str) -> bool:
    """Whether an image is called as arrays are: see `convlens.data.ImageSet.names`."""
    return len(name) == 16 and not set(name) - set("0123456789abcdef")


def _copies(
    theirs: ImageSet, own: set[str], images: ImageSet, numbers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which files have the content of a file of another image set, of those with such names."""
    learned = [
        path for path, name in zip(theirs.paths or (), theirs.names(), strict=True) if name in own
    ]
    if not learned:
        raise ConvlensError("none of the run's own images are files", code="no-images")
    shown = [(images.paths or ())[number] for number in numbers.tolist()]
    first = same_files([*learned, *shown], Quiet())
    return first[len(learned) :] < len(learned)
