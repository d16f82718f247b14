"""Two networks on the same images: which is better, and whether these images can tell."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.core.reporter import Reporter
from convlens.data import CacheSettings, ImageSet, Pixels, read_pixels
from convlens.evaluation import Comparison, compare_answers
from convlens.prediction import Bundle, Predictor, TrainingImages
from convlens.runs.leakage import seen_in_training
from convlens.runs.metrics import Answers


@dataclass(frozen=True, kw_only=True)
class RunComparison:
    """A network beside another, on the images that neither has learned from.

    Attributes:
        other: the other's folder.
        comparison: the first is the network that is measured, the second the other.
        left_out: images that one of the two has learned from.
        notes: what could not be made sure of.
    """

    other: str
    comparison: Comparison
    left_out: int
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "other": self.other,
            **self.comparison.as_json(),
            "left_out": self.left_out,
            "notes": list(self.notes),
        }


def compare_runs(
    answers: Answers,
    images: ImageSet,
    pixels: Pixels,
    predictor: Predictor,
    *,
    source: str,
    runs: tuple[Path, Path],
    known: tuple[TrainingImages | None, TrainingImages | None] = (None, None),
    reporter: Reporter,
    cache: CacheSettings | None = None,
) -> RunComparison:
    """Compare a network's answers with another's to the same images.

    Each sees the images as its own `InputSpec` says; classes are matched by name.

    Args:
        answers: the first's.
        images: what they are answers to.
        pixels: which of them, in the order of the answers.
        predictor: the second.
        source: where the images come from, as a recipe writes it.
        runs: the folders of both, so as to leave out what they learned from.
        known: which images the bundles of both say that they learned from.
        reporter: whom to tell.
        cache: whether and where decoded pixels are kept; None for the defaults.

    Raises:
        ConvlensError: the networks' classes differ, or every image is one that they learned from.
    """
    order = _same_classes(images.classes, predictor.bundle, runs[1])
    learned, notes = _learned_from_either(runs, known, images, pixels.rows, source)
    left_out = int(learned.sum())
    if learned.all():
        raise ConvlensError(
            f"each of the {pluralize(len(learned), 'image')} is one that {runs[0]} or {runs[1]} "
            "has learned from, which would flatter it; compare on a SOURCE that neither knows, or "
            "train both with the same splits: "
            + command("train", "--splits", runs[0] / "splits.csv"),
            code="learned-from",
        )
    if left_out:
        reporter.warn(
            f"left out {left_out:,} of {pluralize(len(learned), 'image')} that one of the two "
            "networks has learned from"
        )
    for note in notes:
        reporter.warn(note)
    own = read_pixels(
        images,
        pixels.rows[~learned],
        predictor.bundle.input_spec,
        settings=cache,
        reporter=reporter,
    )
    ours = answers.logits[np.isin(pixels.rows, own.rows)]
    theirs = predictor.logits(own.array, reporter=reporter)[:, order]
    return RunComparison(
        other=str(runs[1]),
        comparison=compare_answers(
            ours.argmax(axis=1), theirs.argmax(axis=1), images.labels[own.rows]
        ),
        left_out=left_out,
        notes=notes,
    )


def _same_classes(classes: tuple[str, ...], other: Bundle, folder: Path) -> list[int]:
    """Where the other network has each of the classes."""
    only_here = sorted(set(classes) - set(other.classes))
    only_there = sorted(set(other.classes) - set(classes))
    if only_here or only_there:
        parts = (
            f"{', '.join(names[:5])}{' …' * (len(names) > 5)} only in {where}"
            for names, where in ((only_here, "the first"), (only_there, str(folder)))
            if names
        )
        raise ConvlensError(
            f"the two networks tell different classes apart: {'; '.join(parts)}; compare networks "
            "that were trained on the same classes",
            code="other-classes",
        )
    return [other.classes.index(name) for name in classes]


def _learned_from_either(
    runs: tuple[Path, Path],
    known: tuple[TrainingImages | None, TrainingImages | None],
    images: ImageSet,
    rows: NDArray[np.int64],
    source: str,
) -> tuple[NDArray[np.bool_], tuple[str, ...]]:
    learned, notes = np.zeros(len(rows), bool), []
    for folder, own_images in zip(runs, known, strict=True):
        own = seen_in_training(folder, images, rows, source=source, known=own_images)
        if own is None:
            notes.append(
                f"cannot tell whether {folder} has learned from some of these images: its run, or "
                "what it was trained on, is not there, or is not of the same kind"
            )
        else:
            learned |= own
    return learned, tuple(notes)
