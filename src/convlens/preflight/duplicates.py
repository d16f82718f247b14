"""Findings about one picture that is there twice."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from convlens.core.formatting import percent, pluralize
from convlens.data import SPLITS
from convlens.preflight.codes import Severity
from convlens.preflight.context import WORDS, Material
from convlens.preflight.finding import Finding, found

SERIOUS = 0.04
"""The share of a split's images from which on copies in another split are an error: they may then
move the accuracy by 4 %, more than most changes do. CIFAR-10 as published has 3 %."""


def copies(data: Material) -> Finding | None:
    """Exact copies within a split."""
    first, side = data.first_copy, data.side
    again = np.flatnonzero((first != np.arange(len(first))) & (side == side[first]) & (side >= 0))
    if not again.size:
        return None
    one, other = data.short(int(first[again[0]])), data.short(int(again[0]))
    return found(
        "copies",
        f"{pluralize(len(again), 'file')} are exact copies of others in the same split, as {other} "
        f"of {one}",
        data.remedy_by_fixing,
        files=data.names(again),
        count=len(again),
    )


def copies_across_splits(data: Material) -> Finding | None:
    """Exact copies on both sides of a split."""
    first, side = data.first_copy, data.side
    again = np.flatnonzero((side != side[first]) & (side >= 0))
    return _across("copies-across-splits", "exact copies", data, first[again], again)


def near_duplicates_across_splits(data: Material) -> Finding | None:
    """Near duplicates on both sides of a split."""
    near = data.near
    return _across("near-duplicates", "near duplicates", data, near.one, near.other)


def _across(
    code: str,
    what: str,
    data: Material,
    one: NDArray[np.int64],
    other: NDArray[np.int64],
) -> Finding | None:
    if not len(one):
        return None
    affected = measured_images(one, other, data.side)
    shares = {split: len(own) / len(data.images.splits[split]) for split, own in affected.items()}
    told = " and ".join(
        f"{len(own):,} of {len(data.images.splits[split]):,} {WORDS[split]} images "
        f"({percent(shares[split], small=True)})"
        for split, own in affected.items()
    )
    a, b = data.short(int(one[0])), data.short(int(other[0]))
    severity: Severity = "error" if max(shares.values()) > SERIOUS else "warning"
    return found(
        code,
        f"{told} have {what} in another split, as {a} and {b}",
        data.remedy_by_fixing + f"; or --allow {code}" * (severity == "error"),
        severity=severity,
        files=data.names(int(i) for pair in zip(one, other, strict=True) for i in pair),
        pairs=[
            [data.short(int(a)), data.short(int(b))]
            for a, b in zip(one[:500], other[:500], strict=True)
        ],
        count=len(one),
        images={split: len(own) for split, own in affected.items()},
        share={split: round(share, 4) for split, share in shares.items()},
    )


def measured_images(
    one: NDArray[np.int64], other: NDArray[np.int64], side: NDArray[np.int8]
) -> Mapping[str, NDArray[np.int64]]:
    """Of each split that measures, its images that have a partner on a side that is nearer to
    teaching: test images in validation or training, validation images in training.
    """  # noqa: D205
    upper = np.where(side[one] > side[other], one, other)
    own = {split: np.unique(upper[side[upper] == SPLITS.index(split)]) for split in SPLITS[1:]}
    return {split: numbers for split, numbers in own.items() if len(numbers)}
