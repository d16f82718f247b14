"""The embedded data: scikit-learn's 1,797 handwritten digits, 8×8 gray."""

import numpy as np

from convlens.data.image_set import SPLITS, image_names
from convlens.data.labeled import UNSAID, Labeled
from convlens.data.stratify import TEST, deal, draws, shares

VALIDATION = 180 / 1437


def read_digits() -> Labeled:
    """Read the digits, with a test split of 360 images (20 %) that no seed changes.

    A test split that moved with the seed would hold images that another run was trained on, and
    ``evaluate RUN digits`` would measure them. Validation, 180 images, is cut from the rest.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
    Learning Repository, 1998 (its test part, as scikit-learn bundles it).
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415 - it costs half a second

    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    labels = labels.astype(np.int64)
    side = deal(
        labels,
        shares(np.bincount(labels), test=0.2, val=0.0),
        draws(image_names(None, pixels), seed=0),
    )
    return Labeled(
        name="digits",
        classes=tuple("0123456789"),
        labels=labels,
        given=np.where(side == TEST, SPLITS.index("test"), UNSAID).astype(np.int8),
        arrays=pixels,
        fractions={"val": VALIDATION},
    )
