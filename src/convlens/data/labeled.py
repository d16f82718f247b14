"""What a reader found in a source, before anything is dealt into splits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.core.formatting import some
from convlens.data.image_set import SPLITS, Doubt, Skipped, image_names

UNSAID = -1


@dataclass(frozen=True, eq=False, kw_only=True)
class Labeled:
    """Labeled images, with the splits and groups that the source itself gives.

    Attributes:
        name: what the source is called.
        classes: sorted class names.
        labels: (N,) int64 class numbers.
        given: (N,) int8: the position of its split in `SPLITS`, or -1 where the source says none.
        paths: (N,) file names, or None.
        arrays: N×H×W×C uint8 pixels, or None.
        groups: (N,) int64, equal for images of one group; None where there are none.
        root: the folder that names of files are relative to.
        fractions: shares for splits that are to be cut, where this source has its own.
        skipped: what was left out.
        notes: what was done that the user should know.
        axis_added: whether arrays came without a channel axis, and were given one.
        doubts: what may have been meant otherwise, by the code of the finding that says so.
    """

    name: str
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    given: NDArray[np.int8]
    paths: Sequence[str] | None = None
    arrays: NDArray[np.uint8] | None = None
    groups: NDArray[np.int64] | None = None
    root: str = ""
    fractions: Mapping[str, float] = field(default_factory=dict)
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    axis_added: bool = False
    doubts: Mapping[str, Doubt] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    def in_split(self, split: str) -> NDArray[np.int64]:
        """The numbers of the images that the source puts in a split."""
        return np.flatnonzero(self.given == SPLITS.index(split)).astype(np.int64)

    def names(self) -> list[str]:
        """What each image is called: see `image_names`."""
        return image_names(self.paths, self.arrays, self.root)

    def take(self, numbers: NDArray[np.int64]) -> Self:
        """Some of the images."""
        return replace(
            self,
            labels=self.labels[numbers],
            given=self.given[numbers],
            paths=None if self.paths is None else [self.paths[number] for number in numbers],
            arrays=None if self.arrays is None else self.arrays[numbers],
            groups=None if self.groups is None else self.groups[numbers],
        )


def validate_case(where: str, names: Sequence[str]) -> None:
    """Refuse classes whose names differ only in case.

    Raises:
        ConvlensError: two of ``names`` do.
    """
    seen: dict[str, str] = {}
    twins = []
    for name in names:
        twin = seen.setdefault(name.casefold(), name)
        if twin != name:
            twins.append(f"'{twin}' and '{name}'")
    if twins:
        raise ConvlensError(
            f"class names in {where} differ only in case: {some(twins)}; expected names that "
            "differ otherwise",
            remedy="merge or rename them",
            between=": ",
            code="case-twins",
        )


def validate_classes(where: str, classes: Sequence[str], expected: str) -> None:
    """Refuse a source with fewer than two classes.

    Raises:
        ConvlensError: there is nothing to tell apart.
    """
    if len(classes) < 2:
        only = f"one class only ('{classes[0]}')" if classes else "no class"
        raise ConvlensError(
            f"{where} has {only}; expected at least two classes to tell apart",
            remedy=expected,
            between=": ",
            code="one-class",
        )
