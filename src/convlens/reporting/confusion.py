"""Which class is taken for which."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from convlens.core.formatting import pluralize
from convlens.evaluation import confusion_matrix
from convlens.reporting.charts import draw_heat_map
from convlens.reporting.charts.heat_map import shade
from convlens.reporting.words import percent

LARGEST_TABLE = 15
"""Classes up to which the counts themselves are shown."""

LARGEST_MAP = 100
LISTED = 12
"""Classes that each is said to be taken for, most often first; a page is to stay small."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One count of the table.

    Attributes:
        count: images.
        kind: how it is colored; empty for none.
    """

    count: int
    kind: str


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What the images of a class were taken for.

    Attributes:
        name: the class.
        others: other classes with their counts, most often first.
        more: images that were taken for others still.
    """

    name: str
    others: tuple[tuple[str, int], ...]
    more: int


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """The section on confusions.

    Attributes:
        names: the classes shown.
        rows: each one's counts, where there are few enough classes for a table.
        drawing: the matrix as shades, where there are more.
        pairs: the pairs confused most, as ``metrics.json`` has them.
        listed: where there are too many classes for a table, the mistakes of each that has some.
        left_out: classes that are not shown.
        mistakes: images classified wrongly.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    drawing: Markup | None
    pairs: Sequence[Mapping[str, Any]]
    listed: tuple[Taken, ...]
    left_out: int
    mistakes: int


def confusion(figures: Mapping[str, Any] | None) -> Confusion | None:
    """The confusions of the measured images; None where nothing was measured."""
    if figures is None or not figures.get("confusion"):
        return None
    written, classes = figures["confusion"], figures["classes"]
    names = [str(own["name"]) for own in classes]
    counts = confusion_matrix(written, len(names))
    wrong = counts - np.diag(np.diag(counts))
    by_class, given = wrong.sum(axis=1), wrong.sum(axis=0)
    if isinstance(written, Mapping):  # some mistakes may be left out of it, but none of these sums
        hits = np.diag(counts)
        by_class = np.array([own["support"] for own in classes]) - hits
        given = np.array([own["predicted"] for own in classes]) - hits
    mistakes = int(by_class.sum())
    pairs = figures.get("confused", ())
    shown = _most_mistaken(by_class + given)
    part = counts[np.ix_(shown, shown)].tolist()
    labels = tuple(names[number] for number in shown)
    small = len(names) <= LARGEST_TABLE
    return Confusion(
        names=labels,
        rows=_cells(part) if small else (),
        drawing=None if small else draw_heat_map(part, labels, says=_says(labels, mistakes, pairs)),
        pairs=pairs,
        listed=() if small else tuple(_listed(wrong, by_class, names)),
        left_out=len(names) - len(shown),
        mistakes=mistakes,
    )


def _most_mistaken(mistakes: NDArray[np.int64]) -> list[int]:
    """The classes to show, in class order: all, or those with the most mistakes."""
    return sorted(np.argsort(-mistakes, kind="stable")[:LARGEST_MAP].tolist())


def _listed(
    wrong: NDArray[np.int64], by_class: NDArray[np.int64], names: Sequence[str]
) -> Iterator[Taken]:
    """The counts that are off the diagonal and not 0, class by class."""
    for name, row, mistakes in zip(names, wrong, by_class.tolist(), strict=True):
        order = np.argsort(-row, kind="stable")[: min(LISTED, np.count_nonzero(row))].tolist()
        if order:
            others = tuple((names[other], int(row[other])) for other in order)
            yield Taken(name=name, others=others, more=max(0, mistakes - int(row[order].sum())))


def _cells(counts: Sequence[Sequence[int]]) -> tuple[tuple[Cell, ...], ...]:
    return tuple(
        tuple(
            Cell(count=count, kind=_kind(count, sum(row), right=place == column))
            for column, count in enumerate(row)
        )
        for place, row in enumerate(counts)
    )


def _kind(count: int, total: int, *, right: bool) -> str:
    return f"{'right' if right else 'wrong'}-{shade(count / total)}" if count else ""


def _says(names: Sequence[str], mistakes: int, pairs: Sequence[Mapping[str, Any]]) -> str:
    """The map in words."""
    said = f"Confusion matrix of {len(names)} classes with {pluralize(mistakes, 'mistake')}."
    if pairs:
        most = pairs[0]
        said += (
            f" The most frequent: {most['true']} taken for {most['predicted']}, "
            f"{pluralize(most['count'])}, {percent(most['share'])} of that class."
        )
    return f"{said} What each class was taken for is listed below." if mistakes else said
