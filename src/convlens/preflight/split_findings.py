"""Findings about splits: groups that straddle them, and too few images to decide by."""

import math

import numpy as np

from convlens.core.formatting import pluralize
from convlens.data import SPLITS
from convlens.preflight.context import Material
from convlens.preflight.finding import Finding, found

TOLD_APART = 0.01
_Z = 1.959964
_USUAL = 0.9
_LARGEST_SHARE = 0.3


def group_straddles(data: Material) -> Finding | None:
    """Groups with images on both sides of a split."""
    groups, side = data.images.groups, data.side
    if groups is None:
        return None
    placed = np.flatnonzero(side >= 0)
    _, own = np.unique(groups[placed], return_inverse=True)
    own = own.astype(np.int64)
    low, high = np.full(own.max() + 1, len(SPLITS)), np.full(own.max() + 1, -1)
    np.minimum.at(low, own, side[placed])
    np.maximum.at(high, own, side[placed])
    # Exact copies are kept in one group too: what straddles for them alone is told elsewhere.
    split_up = placed[(low != high)[own] & (data.first_copy[placed] == placed)]
    broken = len(np.unique(groups[split_up]))
    alone = np.unique(groups[split_up], return_counts=True)[1]
    if not split_up.size or not (alone > 1).any():
        return None
    return found(
        "group-straddles",
        f"{pluralize(broken, 'group')} have images on both sides of a split, as "
        f"{data.short(int(split_up[0]))}",
        "mend the splits, or have whole groups dealt out: leave --splits and the split column out",
        files=data.names(split_up),
        groups=broken,
    )


def split_unused(data: Material) -> Finding | None:
    """What looks like splits in a table and is not used."""
    doubt = data.images.doubts.get("split-unused")
    if doubt is None:
        return None
    return found(
        "split-unused",
        f"{doubt.seen}, and that is not used: splits are cut anew",
        doubt.remedy,
    )


def validation_small(data: Material) -> Finding | None:
    """Too few validation images decide to tell 1 % apart."""
    n, calibrate = data.deciding, len(data.images.splits["val"]) - data.deciding
    needed = images_to_tell(TOLD_APART, at=_USUAL)
    if not n or n >= needed:
        return None
    half = half_width(n, at=_USUAL)
    apart = f" ({calibrate:,} more calibrate)" * bool(calibrate)
    return found(
        "validation-small",
        f"{pluralize(n, 'validation image')} decide{'s' * (n == 1)}{apart}, which tells accuracies "
        f"near {100 * _USUAL:.0f} % apart to ±{100 * half:.1f} %; to tell 1 % apart it takes "
        f"{needed:,}",
        _more_to_validate_on(data, needed),
        images=n,
        half_width=round(half, 4),
        images_needed=needed,
    )


def _more_to_validate_on(data: Material, deciding: int) -> str:
    """How to have as many validation images that decide, where so many can be spared."""
    calibration = data.recipe.data.calibration if data.recipe else 0.0
    wanted = math.ceil((deciding + 1) / (1 - calibration))  # the share that calibrates is rounded
    cut = "val" in data.images.cut
    pool = [name for name in SPLITS if name != "test" or (cut and "test" in data.images.cut)]
    share = math.ceil(100 * wanted / sum(len(data.images.splits[name]) for name in pool)) / 100
    if share > _LARGEST_SHARE:
        return "read small differences as chance; more images are the only remedy"
    if cut:
        return f"--set data.val={share:g}"
    return f"move training images into val, until {wanted:,} are there"


def half_width(n: int, *, at: float) -> float:
    """Half the width of Wilson's 95 % interval of a proportion.

    Args:
        n: images measured on.
        at: the proportion, in [0, 1].

    Source:
        E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
        JASA 22, 1927.

    Example:
        >>> round(half_width(1000, at=0.9), 4)
        0.0186
    """
    spread = at * (1 - at) / n + _Z**2 / (4 * n**2)
    return _Z * math.sqrt(spread) / (1 + _Z**2 / n)


def images_to_tell(difference: float, *, at: float) -> int:
    """How many images bring half the width of the 95 % interval down to a difference.

    Example:
        >>> images_to_tell(0.01, at=0.9)
        3461
    """
    n = math.ceil(_Z**2 * at * (1 - at) / difference**2)
    while half_width(n, at=at) > difference:
        n += 1
    return n
