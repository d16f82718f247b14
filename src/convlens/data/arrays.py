"""Arrays of pixels and labels, from Python or from an ``.npz`` file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convlens.core.errors import ConvlensError
from convlens.data.archive_members import DAMAGE
from convlens.data.image_set import SPLITS, normalised
from convlens.data.labelled import SPLIT_NAMES, UNSAID, Labelled, refuse_case_twins
from convlens.data.npz_limits import check_npz

_CHUNK = 1024
_SMALLEST = 8  # pixels: no image is 3 wide and so many high, and no other axis is of channels
_PIXELS = {"x", "images", "image", "pixels"}
_LABELS = {"y", "labels", "label"}


def read_arrays(source: object) -> Labelled:
    """Read what was passed from Python: ``(X, y)``, or ``((X, y), (X_test, y_test))``.

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
        return _labelled("arrays", {"train": source[0], "test": source[1]})
    return _labelled("arrays", {"": source})


def read_npz(path: Path) -> Labelled:
    """Read an ``.npz`` file with ``X`` and ``y``, or ``X_train``, ``y_train`` and so on.

    Names may be upper or lower case, ``images`` and ``labels`` instead of ``X`` and ``y``, and the
    split may come first (``train_images``). Pickled content is never loaded.

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
    return _labelled(path.stem, parts, where=str(path))


def _refuse_other_content(path: Path, start: bytes) -> None:
    """NumPy takes all that it does not know for a pickle, and would advise to load it."""
    if not start.startswith((b"PK", b"\x93NUMPY")):
        raise ConvlensError(
            f"{path} is not an .npz file; expected one with X and y, as "
            "numpy.savez_compressed(path, X=X, y=y) writes it",
            code="bad-npz",
        )


def pixels_of(images: ArrayLike, name: str = "X") -> tuple[NDArray[np.uint8], list[str]]:
    """Make images uint8 N×H×W×C, and say what was done.

    Args:
        images: N×H×W×C or N×H×W with 1 or 3 channels; uint8, or floats in [0, 1].
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
    array = _array(images, name)
    notes = []
    _check_pixel_type(array, name)
    if array.ndim == 3 and array.shape[2] in {1, 3, 4} and min(array.shape[:2]) >= _SMALLEST:
        raise _bad(
            f"{name} has shape {_shape(array)}, which looks like one image",
            f"a batch of images, even of one: pass {name}[None]",
        )
    if array.ndim == 3:
        height, width = array.shape[1:]
        array = array[..., None]
        notes.append(f"channel axis added: {height}x{width} -> {height}x{width}x1")
    _check_pixel_shape(array, name)
    if array.dtype != np.uint8:
        array = _bytes_from_floats(array, name)
        notes.append("floats in [0, 1] converted to bytes: x -> round(255 x)")
    return array, notes


def labels_of(labels: ArrayLike, n: int, name: str = "y") -> tuple[NDArray[Any], list[str]]:
    """Make labels (N,) integers or strings, and say what was done.

    Args:
        labels: N, or N×1 as Keras ships them; integers or strings.
        n: how many images there are.
        name: what to call them in messages.

    Raises:
        ConvlensError: anything else; says what it is and what to do.
    """
    array = _array(labels, name)
    notes = []
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
        notes.append("labels of shape N x 1 read as N")
    if array.ndim == 2:
        raise _bad(
            f"{name} has shape {_shape(array)}, which looks like one-hot labels",
            f"one class number an image: pass {name}.argmax(axis=1)",
        )
    if array.ndim != 1 or len(array) != n:
        raise _bad(
            f"{name} has shape {_shape(array)} beside {n:,} images", f"{n:,} labels, one an image"
        )
    if array.dtype == object and all(isinstance(label, str) for label in array):
        array = array.astype(str)
    if array.dtype.kind not in "iuUb":
        raise _bad(
            f"{name} has dtype {array.dtype}",
            f"integers or strings: pass {name}.astype(int) or {name}.astype(str)",
        )
    return array, notes


