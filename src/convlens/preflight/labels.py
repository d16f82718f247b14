"""Findings about labels and classes."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from convlens.core.formatting import pluralize
from convlens.preflight.context import WORDS, Material
from convlens.preflight.finding import Finding, found
from convlens.recipe import PRETRAINED, THUMBNAIL

IMBALANCE = 10
FEW = 10
FEW_FROM_SCRATCH = 10_000
"""Training photographs from which random weights do as well as ImageNet's for a start; He, Girshick
and Dollár, arXiv 1811.08883, sections 4.4 and 5."""
FAR_TOO_FEW_FROM_SCRATCH = 1_000
"""Of so many it has a third of the other's precision (object detection), in the same paper."""
ONE_CAMERA = 0.95
ENOUGH_NAMES = 20

_STEM = re.compile(r"^(.*?)(\d+)\D*$")
_CAMERAS = frozenset(
    "img image dsc dscn dscf imgp pict p pxl gopr gp mvi wp sam hpim cimg dcp kif photo".split()  # noqa: SIM905
)


def two_labels(data: Material) -> Finding | None:
    """The same file under two classes."""
    labels, first = data.images.labels, data.first_copy
    second = np.flatnonzero(labels != labels[first])
    if not second.size:
        return None
    pairs = [[data.short(int(first[i])), data.short(int(i))] for i in second[:100]]
    one, other = (data.images.classes[labels[i]] for i in (first[second[0]], second[0]))
    return found(
        "two-labels",
        f"{pluralize(len(second), 'file')} stand under two classes, the first under '{one}' and "
        f"'{other}'",
        data.remedy_by_fixing,
        files=data.names(int(i) for n in second for i in (first[n], n)),
        count=len(second),
        pairs=pairs,
    )


def similar_two_labels(data: Material) -> Finding | None:
    """Near duplicates under two classes, in one split or in two."""
    labels, near = data.images.labels, data.alike
    differ = np.flatnonzero(labels[near.one] != labels[near.other])
    if not differ.size:
        return None
    first = differ[0]
    one, other = (data.images.classes[labels[pair[first]]] for pair in (near.one, near.other))
    return found(
        "similar-two-labels",
        f"{pluralize(len(differ), 'pair')} of near duplicates have two classes, the first '{one}' "
        f"and '{other}'",
        "look at both and correct one of the labels, or leave both out",
        files=data.names(int(i) for n in differ for i in (near.one[n], near.other[n])),
        count=len(differ),
    )


def imbalance(data: Material) -> Finding | None:
    """A class with far more training images than another, where the loss does not weigh them."""
    training = data.recipe.training if data.recipe is not None else None
    if training and (training.loss.class_weights != "none" or training.sampling == "balanced"):
        return None
    train = data.counts[0]
    least, most = int(train.argmin()), int(train.argmax())
    if not train[least] or train[most] <= IMBALANCE * train[least]:
        return None
    names = data.images.classes
    return found(
        "imbalance",
        f"'{names[most]}' has {train[most]:,} training images and '{names[least]}' "
        f"{train[least]:,}: {train[most] / train[least]:.0f} times as many",
        "--set training.loss.class_weights=balanced, or --set training.sampling=balanced",
        images={name: int(n) for name, n in zip(names, train, strict=True)},
        ratio=round(float(train[most] / train[least]), 1),
    )


def few_images(data: Material) -> Finding | None:
    """Classes with hardly any training images."""
    train = data.counts[0]
    few = np.flatnonzero(train < FEW)
    if not few.size:
        return None
    loaded = data.recipe is not None and data.recipe.model.loads_weights
    begin = f", or begin from published weights: {PRETRAINED}"
    return found(
        "few-images",
        f"{len(few):,} class{'es' * (len(few) > 1)} with fewer than {FEW} training images: "
        f"{data.classes(few)} ({', '.join(str(n) for n in train[few[:4]])})",
        "add images" + begin * (not loaded),
        severity="note" if loaded else None,
        images={data.images.classes[n]: int(train[n]) for n in few},
    )


def few_from_scratch(data: Material) -> Finding | None:
    """Photographs too few for a network that starts from random weights."""
    recipe, images = data.recipe, int(data.counts[0].sum())
    if recipe is None or recipe.model.is_own or recipe.model.loads_weights:
        return None
    small = max(recipe.input.height, recipe.input.width) <= THUMBNAIL
    if small or recipe.input.channels not in {1, 3} or images >= FEW_FROM_SCRATCH:
        return None
    return found(
        "few-from-scratch",
        f"{pluralize(images, 'training image')} are few for photographs and a network that starts "
        f"from random weights: below {FEW_FROM_SCRATCH:,} one that starts from ImageNet weights "
        "usually does better",
        f"start from ImageNet weights: {PRETRAINED}; or add images",
        severity="warning" if images < FAR_TOO_FEW_FROM_SCRATCH else None,
        images=images,
    )


