"""What the findings about data are made from: images, what was seen of them, and their names."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convlens.core.command_line import command
from convlens.core.formatting import some
from convlens.core.input_spec import InputSpec
from convlens.data import SPLITS, ImageSet
from convlens.preflight.image_facts import ImageFacts
from convlens.preflight.near_duplicates import Pairs
from convlens.recipe import Recipe
from convlens.runs import parts_of

WORDS = {"train": "training", "val": "validation", "test": "test"}


@dataclass(frozen=True, eq=False, kw_only=True)
class Material:
    """Images, and what was seen of them.

    Attributes:
        images: labeled, each in a split.
        facts: what was seen.
        first_copy: (N,) for each image the number of the one that stands for all with the same
            bytes, as `representatives` chooses it; itself where there are no others.
        alike: near duplicates on different sides or under different classes, exact copies left out.
        recipe: what they are to be trained on by; None where that is not known.
        source: what the user calls the source, as it stands in a command.
    """

    images: ImageSet
    facts: ImageFacts
    first_copy: NDArray[np.int64]
    alike: Pairs
    recipe: Recipe | None = None
    source: str = "SOURCE"

    @cached_property
    def side(self) -> NDArray[np.int8]:
        """(N,) position of its split in `SPLITS`; -1 for images in none."""
        return sides(self.images)

    @cached_property
    def near(self) -> Pairs:
        """The near duplicates on different sides."""
        return self.alike.where(self.side[self.alike.one] != self.side[self.alike.other])

    @property
    def input(self) -> InputSpec | None:
        """What the network is fed; None where that is not known."""
        return None if self.recipe is None else self.recipe.input

    @cached_property
    def deciding(self) -> int:
        """How many validation images decide: the others calibrate."""
        if self.recipe is None:
            return len(self.images.splits["val"])
        return len(parts_of(self.recipe, self.images)["val"])

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
        return f"{self.fixing}, then {command('train', 'clean.csv')}"

    @property
    def fixing(self) -> str:
        """The command that writes a cleaned table."""
        return command("check", self.source, "--fix", "clean.csv")


def sides(images: ImageSet) -> NDArray[np.int8]:
    """(N,) the position in `SPLITS` of each image's split; -1 for images in none."""
    side = np.full(len(images), -1, np.int8)
    for position, name in enumerate(SPLITS):
        side[images.splits[name]] = position
    return side


def representatives(same: NDArray[np.int64], side: NDArray[np.int8]) -> NDArray[np.int64]:
    """Of images that are the same, the number of one: in train before val before test, then first.

    Args:
        same: (N,) equal where images are the same.
        side: (N,) the split of each; -1 for none, which stands for others only where all are so.

    Example:
        >>> representatives(np.array([0, 0, 2, 0]), np.array([-1, 2, 0, 1], np.int8)).tolist()
        [3, 3, 2, 3]
    """
    order = np.lexsort((side, side < 0))
    _, first, inverse = np.unique(same[order], return_index=True, return_inverse=True)
    found = np.empty(len(same), np.int64)
    found[order] = order[first][inverse]
    return found
