"""The images worth looking at: confident and wrong, or not sure at all."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Reporter
from convlens.data import CacheSettings, ImageSet, read_pixels
from convlens.prediction import Predictor
from convlens.reporting.facts import Answer, Gallery
from convlens.reporting.overlays import draw_overlays
from convlens.reporting.pictures import encode

LIMIT = 12
"""Mistakes, and unsure images, that are shown."""

Floats = NDArray[np.float32]


def gather_gallery(
    images: ImageSet,
    numbers: NDArray[np.int64],
    predictor: Predictor,
    *,
    cache: CacheSettings | None,
    reporter: Reporter,
) -> Gallery | None:
    """Classify images, and pick the worst mistakes and the least sure answers.

    Args:
        images: the run's images.
        numbers: which of them: those that the report's figures are about.
        predictor: the run's network.
        cache: where decoded pixels are kept; None for the defaults.
        reporter: shows the progress.

    Returns:
        The gallery; None where there are no images.

    Raises:
        ConvlensError: none of the images can be read any more.
    """
    pixels = read_pixels(
        images,
        numbers,
        predictor.bundle.input_spec,
        settings=cache,
        reporter=reporter,
    )
    if not len(pixels.rows):
        return None
    probabilities = predictor.probabilities(pixels.array, reporter=reporter)
    labels = images.labels[pixels.rows]
    worst = worst_mistakes(probabilities, labels, limit=LIMIT)
    unsure = least_sure(probabilities, limit=LIMIT, without=worst)
    chosen = np.concatenate([worst, unsure])
    shown = np.array(pixels.array[chosen])
    overlays, layer, note = draw_overlays(predictor.bundle.classifier, shown)
    names = _names(images, pixels.rows[chosen])
    answers = [
        Answer(
            name=names[place],
            true=images.classes[labels[number]],
            predicted=images.classes[probabilities[number].argmax()],
            probability=float(probabilities[number].max()),
            true_probability=float(probabilities[number, labels[number]]),
            image=encode(shown[place]),
            overlay=overlays[place],
        )
        for place, number in enumerate(chosen)
    ]
    return Gallery(
        worst=tuple(answers[: len(worst)]),
        unsure=tuple(answers[len(worst) :]),
        mistakes=int((probabilities.argmax(axis=1) != labels).sum()),
        n=len(labels),
        layer=layer,
        note=note,
    )


def worst_mistakes(
    probabilities: Floats, labels: NDArray[np.int64], *, limit: int
) -> NDArray[np.int64]:
    """The wrong answers, the most confident first; of equals, in order.

    Args:
        probabilities: (N, K).
        labels: (N,) class numbers.
        limit: how many at most.

    Example:
        >>> rows = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], np.float32)
        >>> worst_mistakes(rows, np.array([0, 0, 0]), limit=2)
        array([2, 1])
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    order = np.argsort(-probabilities[wrong].max(axis=1), kind="stable")
    return wrong[order[:limit]].astype(np.int64)


def least_sure(
    probabilities: Floats, *, limit: int, without: Sequence[int] | NDArray[np.int64] = ()
) -> NDArray[np.int64]:
    """The answers with the smallest largest probability, the least sure first.

    Args:
        probabilities: (N, K).
        limit: how many at most.
        without: images that are left out.

    Example:
        >>> rows = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], np.float32)
        >>> least_sure(rows, limit=2), least_sure(rows, limit=2, without=[1])
        (array([1, 2]), array([2, 0]))
    """
    order = np.argsort(probabilities.max(axis=1), kind="stable")
    return order[~np.isin(order, without)][:limit].astype(np.int64)


def _names(images: ImageSet, rows: NDArray[np.int64]) -> list[str]:
    """Each image's name: below the source for a file, its number for an array."""
    if images.paths is None:
        return [f"image {row:,}" for row in rows]
    folders = [Path(folder) for folder in (images.root, _common_folder(images.paths)) if folder]
    return [_below(folders, Path(images.paths[row])) for row in rows]


def _common_folder(paths: Sequence[str]) -> str:
    """The folder that all files are in; none where they are on several drives."""
    try:
        return os.path.commonpath(paths)
    except ValueError:
        return ""


def _below(folders: Sequence[Path], path: Path) -> str:
    root = next((folder for folder in folders if path.is_relative_to(folder)), None)
    return str(path) if root is None else path.relative_to(root).as_posix()
