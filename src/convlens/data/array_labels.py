"""Labels from Python, one an image."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.formatting import pluralize, some
from convlens.data.array_images import as_array, bad_arrays, shape_of
from convlens.data.image_set import normalized
from convlens.data.table_labels import UNCLEAR, is_missing

_NOTHING = frozenset({"NAType", "NaTType", "NoneType"})


def labels_of(
    labels: Any, n: int, name: str = "y", missing: Sequence[str] | None = None
) -> tuple[NDArray[Any], list[str]]:
    """Make labels (N,) integers or strings, and say what was done.

    Args:
        labels: N, or N×1 as Keras ships them; integers, booleans or strings.
        n: how many images there are.
        name: what to call them in messages.
        missing: the texts that mean that there is no label, as in `is_missing`.

    Raises:
        ConvlensError: anything else, and labels that are missing, hidden by a mask or several an
            image; says what it is and what to do.
    """
    if isinstance(labels, np.ma.MaskedArray):
        _refuse_hidden(labels, name)
    array = as_array(labels, name)
    notes = []
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
        notes.append("labels of shape N x 1 read as N")
    if array.ndim == 2:
        _refuse_two_dimensions(array, name)
    if array.ndim != 1 or len(array) != n:
        raise bad_arrays(
            f"{name} has shape {shape_of(array)} beside {n:,} images", f"{n:,} labels, one an image"
        )
    if array.dtype == object:
        array = _of_one_kind(array, name)
    if array.dtype.kind == "U":
        _validate_unicode(array, name)
        _refuse_texts_without_label(array, name, missing)
    if array.dtype.kind == "f":
        _refuse_floats(array, name)
    if array.dtype.kind == "i":
        _refuse_cast_nan(array, name)
    if array.dtype.kind not in "iuUb":
        raise bad_arrays(
            f"{name} has dtype {array.dtype}", f"integers or strings: pass {name}.astype(str)"
        )
    return array, notes


def class_numbers(labels: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Class names and class numbers from labels: integers in their order, strings sorted.

    Example:
        >>> class_numbers(np.array([10, 2, 10]))[0], class_numbers(np.array(["b", "a"]))[1].tolist()
        (('2', '10'), [1, 0])
    """
    if labels.dtype.kind == "U":
        labels = np.array([normalized(label) for label in labels.tolist()])
    values, numbers = np.unique(labels, return_inverse=True)
    return tuple(str(value) for value in values.tolist()), numbers.astype(np.int64)


