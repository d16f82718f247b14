"""Findings about files and what is to be seen on them."""

import numpy as np
from numpy.typing import NDArray

from convlens.core.formatting import percent, pluralize
from convlens.preflight.context import Material
from convlens.preflight.finding import Finding, found

BLANK = 2.0
"""Less contrast than this (standard deviation, of 255) shows nothing."""

DARK = 64.0
"""Where all but a hundredth of a picture is below this level, of 255."""

BLURRED = 0.1
"""Less detail than this (see `sharpness`); of 200 photographs the least has 0.25, and blurred with
a standard deviation of 2 pixels of 128 half have less than 0.07."""

_LOOK = "look at them, and leave out what even you cannot recognize"
_SMALLEST_TO_JUDGE = 16


def unreadable(data: Material) -> Finding | None:
    """Image files that cannot be read; what was left out for another reason is none of them."""
    gone = [(file.path, file.reason) for file in data.images.skipped if file.unreadable]
    names = data.names(data.facts.unreadable)
    gone += list(zip(names, data.facts.unreadable.values(), strict=True))
    if not gone:
        return None
    return found(
        "unreadable",
        f"{pluralize(len(gone), 'file')} cannot be read, as {_below(data, gone[0][0])}: "
        f"{gone[0][1]}",
        f"replace them; {data.fixing} lists and leaves them out",
        files=(path for path, _ in gone),
        count=len(gone),
        reasons=dict(gone[:100]),
    )


def mixed_color(data: Material) -> Finding | None:
    """Gray pictures among colored ones, where the network is not shown all of them in gray."""
    if data.input is not None and data.input.channels == 1:
        return None
    seen = data.facts.readable
    gray = (data.facts.colorfulness == 0) & seen
    count, total = int(gray.sum()), int(seen.sum())
    if not 0 < count < total:
        return None
    labels, k = data.images.labels, len(data.images.classes)
    share = np.bincount(labels[gray], minlength=k) / np.maximum(
        1, np.bincount(labels[seen], minlength=k)
    )
    told = share.max() >= 0.9 and share.min() <= 0.1
    message = f"{count:,} of {total:,} images are gray, the others in color"
    if told:
        message += (
            f"; '{data.images.classes[int(share.argmax())]}' is gray and "
            f"'{data.images.classes[int(share.argmin())]}' is not: color tells the class"
        )
    return found(
        "mixed-color",
        message,
        "--set input.channels=1 makes all of them gray",
        severity="warning" if told else None,
        files=data.names(np.flatnonzero(gray)[:1000]),
        count=count,
    )


def color_thrown_away(data: Material) -> Finding | None:
    """Pictures in color, of which the network sees gray."""
    if data.input is None or data.input.channels != 1:
        return None
    colored = int(((data.facts.colorfulness > 0) & data.facts.readable).sum())
    total = int(data.facts.readable.sum())
    if not colored:
        return None
    return found(
        "channel-axis",
        f"{colored:,} of {total:,} images are in color and the network's input has 1 channel: "
        "color is thrown away",
        "--set input.channels=3",
        severity="warning" if colored == total else None,
        images=colored,
        input=1,
    )


def small_images(data: Material) -> Finding | None:
    """Pictures that have to be blown up to the network's input."""
    if data.input is None:
        return None
    wanted = np.array([data.input.height, data.input.width])
    small = np.flatnonzero((2 * data.facts.sides <= wanted).any(axis=1) & data.facts.readable)
    if not small.size:
        return None
    sides = data.facts.sides[small].min(axis=1)
    usual = int(np.median(data.facts.sides[data.facts.readable].min(axis=1)))
    remedy = (
        f"--size {usual}" if 2 * usual <= wanted.max() else "leave them out, or find larger ones"
    )
    return found(
        "small-images",
        f"{pluralize(len(small))} of {len(data.facts):,} have at most half the sides of the "
        f"network's input of {data.input.height}×{data.input.width}: the smallest side is "
        f"{sides.min()}",
        remedy,
        files=data.names(small[np.argsort(sides, kind="stable")][:1000]),
        count=len(small),
    )


def blank(data: Material) -> Finding | None:
    """Pictures that show nothing."""
    numbers = blank_images(data)
    return _looked("blank", numbers, data, "show nothing: one color, or nearly",
                   data.remedy_by_fixing)  # fmt: skip


def dark(data: Material) -> Finding | None:
    """Very dark pictures."""
    facts = data.facts
    below = facts.readable & (facts.bright_end < DARK) & (facts.contrast >= BLANK)
    return _looked("dark", np.flatnonzero(below), data, "are very dark", _LOOK)


def blurred(data: Material) -> Finding | None:
    """Pictures without detail."""
    facts = data.facts
    large = facts.sides.min(axis=1) >= _SMALLEST_TO_JUDGE
    soft = facts.readable & large & (facts.sharpness < BLURRED) & (facts.contrast >= BLANK)
    return _looked("blurred", np.flatnonzero(soft), data, "are blurred", _LOOK)


def turned(data: Material) -> Finding | None:
    """Pictures that their EXIF orientation turns."""
    scan = data.facts.scan
    if scan is None:
        return None
    numbers = np.flatnonzero(scan.orientations > 1)
    if not numbers.size:
        return None
    return found(
        "turned",
        f"{pluralize(len(numbers))} of {len(data.facts):,} are turned by their EXIF orientation",
        "nothing for convlens, which turns them; other programs may not",
        files=data.names(numbers[:1000]),
        count=len(numbers),
    )


def pixels_not_scaled(data: Material) -> Finding | None:
    """Arrays without a pixel above 1."""
    arrays = data.images.arrays
    if arrays is None or not arrays.size or int(arrays.max()) > 1:
        return None
    return found(
        "pixels-not-scaled",
        f"no pixel of {pluralize(len(arrays))} is above {int(arrays.max())}, of 255",
        "pass the bytes as they were, or floats in [0, 1]: X.astype('float32')",
        highest=int(arrays.max()),
    )


def blank_images(data: Material) -> NDArray[np.int64]:
    """The numbers of the pictures that show nothing."""
    return np.flatnonzero(data.facts.readable & (data.facts.contrast < BLANK)).astype(np.int64)


def _looked(
    code: str, numbers: NDArray[np.int64], data: Material, what: str, remedy: str
) -> Finding | None:
    if not len(numbers):
        return None
    return found(
        code,
        f"{pluralize(len(numbers))} of {len(data.facts):,} "
        f"({percent(len(numbers) / len(data.facts), small=True)}) {what}",
        remedy,
        files=data.names(numbers[:1000]),
        count=len(numbers),
    )


def _below(data: Material, path: str) -> str:
    return path.removeprefix(f"{data.images.root}/")
