"""K-fold cross-validation: every image but the test images validates once."""

from dataclasses import replace

import numpy as np

from convlens.core.errors import ConvlensError
from convlens.data.image_set import ImageSet
from convlens.data.stratify import deal, draws, even_shares


def k_folds(images: ImageSet, k: int, *, seed: int = 0) -> tuple[ImageSet, ...]:
    """The same images k times, each time with another k-th of train and validation to validate.

    Folds are stratified by class and keep groups and exact copies together; the test split stays
    what it is, apart from all of them.

    Args:
        images: an image set.
        k: how many folds, at least 2.
        seed: the same seed makes the same folds.

    To train on one of them, write down which image is where, and have that kept::

        for number, fold in enumerate(k_folds(open_source("plants", reporter=Quiet()), 5)):
            write_splits(fold, Path(f"fold-{number}.csv"))
            convlens.train("plants", splits=f"fold-{number}.csv")

    Raises:
        ConvlensError: k is below 2, or there are fewer images, or groups of them, than folds.
    """
    pool = np.sort(np.concatenate([images.splits["train"], images.splits["val"]]))
    units = pool if images.groups is None else images.groups[pool]
    together = len(np.unique(units))
    if not 2 <= k <= together:
        raise ConvlensError(
            f"{k} folds were asked for; expected from 2 to {together:,}, as many as {images.name} "
            "has images or groups of images outside the test split",
            code="bad-folds",
        )
    names = images.names()
    labels = images.labels[pool]
    fold = deal(
        labels,
        even_shares(np.bincount(labels, minlength=len(images.classes)), k),
        draws([names[number] for number in pool], seed),
        units,
    )
    return tuple(
        replace(images, splits={**images.splits, "train": pool[fold != i], "val": pool[fold == i]})
        for i in range(k)
    )
