"""A file of splits: which image is where, to be kept when images are added."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convlens.core.csv_cells import csv_text, original
from convlens.core.errors import ConvlensError
from convlens.core.files import write_text
from convlens.core.formatting import some
from convlens.data.image_set import SPLITS, ImageSet, normalized
from convlens.data.labeled import UNSAID

_COLUMNS = ["image", "label", "split"]


@dataclass(frozen=True, slots=True)
class SplitRow:
    """The split of an image, and its label; "" where the file has none."""

    split: str
    label: str


def write_splits(images: ImageSet, path: Path) -> None:
    """Write which split each image is in, as a CSV table: image, label, split.

    Images are named as `ImageSet.names` does: files below their source, arrays by a digest of
    their pixels.

    Raises:
        ConvlensError: the file cannot be written.
        WorkFailedError: the disk is full.
    """
    split_of = {int(n): split for split in SPLITS for n in images.splits[split]}
    rows = [
        [name, images.classes[images.labels[number]], split_of[number]]
        for number, name in enumerate(images.names())
        if number in split_of
    ]
    write_text(path, csv_text([_COLUMNS, *rows]))


def read_splits(path: Path) -> dict[str, str]:
    """The split of each image that a file of splits names.

    Raises:
        ConvlensError: it cannot be read, or is not such a file.
    """
    return {name: row.split for name, row in read_split_rows(path).items()}


def read_split_rows(path: Path) -> dict[str, SplitRow]:
    """The split and the label of each image that a file of splits names.

    Raises:
        ConvlensError: it cannot be read, or is not such a file.
    """
    try:
        text = path.read_text("utf-8-sig")
        table = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        columns, rows = table.fieldnames or [], list(table)
    except (OSError, ValueError, csv.Error) as error:
        raise _bad(path, f"it cannot be read ({error})") from error
    if not {"image", "split"} <= {*columns}:
        raise _bad(path, f"its columns are {some(columns, 5) or 'none'}")
    found: dict[str, SplitRow] = {}
    for number, row in enumerate(rows, start=2):
        name, split = row.get("image"), row.get("split")
        if not name or split not in SPLITS:
            raise _bad(path, f"row {number} has the image '{name}' and the split '{split}'")
        name = original(name)
        read = SplitRow(split, original(row.get("label") or ""))
        if found.setdefault(normalized(name), read).split != split:
            raise _bad(path, f"row {number} puts '{name}' in {split}, an earlier row elsewhere")
    return found


def kept_splits(name: str, names: Sequence[str], path: Path) -> tuple[NDArray[np.int8], str]:
    """Where a file of splits puts the images of a source, and a note on what it does not fit.

    Args:
        name: what the source is called.
        names: (N,) what its images are called, as `image_names` gives them.
        path: the file of splits.

    Returns:
        (N,) int8, the position of its split in `SPLITS`, -1 for images that the file does not
        name; and the note.

    Raises:
        ConvlensError: the file cannot be read, or names none of the images.
    """
    splits = read_splits(path)
    numbers = {split: number for number, split in enumerate(SPLITS)}
    kept = np.array([numbers[splits[n]] if n in splits else UNSAID for n in names], np.int8)
    new = int((kept == UNSAID).sum())
    gone = len(splits.keys() - set(names))
    if new == len(names):
        raise _bad(path, f"it names none of the images in {name}")
    note = f"splits kept from {path.name}: {len(names) - new:,} images"
    return kept, note + f", {new:,} new, {gone:,} gone" * bool(new or gone)


def _bad(path: Path, found: str) -> ConvlensError:
    return ConvlensError(
        f"the file of splits {path} cannot be used: {found}; expected a CSV table with the columns "
        "image and split (train, val or test), as a run keeps it",
        code="bad-splits",
    )