def numbered(texts: Iterable[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The different texts, sorted, and which of them each is.

    As `numpy.unique`, which would give each text the room of the longest.

    Example:
        >>> numbered(["b", "a", "b"])
        (('a', 'b'), array([1, 0, 1]))
    """
    values = [*texts]
    known = tuple(sorted({*values}))
    places = {text: place for place, text in enumerate(known)}
    return known, np.fromiter((places[text] for text in values), np.int64, len(values))


def _of_one_kind(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Python objects as strings or as integers; as floats where some are."""
    values = list(array)
    _refuse_missing(array, [_is_nothing(value) for value in values], name)
    if all(isinstance(value, str) for value in values):
        return array.astype(str)
    if all(isinstance(value, int | np.integer | np.bool_) for value in values):
        return array.astype(np.int64)
    if all(isinstance(value, int | float | np.integer | np.floating) for value in values):
        return array.astype(np.float64)
    kinds = some(sorted({type(value).__name__ for value in values}))
    raise bad_arrays(
        f"{name} has dtype object with labels of several kinds ({kinds})",
        f"integers or strings: pass {name}.astype(str)",
    )


def _is_nothing(value: Any) -> bool:
    missing_number = isinstance(value, float | np.floating) and bool(np.isnan(value))
    return missing_number or type(value).__name__ in _NOTHING


def _refuse_missing(array: NDArray[Any], missing: list[bool], name: str) -> None:
    if any(missing):
        first = array[missing.index(True)]
        raise bad_arrays(
            f"{name} has dtype {array.dtype} and {pluralize(sum(missing), 'missing label')} of "
            f"{len(array):,}, the first {first!s:.20} at {missing.index(True)}",
            "a label for each image: leave those images out; where such a text is a class, pass "
            "settings=['data.missing_labels=[]']",
        )


def _validate_unicode(array: NDArray[Any], name: str) -> None:
    """Refuse code points that are no characters, which Python cannot make a string of."""
    codes = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).view(np.uint32)
    if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any():
        raise bad_arrays(
            f"{name} has dtype {array.dtype} and labels that are not Unicode text",
            "integers or strings: write the file again",
        )


def _refuse_texts_without_label(
    array: NDArray[Any], name: str, missing: Sequence[str] | None
) -> None:
    absent = {text for text in set(array.tolist()) if is_missing(text.strip(), missing)}
    _refuse_missing(array, np.isin(array, list(absent)).tolist(), name)
    unclear = sorted(text for text in set(array.tolist()) if text.strip().casefold() in UNCLEAR)
    if unclear and missing is None:
        raise bad_arrays(
            f"{name} has the label '{unclear[0]}' for "
            f"{pluralize(int((array == unclear[0]).sum()))} of {len(array):,}",
            "to know whether that is a class or a missing label: leave those images out, or pass "
            "settings=['data.missing_labels=[]'] where it is a class",
        )


def _refuse_floats(array: NDArray[Any], name: str) -> None:
    unknown = ~np.isfinite(array)
    if unknown.any():
        raise bad_arrays(
            f"{name} has dtype {array.dtype} and {pluralize(int(unknown.sum()), 'label')} of "
            f"{len(array):,} that are NaN or infinite",
            "integers or strings, and a label for each image: leave those images out, with "
            f"keep = numpy.isfinite({name}); X[keep], {name}[keep].astype(int)",
        )
    if (array % 1).any():
        raise bad_arrays(
            f"{name} has dtype {array.dtype} and numbers that are not whole, as "
            f"{array[np.flatnonzero(array % 1)[0]]:g}",
            "classes: convlens does not predict numbers (regression); for ranges as classes pass "
            f"numpy.digitize({name}, limits)",
        )
    raise bad_arrays(
        f"{name} has dtype {array.dtype}",
        f"integers or strings: pass {name}.astype(int) or {name}.astype(str)",
    )


def _refuse_cast_nan(array: NDArray[Any], name: str) -> None:
    """The smallest integer is no class: it is what NaN becomes when it is cast."""
    cast = int((array == np.iinfo(array.dtype).min).sum()) if array.dtype.itemsize >= 4 else 0
    if cast:
        raise bad_arrays(
            f"{name} holds {np.iinfo(array.dtype).min} {pluralize(cast, 'time')}, which NaN "
            "becomes as an integer",
            "a label for each image: leave out the images whose label was NaN",
        )


def _refuse_two_dimensions(array: NDArray[Any], name: str) -> None:
    shape = shape_of(array)
    numbers = array.dtype.kind in "iufb"
    if numbers and ((array != 0).sum(axis=1) > 1).any() and np.isin(array, (0, 1)).all():
        raise bad_arrays(
            f"{name} has shape {shape} with several ones in a row, which looks like several labels "
            "an image",
            "one class an image: convlens does not give an image several labels",
        )
    raise bad_arrays(
        f"{name} has shape {shape}, which looks like one-hot labels",
        f"one class number an image: pass {name}.argmax(axis=1)",
    )


def _refuse_hidden(labels: "np.ma.MaskedArray[Any, Any]", name: str) -> None:
    hidden = np.ma.getmaskarray(labels)
    if hidden.any():
        raise bad_arrays(
            f"{name} is masked: {pluralize(int(hidden.sum()), 'label')} of {labels.size:,} hidden",
            "a label for each image: leave those images out, with "
            f"keep = ~numpy.ma.getmaskarray({name}); X[keep], {name}[keep].data",
        )
