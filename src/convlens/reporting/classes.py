"""Each class's figures, and how many images of it there were."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST = 1000
"""Classes that a table shows: beyond it, the others are counted."""


@dataclass(frozen=True, kw_only=True)
class ClassRows:
    """The section on classes.

    Attributes:
        rows: as ``metrics.json`` has them, the weakest first; those without images last.
        left_out: classes beyond those shown.
    """

    rows: Sequence[Mapping[str, Any]]
    left_out: int


@dataclass(frozen=True, kw_only=True)
class Samples:
    """How many images of each class each split has.

    Attributes:
        splits: those that have any.
        rows: a name, and its count in each of these splits.
        most: the largest sum of a row.
        left_out: classes beyond those shown.
        told: what is to be said of the balance.
    """

    splits: tuple[str, ...]
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    most: int
    left_out: int
    told: str


def class_rows(figures: Mapping[str, Any] | None) -> ClassRows | None:
    """Each class's figures; None where nothing was measured."""
    if figures is None:
        return None
    rows = sorted(figures["classes"], key=lambda own: (own["recall"] is None, own["recall"]))
    return ClassRows(rows=rows[:MOST], left_out=max(0, len(rows) - MOST))


def sample_rows(environment: Mapping[str, Any]) -> Samples | None:
    """Images per class and split; None where it is not known."""
    images = environment.get("data", {}).get("images")
    if not images:
        return None
    splits = tuple(split for split, own in images.items() if sum(own.values()))
    names = list(next(iter(images.values())))
    rows = tuple((name, tuple(images[split].get(name, 0) for split in splits)) for name in names)
    return Samples(
        splits=splits,
        rows=rows[:MOST],
        most=max((sum(counts) for _, counts in rows), default=0),
        left_out=max(0, len(rows) - MOST),
        told=_balance(images.get("train", {})),
    )


def _balance(counts: Mapping[str, int]) -> str:
    """How the commonest class compares with the rarest."""
    filled = {name: count for name, count in counts.items() if count}
    if not filled:
        return ""
    common, rare = max(filled, key=filled.__getitem__), min(filled, key=filled.__getitem__)
    ratio = filled[common] / filled[rare]
    if ratio < 1.5:
        return "The classes have about as many training images each."
    return (
        f"Of “{common}” there are {ratio:.1f} times as many training images as of “{rare}” "
        f"({filled[common]:,} and {filled[rare]:,})."
    )
