"""Dealing images out to sides: stratified by class, whole units only, a function of the seed.

A *unit* is what must stay together: a group, exact duplicates, or one image alone. What an image
draws depends on the seed and its own name alone, so that when images are added almost all others
stay where they were.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convlens.core.rng import Stream, bits

TEST, VAL, TRAIN = 0, 1, 2


def draws(names: Sequence[str], seed: int) -> NDArray[np.uint64]:
    """A random number for each name, which depends on the seed and the name alone.

    Args:
        names: (N,) names of images, such as `image_names` gives.
        seed: the run's seed.

    Returns:
        (N,) uint64.
    """
    digests = b"".join(
        hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        for name in names
    )
    return bits(seed, 0, np.frombuffer(digests, "<i8"), Stream.SPLIT)


def shares(counts: NDArray[np.int64], test: float, val: float) -> NDArray[np.int64]:
    """How many images of each class go to test, validation and train.

    The totals are the shares of all images, rounded up, and dealt to the classes by largest
    remainder. A class with three images or more has one on every side; of two, one is to train on
    and one to test; a single one is to train on. Where that changes a class's share, totals follow.

    Args:
        counts: (K,) images of each class.
        test: share of the test side, in [0, 1).
        val: share of the validation side, in [0, 1).

    Returns:
        (K, 3) int64 in the order test, validation, train.

    Example:
        >>> shares(np.array([10, 20, 3]), test=0.2, val=0.1).tolist()
        [[2, 1, 7], [4, 2, 14], [1, 1, 1]]
    """
    sides: NDArray[np.int64] = np.stack([_apportion(counts, test), _apportion(counts, val)], axis=1)
    wanted = np.array([test > 0, val > 0])
    room = np.minimum(np.maximum(counts - 1, 0), wanted.sum())
    first_wanted = np.cumsum(wanted) * wanted
    at_least = (first_wanted[None, :] > 0) & (first_wanted[None, :] <= room[:, None])
    sides = np.maximum(sides, at_least)
    for _ in range(int(max(0, (sides.sum(axis=1) - np.maximum(counts - 1, 0)).max(initial=0)))):
        excess = sides.sum(axis=1) > np.maximum(counts - 1, 0)
        sides[excess, 1 - sides[excess, ::-1].argmax(axis=1)] -= 1
    return np.column_stack([sides, counts - sides.sum(axis=1)])


def even_shares(counts: NDArray[np.int64], sides: int) -> NDArray[np.int64]:
    """How many images of each class go to each of k equal folds: (K, k) int64.

    Example:
        >>> even_shares(np.array([5, 4]), 3).tolist()
        [[2, 2, 1], [1, 1, 2]]
    """
    start = np.concatenate([[0], np.cumsum(counts)[:-1]])
    turn: NDArray[np.int64] = (np.arange(sides)[None, :] - start[:, None]) % sides
    share: NDArray[np.int64] = (counts[:, None] - turn + sides - 1) // sides
    return share


def deal(
    labels: NDArray[np.int64],
    targets: NDArray[np.int64],
    draw: NDArray[np.uint64],
    units: NDArray[np.int64] | None = None,
    placed: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Deal images out to sides.

    Units of several images are dealt first, largest first, each to the side that it brings nearest
    to its targets (the smallest growth of the sum of (dealt - target)² / target over its classes);
    single images then fill what is left in the order of their draws.

    Args:
        labels: (N,) class numbers, 0 to K - 1.
        targets: (K, S) how many images of each class each side should have; rows sum to the
            images of the class. Nothing is dealt to a side whose targets are all 0.
        draw: (N,) random numbers, one an image.
        units: (N,) equal where images must stay together; None where each is alone.
        placed: (N,) the side of images that are dealt already, -1 for the others; an image joins
            the members of its unit that are placed.

    Returns:
        (N,) int64, the side of each image. Where every unit is of one class, a class with at least
        S units is on every side that has a target for it.
    """
    side = np.full(len(labels), -1, np.int64) if placed is None else placed.copy()
    if units is not None:
        side = _joining(side, units)
    need = targets.copy()
    np.subtract.at(need, (labels[side >= 0], side[side >= 0]), 1)
    members = [] if units is None else _large_units(units, draw)
    members = [unit for unit in members if side[unit[0]] < 0]
    for unit in members:
        classes, sizes = np.unique(labels[unit], return_counts=True)
        side[unit] = chosen = _best_side(targets[classes], need[classes], sizes)
        need[classes, chosen] -= sizes
    alone = np.flatnonzero(side < 0)
    side[alone] = _fill(labels[alone], need, draw[alone])
    if members:
        _bring_missing_classes(labels, side, targets, members, alone[np.argsort(draw[alone])])
    return side


