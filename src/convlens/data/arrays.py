"""Arrays of pixels and labels, from Python or from an ``.npz`` file."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError
from convlens.data.archive_members import DAMAGE
from convlens.data.array_images import bad_arrays
from convlens.data.array_labels import class_numbers, labels_of
from convlens.data.given_images import stack_images
from convlens.data.image_set import SPLITS
from convlens.data.labeled import UNSAID, Labeled, validate_case
from convlens.data.npz_limits import check_npz
from convlens.data.split_names import SPLIT_WORDS

_PIXELS = {"x", "images", "image", "pixels"}
_LABELS = {"y", "labels", "label"}


def read_arrays(source: object, missing: Sequence[str] | None = None) -> Labeled:
    """Read what was passed from Python: ``(X, y)``, or ``((X, y), (X_test, y_test))``.

    Args:
        source: the arrays.
        missing: as in `labels_of`.

    Raises:
        ConvlensError: see `pixels_of` and `labels_of`.
    """
    expected = "expected (X, y), or ((X, y), (X_test, y_test)) with the training images first"
    if not isinstance(source, tuple) or len(source) != 2:
        size = f" of {len(source)}" if isinstance(source, tuple) else ""
        raise ConvlensError(
            f"the source is a {type(source).__name__}{size}; {expected}, or the name of a folder",
            code="bad-arrays",
        )
    if all(isinstance(part, tuple) and len(part) == 2 for part in source):
        return _labeled("arrays", {"train": source[0], "test": source[1]}, missing)
    return _labeled("arrays", {"": source}, missing)


def read_npz(path: Path, missing: Sequence[str] | None = None) -> Labeled:
    """Read an ``.npz`` file with ``X`` and ``y``, or ``X_train``, ``y_train`` and so on.

    Names may be upper or lower case, ``images`` and ``labels`` instead of ``X`` and ``y``, and the
    split may come first (``train_images``). Pickled content is never loaded.

    Args:
        path: the file.
        missing: as in `labels_of`.

    Raises:
        ConvlensError: the file cannot be read, arrays are missing, or do not fit together.
    """
    try:
        with path.open("rb") as file:
            _refuse_other_content(path, file.read(6))
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ConvlensError(
                    f"{path} holds a single array; expected an .npz with X and y: "
                    "write one with numpy.savez_compressed(path, X=X, y=y)",
                    code="bad-npz",
                )
            names = _names(path, archive.files)
            check_npz(path, file, [name for pair in names.values() for name in pair.values()])
            parts = {
                split: tuple(_member(path, archive, pair[kind]) for kind in ("X", "y"))
                for split, pair in names.items()
            }
    except ConvlensError:
        raise
    except DAMAGE as error:
        raise ConvlensError(
            f"cannot read {path} ({error}); expected an .npz file with X and y, "
            "as numpy.savez_compressed(path, X=X, y=y) writes it",
            code="bad-npz",
        ) from error
    return _labeled(path.stem, parts, missing, where=str(path))


def _refuse_other_content(path: Path, start: bytes) -> None:
    """NumPy takes all that it does not know for a pickle, and would advise to load it."""
    if not start.startswith((b"PK", b"\x93NUMPY")):
        raise ConvlensError(
            f"{path} is not an .npz file; expected one with X and y, as "
            "numpy.savez_compressed(path, X=X, y=y) writes it",
            code="bad-npz",
        )


def pixels_of(images: Any, name: str = "X") -> tuple[NDArray[np.uint8], list[str]]:
    """Make images uint8 N×H×W×C, and say what was done.

    Args:
        images: N×H×W×C, N×C×H×W or N×H×W with 1 or 3 channels: uint8, booleans, or floats in
            [0, 1]; or an iterable of images of one size, Pillow's among them.
        name: what to call them in messages.

    Returns:
        The pixels, not copied where they are uint8 already, and notes on what was done.

    Raises:
        ConvlensError: anything else; says what it is and what to do.

    Example:
        >>> pixels, notes = pixels_of(np.ones((2, 28, 28)))
        >>> pixels.shape, int(pixels.max()), notes[0]
        ((2, 28, 28, 1), 255, 'channel axis added: 28x28 -> 28x28x1')
    """
    converted = stack_images(images, name)
    return converted.pixels, list(converted.notes)


def _labeled(
    name: str,
    parts: Mapping[str, tuple[Any, ...]],
    missing: Sequence[str] | None,
    where: str = "the arrays",
) -> Labeled:
    images, labels, given, notes = [], [], [], []
    axis_added = False
    for split, (x, y) in parts.items():
        suffix = f"_{split}" if split else ""
        converted = stack_images(x, f"X{suffix}", count=_length(y))
        pixels = converted.pixels
        axis_added |= converted.axis_added
        numbers, said = labels_of(y, len(pixels), f"y{suffix}", missing)
        images.append(pixels)
        labels.append(numbers)
        given.append(np.full(len(pixels), SPLITS.index(split) if split else UNSAID, np.int8))
        notes += [*converted.notes, *said]
    if len({pixels.shape[1:] for pixels in images}) > 1:
        shapes = ", ".join("x".join(map(str, pixels.shape[1:])) for pixels in images)
        raise bad_arrays(f"the images of the splits differ in shape ({shapes})", "one shape")
    if len({numbers.dtype.kind in "iu" for numbers in labels}) > 1:
        raise bad_arrays("the labels are integers in one split and strings in another", "one kind")
    classes, indices = class_numbers(np.concatenate(labels))
    validate_case(where, classes)
    return Labeled(
        name=name,
        classes=classes,
        labels=indices,
        given=np.concatenate(given),
        arrays=images[0] if len(images) == 1 else np.concatenate(images),
        notes=tuple(dict.fromkeys(notes)),
        axis_added=axis_added,
    )


def _length(labels: Any) -> int | None:
    return len(labels) if hasattr(labels, "__len__") else None


def _names(path: Path, files: list[str]) -> dict[str, dict[str, str]]:
    """The names of X and y in each split that the file holds; the split is "" where unsaid."""
    found: dict[str, dict[str, str]] = {}
    for name in files:
        words = set(re.split(r"[_\-. ]", name.casefold()))
        split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), "")
        rest = words - set(SPLIT_WORDS)
        kind = "X" if rest and rest <= _PIXELS else "y" if rest and rest <= _LABELS else ""
        if kind and found.setdefault(split, {}).setdefault(kind, name) != name:
            raise ConvlensError(
                f"{path} holds {found[split][kind]} and {name}, both {kind} of the "
                f"{split or 'same'} split; expected one array each: rename or remove one",
                code="bad-npz",
            )
    whole = {split: pair for split, pair in found.items() if len(pair) == 2}
    if not whole or found.keys() != whole.keys() or ("" in whole and len(whole) > 1):
        raise ConvlensError(
            f"{path} holds the arrays {', '.join(files) or 'none'}; expected X and y, or X_train, "
            "y_train, X_test and y_test: write it with numpy.savez_compressed(path, X=X, y=y)",
            code="bad-npz",
        )
    return whole


def _member(path: Path, archive: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    try:
        return archive[name]
    except ValueError as error:
        raise ConvlensError(
            f"the array {name} in {path} cannot be read without running its pickle ({error}); "
            "expected numbers or strings of one shape: save it again with a plain dtype",
            code="bad-npz",
        ) from error
