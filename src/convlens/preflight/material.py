"""What the findings about data are made from: images, what was seen of them, and their names."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convlens.core.input_spec import InputSpec
from convlens.data import SPLITS, ImageSet, some
from convlens.preflight.facts import Facts
from convlens.preflight.near_duplicates import Pairs

WORDS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """Images, and what was seen of them.

    Attributes:
        images: labelled, each in a split.
        facts: what was seen.
        first_copy: (N,) for each image the number of the first with the same bytes: itself where
            there is none before it.
        near: near duplicates on different sides, exact copies left out.
        input: what the network is fed; None where that is not known.
        source: what the user calls the source, as it stands in a command.
    """

    images: ImageSet
    facts: Facts
    first_copy: NDArray[np.int64]
    near: Pairs
    input: InputSpec | None = None
    source: str = "SOURCE"

    @cached_property
    def side(self) -> NDArray[np.int8]:
        """(N,) position of its split in `SPLITS`; -1 for images in none."""
        return sides(self.images)

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """(3, K) images of each split and class."""
        k, labels = len(self.images.classes), self.images.labels
        rows = [np.bincount(labels[self.images.splits[name]], minlength=k) for name in SPLITS]
        return np.stack(rows).astype(np.int64)

    def names(self, numbers: Iterable[int]) -> list[str]:
        """What the user calls images: paths, or ``image 17``."""
        paths = self.images.paths
        return [f"image {n}" if paths is None else paths[n] for n in numbers]

    def short(self, number: int) -> str:
        """An image's name below the source."""
        name = self.names([number])[0]
        return name.removeprefix(f"{self.images.root}/") if self.images.root else name

    def classes(self, numbers: Iterable[int], limit: int = 4) -> str:
        """The first few names of classes."""
        return some([f"'{self.images.classes[n]}'" for n in numbers], limit)

    @property
    def remedy_by_fixing(self) -> str:
        """The command that writes a cleaned table; for arrays, what to do instead."""
        if self.images.paths is None:
            return "leave these images out of the arrays"
        return f"{self.fixing}, then convlens train clean.csv"

    @property
    def fixing(self) -> str:
        """The command that writes a cleaned table."""
        return f"convlens check {shlex.quote(self.source)} --fix clean.csv"


def sides(images: ImageSet) -> NDArray[np.int8]:
    """(N,) the position in `SPLITS` of each image's split; -1 for images in none."""
    side = np.full(len(images), -1, np.int8)
    for position, name in enumerate(SPLITS):
        side[images.splits[name]] = position
    return side


def percent(share: float) -> str:
    """A share as it is read.

    Example:
        >>> percent(0.0312), percent(0.0004)
        ('3.1 %', '0.04 %')
    """
    return f"{share:.1%}".replace("%", " %") if share >= 0.001 else f"{100 * share:.1g} %"