def class_absent(data: Material) -> Finding | None:
    """A split that has images, but none of some class."""
    absent = {
        name: np.flatnonzero(own == 0)
        for name, own in zip(("val", "test"), data.counts[1:], strict=True)
        if own.any() and not own.all()
    }
    if not absent:
        return None
    told = "; ".join(f"no {WORDS[name]} image of {data.classes(c)}" for name, c in absent.items())
    given = [name for name in absent if name not in data.images.cut]
    remedies = [f"move images of them into {' and '.join(given)}"] if given else []
    if len(given) < len(absent):
        remedies.append("add images: a class needs three, in groups of their own, to be dealt out")
    return found(
        "class-absent",
        f"{told}: nothing can be said of them there",
        "; ".join(remedies),
        absent={name: [data.images.classes[n] for n in own] for name, own in absent.items()},
    )


def labels_missing(data: Material) -> Finding | None:
    """Rows of a table that have no label."""
    without = [skipped for skipped in data.images.skipped if skipped.unlabeled]
    if not without:
        return None
    first = without[0].reason.partition(": ")
    return found(
        "labels-missing",
        f"{pluralize(len(without), 'row')} of the table without a label, left out; the first is "
        f"{first[0]} ({first[2]})",
        "fill the labels in, or leave it so; where such a word is a class: "
        '--set "data.missing_labels=[]"',
        files=[skipped.path for skipped in without],
        count=len(without),
    )


def name_leakage(data: Material) -> Finding | None:
    """File names that tell the class, by camera or by an unbroken run of numbers."""
    paths = data.images.paths
    if paths is None:
        return None
    series = _series(paths, data.images.labels)
    names = data.images.classes
    told = _by_camera(series, len(paths), names) or _by_sequence(series, names)
    if told is None:
        return None
    return found(
        "name-leakage",
        told + "; the network may learn the session instead of what it shows",
        "measure on images of another camera and day; or pass a table with a group column for the "
        "sessions, which then stay on one side",
    )


def _series(paths: Sequence[str], labels: NDArray[np.int64]) -> Mapping[str, NDArray[np.int64]]:
    """Of each prefix before a number: (M, 2) numbers and class numbers."""
    series: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for path, label in zip(paths, labels.tolist(), strict=True):
        parts = _STEM.match(PurePath(path).stem)
        if parts and len(parts[2]) < 16:
            series[parts[1].casefold()].append((int(parts[2]), label))
    return {prefix: np.array(rows, np.int64) for prefix, rows in series.items()}


def _by_camera(
    series: Mapping[str, NDArray[np.int64]], total: int, names: Sequence[str]
) -> str | None:
    """The camera's prefix tells the class of nearly every image, and differs between classes."""
    cameras = {p: rows for p, rows in series.items() if _is_camera(p)}
    usual = {p: np.bincount(rows[:, 1], minlength=len(names)) for p, rows in cameras.items()}
    told = sum(int(count.max()) for count in usual.values())
    covered = sum(map(len, cameras.values()))
    if covered < max(ENOUGH_NAMES, 0.9 * total) or told < ONE_CAMERA * covered:
        return None
    owners = {p: names[int(count.argmax())] for p, count in usual.items()}
    if len(set(owners.values())) < 2:
        return None
    pairs = ", ".join(f"'{p.upper()}' is '{owner}'" for p, owner in list(owners.items())[:3])
    return f"the camera's file names tell the class: {pairs}"


def _is_camera(prefix: str) -> bool:
    words = re.findall(r"[a-z]+", prefix)
    return bool(words) and words[0] in _CAMERAS


def _by_sequence(series: Mapping[str, NDArray[np.int64]], names: Sequence[str]) -> str | None:
    """One count of numbers goes through several classes, each in one unbroken run of it."""
    for prefix, rows in series.items():
        kinds = np.unique(rows[:, 1])
        if len(kinds) < 2 or len(rows) < ENOUGH_NAMES * len(kinds):
            continue
        if len(np.unique(rows[:, 0])) < len(rows):  # each class counts for itself
            continue
        runs = list(_runs(rows[np.argsort(rows[:, 0])]))
        if len(runs) <= 1.2 * len(kinds):
            low, high, label = runs[0]
            return (
                f"file numbers tell the class: {prefix}{low} to {high} are '{names[label]}', and "
                f"so on: {len(runs)} runs for {len(kinds)} classes"
            )
    return None


def _runs(rows: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """Lowest and highest number, and class, of each run of one class."""
    for run in np.split(rows, np.flatnonzero(np.diff(rows[:, 1])) + 1):
        yield int(run[0, 0]), int(run[-1, 0]), int(run[0, 1])