def _apportion(counts: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    exact = counts * share
    base: NDArray[np.int64] = np.floor(exact + 1e-9).astype(np.int64)
    total = int(np.ceil(counts.sum() * share - 1e-9))
    base[np.argsort(base - exact, kind="stable")[: max(0, total - int(base.sum()))]] += 1
    return base


def _joining(side: NDArray[np.int64], units: NDArray[np.int64]) -> NDArray[np.int64]:
    """Images join the members of their unit that are placed: the last side where those differ."""
    unit = np.unique(units, return_inverse=True)[1]
    latest = np.full(len(units), -1)
    np.maximum.at(latest, unit, side)
    return np.where(side < 0, latest[unit], side)


def _large_units(units: NDArray[np.int64], draw: NDArray[np.uint64]) -> list[NDArray[np.int64]]:
    """The members of each unit of several images: largest first, equal ones by their draws."""
    order = np.argsort(units, kind="stable")
    starts = np.flatnonzero(np.diff(units[order], prepend=units[order[:1]] - 1))
    members = [m for m in np.split(order, starts[1:]) if len(m) > 1]
    return sorted(members, key=lambda m: (-len(m), int(draw[m].min())))


def _best_side(
    targets: NDArray[np.int64], need: NDArray[np.int64], sizes: NDArray[np.int64]
) -> int:
    growth = sizes[:, None] * (sizes[:, None] - 2 * need) / np.maximum(targets, 0.5)
    closed = ~targets.any(axis=0)
    total = np.where(closed & ~closed.all(), np.inf, growth.sum(axis=0))[::-1]
    return len(total) - 1 - int(total.argmin())  # of equals the last, which is train


def _fill(
    labels: NDArray[np.int64], need: NDArray[np.int64], draw: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """Deal single images: each class in the order of its draws, one side after the other."""
    counts = np.bincount(labels, minlength=len(need))
    ends = np.cumsum(_fit(np.maximum(need, 0), counts), axis=1)
    order = np.lexsort((draw, labels))
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(labels)) - starts[labels[order]]
    side = np.empty(len(labels), np.int64)
    side[order] = (rank[:, None] >= ends[labels[order]]).sum(axis=1)
    return side


def _fit(need: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take from or add to each class's largest need until it sums to the images there are."""
    need = need.copy()
    while (rows := np.flatnonzero(need.sum(axis=1) != counts)).size:
        largest = need[rows].argmax(axis=1)
        gap = counts[rows] - need[rows].sum(axis=1)
        need[rows, largest] += np.maximum(gap, -np.maximum(need[rows, largest], 1))
    return need


def _bring_missing_classes(
    labels: NDArray[np.int64],
    side: NDArray[np.int64],
    targets: NDArray[np.int64],
    members: list[NDArray[np.int64]],
    alone: NDArray[np.int64],
) -> None:
    """Move to each side that lacks a class the smallest unit with it that can be spared.

    Every move brings a class to a side and takes none from another, so it comes to an end.
    """
    present = np.zeros(targets.shape, np.int64)
    np.add.at(present, (labels, side), 1)
    holes = np.argwhere((present == 0) & (targets > 0))
    units: dict[int, list[NDArray[np.int64]]] = {int(label): [] for label in holes[:, 0]}
    for unit in (*alone[np.isin(labels[alone], holes[:, 0])][:, None], *reversed(members)):
        for label in np.unique(labels[unit]).tolist():
            if label in units:
                units[label].append(unit)
    for label, lacking in holes.tolist():
        for unit in units[label]:
            classes, sizes = np.unique(labels[unit], return_counts=True)
            here = side[unit[0]]
            if (present[classes, here] > sizes).all():
                present[classes, here] -= sizes
                present[classes, lacking] += sizes
                side[unit] = lacking
                break
