"""Which images a run has learnt from: figures on those would flatter it."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.data import ImageSet, read_splits, same_files
from convlens.recipe.run import SPLITS_FILE, Run


def learnt_from(
    folder: Path, images: ImageSet, numbers: NDArray[np.int64], *, source: str
) -> NDArray[np.bool_] | None:
    """Which of some images are training or validation images of a run, or exact copies of them.

    Images of the run's own source are known by name, arrays by their pixels, files of another
    source by their bytes.

    Args:
        folder: the run's.
        images: an image set.
        numbers: (N,) which of its images.
        source: what they come from, as a recipe writes it.

    Returns:
        (N,); None where it cannot be told: there is a bundle alone, or the run's images are gone.
    """
    if not (folder / SPLITS_FILE).is_file():
        return None
    run = Run(folder)
    own = {
        name
        for name, split in read_splits(folder / SPLITS_FILE).items()
        if split in {"train", "val"}
    }
    if images.arrays is not None or source == run.recipe.source:
        names = images.names()
        return np.array([names[number] in own for number in numbers.tolist()], bool)
    with suppress(ConvlensError):
        return _copies(run.images(Quiet()), own, images, numbers)
    return None


def _copies(
    theirs: ImageSet, own: set[str], images: ImageSet, numbers: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which files have the content of a file of another image set, of those with such names."""
    learnt = [
        path for path, name in zip(theirs.paths or (), theirs.names(), strict=True) if name in own
    ]
    shown = [(images.paths or ())[number] for number in numbers.tolist()]
    first = same_files([*learnt, *shown], Quiet())
    return first[len(learnt) :] < len(learnt)
