"""What a source becomes: labeled images, and the split each is in."""

import hashlib
import os
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convlens.core.reporter import Quiet
from convlens.data.file_contents import file_contents

SPLITS = ("train", "val", "test")

_OF_CONTENT = "content:"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that was left out, and why.

    Attributes:
        path: the file or folder.
        reason: why, in a few words.
        unreadable: whether it is meant for an image and cannot be read; False for what was left
            out for another reason.
        unlabeled: whether a table names it without a label.
    """

    path: str
    reason: str
    unreadable: bool = False
    unlabeled: bool = False


class Doubt(NamedTuple):
    """Something in a source that may have been meant otherwise.

    Attributes:
        seen: what was seen.
        remedy: what to pass or to write, to have it otherwise.
    """

    seen: str
    remedy: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageSet:
    """Labeled files, or labeled arrays, and the split each image is in.

    Attributes:
        name: what the run is named after (``"plants"``).
        classes: class names in Unicode form NFC, sorted; the position is the class number.
        labels: (N,) int64 class numbers.
        splits: ``"train"``, ``"val"`` and ``"test"``, each to its sorted image numbers (int64); a
            split that is not there is empty. An image is in at most one.
        paths: (N,) file names, or None where the images are arrays.
        arrays: N×H×W×C uint8 pixels, or None where the images are files.
        skipped: what was left out.
        notes: what was done that the user should know.
        cut: the splits that the source does not give, whose shares the settings or the rules say;
            none where a file of splits says what is where.
        axis_added: whether arrays came without a channel axis, and were given one.
        groups: (N,) int64, equal where images must not be on different sides; None where no groups
            were given.
        root: the folder that names of files are relative to.
        doubts: what may have been meant otherwise, by the code of the finding that says so.

    Raises:
        ValueError: not exactly one of ``paths`` and ``arrays`` is given, or a length differs.
    """

    name: str
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    splits: Mapping[str, NDArray[np.int64]]
    paths: Sequence[str] | None = None
    arrays: NDArray[np.uint8] | None = None
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    axis_added: bool = False
    groups: NDArray[np.int64] | None = None
    root: str = ""
    doubts: Mapping[str, Doubt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        images = self.paths if self.arrays is None else self.arrays
        if images is None or (self.paths is not None and self.arrays is not None):
            raise ValueError("an image set has either paths or arrays")
        if len(images) != len(self.labels) or tuple(self.splits) != SPLITS:
            raise ValueError(f"{len(images)} images, {len(self.labels)} labels, {[*self.splits]}")

    def __len__(self) -> int:
        return len(self.labels)

    def names(self) -> list[str]:
        """What each image is called in a file of splits: see `image_names`."""
        return image_names(self.paths, self.arrays, self.root)

    def counts(self) -> dict[str, dict[str, int]]:
        """Images per split and class."""
        return {
            split: dict(
                zip(
                    self.classes,
                    np.bincount(self.labels[numbers], minlength=len(self.classes)).tolist(),
                    strict=True,
                )
            )
            for split, numbers in self.splits.items()
        }

    def fingerprint(self) -> str:
        """What tells these images, their classes and their splits from any others.

        Files count with their name below the source and a sample of their content (see
        `convlens.data.file_contents`), arrays with every byte: it is the same for a copy on another
        machine, and differs when an image comes, goes or is replaced.
        """
        digest = self._digest_of_labels()
        if self.arrays is not None:
            digest.update(repr(self.arrays.shape).encode())
            for image in self.arrays:
                digest.update(image.tobytes())
            return digest.hexdigest()
        contents = file_contents(self.paths or (), Quiet())
        for name, content in zip(self.names(), contents, strict=True):
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + content)
        return f"{_OF_CONTENT}{digest.hexdigest()}"

    def is_as(self, fingerprint: object) -> bool:
        """Whether a fingerprint is that of these images, also one of an earlier version.

        Args:
            fingerprint: as `fingerprint` gives it; earlier versions took a file's size for its
                content.
        """
        if self.arrays is not None or str(fingerprint).startswith(_OF_CONTENT):
            return self.fingerprint() == fingerprint
        digest = self._digest_of_labels()
        for name, path in zip(self.names(), self.paths or (), strict=True):
            digest.update(name.encode("utf-8", "surrogateescape"))
            digest.update(f"\0{_size(path)}\0".encode())
        return digest.hexdigest() == fingerprint

    def _digest_of_labels(self) -> "hashlib._Hash":
        digest = hashlib.sha256(b"convlens image set 1\0")
        for name in self.classes:
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
        digest.update(self.labels.astype("<i8").tobytes())
        for split in SPLITS:
            digest.update(split.encode() + self.splits[split].astype("<i8").tobytes())
        return digest


def image_names(
    paths: Sequence[str] | None, arrays: NDArray[np.uint8] | None, root: str = ""
) -> list[str]:
    """A name for each image that stays the same on another machine, and when images are added.

    Args:
        paths: files, or None where the images are arrays.
        arrays: N×H×W×C pixels, or None where the images are files.
        root: the folder that the names of files are relative to.

    Returns:
        For files the path below ``root`` with forward slashes, in Unicode form NFC (a file that is
        elsewhere keeps its whole path); for arrays a digest of the pixels.
    """
    if arrays is not None:
        return [hashlib.blake2b(a.tobytes(), digest_size=8).hexdigest() for a in arrays]
    prefix = os.path.join(root, "") if root else ""  # noqa: PTH118 - pathlib takes 10 times as long
    return [normalized(path.removeprefix(prefix).replace(os.sep, "/")) for path in paths or ()]


def normalized(name: str) -> str:
    r"""A name in Unicode form NFC: macOS writes é as two code points, others as one.

    Example:
        >>> len(normalized("e\u0301"))
        1
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return -1