def _labelled(
    name: str, parts: Mapping[str, tuple[Any, ...]], where: str = "the arrays"
) -> Labelled:
    images, labels, given, notes = [], [], [], []
    axis_added = False
    for split, (x, y) in parts.items():
        suffix = f"_{split}" if split else ""
        array = _array(x, f"X{suffix}")
        pixels, said = pixels_of(array, f"X{suffix}")
        axis_added |= pixels.ndim > array.ndim
        numbers, also_said = labels_of(y, len(pixels), f"y{suffix}")
        images.append(pixels)
        labels.append(numbers)
        given.append(np.full(len(pixels), SPLITS.index(split) if split else UNSAID, np.int8))
        notes += said + also_said
    if len({pixels.shape[1:] for pixels in images}) > 1:
        shapes = ", ".join("x".join(map(str, pixels.shape[1:])) for pixels in images)
        raise _bad(f"the images of the splits differ in shape ({shapes})", "one shape")
    if len({numbers.dtype.kind in "iu" for numbers in labels}) > 1:
        raise _bad("the labels are integers in one split and strings in another", "one kind")
    classes, indices = class_numbers(np.concatenate(labels))
    refuse_case_twins(where, classes)
    return Labelled(
        name=name,
        classes=classes,
        labels=indices,
        given=np.concatenate(given),
        arrays=images[0] if len(images) == 1 else np.concatenate(images),
        notes=tuple(dict.fromkeys(notes)),
        axis_added=axis_added,
    )


def class_numbers(labels: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names and class numbers from labels: integers in their order, strings sorted.

    Example:
        >>> class_numbers(np.array([10, 2, 10]))[0], class_numbers(np.array(["b", "a"]))[1].tolist()
        (('2', '10'), [1, 0])
    """
    if labels.dtype.kind == "U":
        labels = np.array([normalised(label) for label in labels.tolist()])
    values, numbers = np.unique(labels, return_inverse=True)
    return tuple(str(value) for value in values.tolist()), numbers.astype(np.int64)


def _array(values: ArrayLike, name: str) -> NDArray[Any]:
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:
        raise _bad(
            f"{name} is not an array ({error})", "a NumPy array, every image of one size"
        ) from error


def _check_pixel_type(array: NDArray[Any], name: str) -> None:
    if array.dtype == object:
        raise _bad(
            f"{name} has dtype object (images of different sizes?)",
            "uint8 or float of one shape: resize the images, or save them as files and "
            "pass the folder",
        )
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise _bad(
            f"{name} has dtype {array.dtype}",
            f"uint8, or floats in [0, 1]: pass {name}.astype('uint8') "
            "where the values are 0 to 255",
        )


def _check_pixel_shape(array: NDArray[Any], name: str) -> None:
    shape = array.shape
    if array.ndim != 4:
        raise _bad(
            f"{name} has shape {_shape(array)}",
            "N x height x width x channels, or N x height x width for grey images",
        )
    if 0 in shape:
        raise _bad(f"{name} has shape {_shape(array)}: no images", "at least one image")
    if shape[3] not in {1, 3}:
        if shape[1] in {1, 3}:
            raise _bad(
                f"{name} has shape {_shape(array)}: channels first",
                f"channels last: pass {name}.transpose(0, 2, 3, 1)",
            )
        alpha = f": drop the alpha channel with {name}[..., :3]" if shape[3] == 4 else ""
        raise _bad(
            f"{name} has shape {_shape(array)}: {shape[3]} channels",
            f"1 (grey) or 3 (RGB) channels on the last axis{alpha}",
        )


def _bytes_from_floats(array: NDArray[Any], name: str) -> NDArray[np.uint8]:
    result = np.empty(array.shape, np.uint8)
    for start in range(0, len(array), _CHUNK):
        chunk = array[start : start + _CHUNK]
        low, high = float(chunk.min()), float(chunk.max())
        if not np.isfinite([low, high]).all():
            raise _bad(
                f"{name} holds values that are NaN or infinite",
                "floats in [0, 1]: mend or leave out those images",
            )
        if low < 0 or high > 1:
            low, high = float(array.min()), float(array.max())
            raise _bad(
                f"{name} holds floats whose values reach {high if high > 1 else low:g}",
                "floats in [0, 1], or uint8: " + _remedy(low, high),
            )
        np.rint(chunk * 255, out=result[start : start + _CHUNK], casting="unsafe")
    return result


def _remedy(low: float, high: float) -> str:
    if low < 0:
        return "undo the normalisation; the network normalises for itself"
    return f"divide by {255 if high > 16 else high:g} or pass uint8"


def _names(path: Path, files: list[str]) -> dict[str, dict[str, str]]:
    """The names of X and y in each split that the file holds; the split is "" where unsaid."""
    found: dict[str, dict[str, str]] = {}
    for name in files:
        words = set(re.split(r"[_\-. ]", name.casefold()))
        split = next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "")
        rest = words - set(SPLIT_NAMES)
        kind = "X" if rest and rest <= _PIXELS else "y" if rest and rest <= _LABELS else ""
        if kind:
            found.setdefault(split, {})[kind] = name
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


def _shape(array: NDArray[Any]) -> str:
    return " x ".join(map(str, array.shape)) or "()"


def _bad(found: str, expected: str) -> ConvlensError:
    return ConvlensError(f"{found}; expected {expected}", code="bad-arrays")
