"""The part of the validation images that decides nothing, so that it can calibrate."""

import numpy as np
from numpy.typing import NDArray

from convlens.data.image_set import ImageSet, image_names
from convlens.data.stratify import TEST, deal, draws, shares

FEWEST = 20
"""A part of fewer images promises nothing of use: a coverage of 95 % takes 19."""


def split_calibration(
    images: ImageSet, *, share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide the validation images into those that decide and those that calibrate.

    Stratified by class; groups and exact copies stay on one side. Which side an image is on depends
    on the seed and the names of the validation images, so that a run that is resumed, and every
    process that shares it, divides them alike.

    Args:
        images: an image set.
        share: of the validation images that calibrate, in [0, 1); rounded up.
        seed: the run's seed.

    Returns:
        The numbers of the deciding images and of the calibrating ones, each (M,) int64 and sorted.
        None calibrate where they would be fewer than 20.

    Example:
        >>> import numpy as np
        >>> from convlens.core.reporter import Quiet
        >>> from convlens.data import open_source
        >>> deciding, calibrating = split_calibration(
        ...     open_source("digits", reporter=Quiet()), share=0.33, seed=0
        ... )
        >>> len(deciding), len(calibrating)
        (120, 60)
    """
    val = images.splits["val"]
    targets = shares(
        np.bincount(images.labels[val], minlength=len(images.classes)), test=share, val=0.0
    )
    if targets[:, TEST].sum() < FEWEST:
        return val, val[:0]
    names = image_names(
        None if images.paths is None else [images.paths[number] for number in val],
        None if images.arrays is None else images.arrays[val],
        images.root,
    )
    units = None if images.groups is None else images.groups[val]
    calibrates = deal(images.labels[val], targets, draws(names, seed), units) == TEST
    if calibrates.sum() < FEWEST or calibrates.all():  # large groups went to one side
        return val, val[:0]
    return val[~calibrates], val[calibrates]
