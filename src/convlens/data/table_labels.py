"""Labels as they stand in tables and arrays: which are missing, and which are no classes."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize, some

_NO_LABEL = frozenset({"nan", "-nan", "<na>", "null", "#n/a", "n/a", "nat"})
UNCLEAR = frozenset({"none", "na"})
"""Texts, in any case, that mean a class as often as a missing label."""
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_WHOLE_AS_FLOAT = re.compile(r"([+-]?\d+)\.0+")
_CERTAIN_SEPARATORS = ",;|"
_SEPARATORS = _CERTAIN_SEPARATORS + "/ "
_LIST = re.compile(r"\[.*,.*\]|\(.*,.*\)|\{.*,.*\}")
_MOST_REAL_VALUES = 20
_FEW_REAL_VALUES = 5


def is_missing(label: str, missing: Sequence[str] | None = None) -> bool:
    """Whether a label says that there is none.

    An empty cell always does. Where ``missing`` is None, so does what programs write for an absent
    value (``nan``, ``null``, ``N/A``, ``<NA>``, in any case); else exactly what it lists.

    Args:
        label: without white space around it.
        missing: the labels that stand for none, where the user says so.

    Example:
        >>> [is_missing(label) for label in ("", "NaN", "none", "nancy")]
        [True, True, False, False]
        >>> is_missing("nan", missing=()), is_missing("?", missing=("?",))
        (False, True)
    """
    if not label:
        return True
    return label in missing if missing is not None else label.casefold() in _NO_LABEL


def refuse_unclear_labels(where: str, labels: Sequence[str]) -> None:
    """Refuse labels such as ``None`` and ``NA``, which may be a class or no label at all.

    Raises:
        ConvlensError: there are some.
    """
    unclear = Counter(label for label in labels if label.casefold() in UNCLEAR)
    if unclear:
        label, count = unclear.most_common(1)[0]
        listed = ", ".join(f"'{name}'" for name in sorted(unclear))
        raise ConvlensError(
            f"{where} has the label '{label}' for {pluralize(count)} of {len(labels):,}; expected "
            "to know whether that is a class or a missing label",
            remedy=f'pass --set "data.missing_labels=[{listed}]" to leave these images out, or '
            '--set "data.missing_labels=[]" if it is a class',
            between=": ",
            code="unclear-labels",
        )


def refuse_numbers_to_predict(where: str, labels: Sequence[str]) -> None:
    """Refuse real numbers that would each become a class.

    Raises:
        ConvlensError: all labels are numbers, not all are whole, and there are many of them.
    """
    values = set(labels)
    if not all(_NUMBER.fullmatch(value) for value in values):
        return
    fractions = [v for v in values if float(v.replace(",", ".")) % 1]
    many = len(values) > _MOST_REAL_VALUES or (
        len(values) > _FEW_REAL_VALUES and 2 * len(values) > len(labels)
    )
    if fractions and many:
        raise ConvlensError(
            f"{where} has {len(values):,} different real numbers as labels "
            f"({some(sorted(values), 3)}); expected classes: convlens does not predict numbers "
            "(regression)",
            remedy="write the range that each falls into as its label (low, medium, high), or "
            "another column: --set data.label_column=NAME",
            between=". To classify, ",
            code="real-valued-labels",
        )


def refuse_several_labels(where: str, labels: Mapping[int, str]) -> None:
    """Refuse cells that hold several labels, such as ``cat,dog`` beside ``cat`` and ``dog``.

    Args:
        where: what to call the table.
        labels: by the number of the row.

    Raises:
        ConvlensError: there are some.
    """
    several = combinations(set(labels.values()))
    rows = [(number, label) for number, label in labels.items() if label in several]
    if rows:
        number, label = rows[0]
        joined = "+".join(re.findall(r"[^\s,;|/\[\]'\"]+", label))
        raise ConvlensError(
            f"{where} has several labels in one cell for {pluralize(len(rows))} of "
            f"{len(labels):,}, the first '{label}' in row {number}; expected one class "
            "an image: convlens does not give an image several labels",
            remedy="keep the one that matters, leave the row out, or, where the combination is a "
            f"class, write it without a separator ({joined})",
            between=". For each, ",
            code="several-labels",
        )


def combinations(labels: Iterable[str]) -> set[str]:
    """The labels that are lists of other labels.

    A label with a separator is one class where no two of its parts stand alone as labels (with
    ``;`` or ``|``: none does), and none changes its place from label to label.

    Args:
        labels: the different ones.

    Example:
        >>> sorted(combinations(["cat", "dog", "dog,cat"])), combinations(["tench, Tinca", "carp"])
        (['dog,cat'], set())
    """
    known = set(labels)
    found = {label for label in known if _LIST.fullmatch(label)}
    for separator in _SEPARATORS:
        split = {label: _split(label, separator) for label in known}
        alone = {own[0] for own in split.values() if len(own) == 1}
        moving = _moving(split.values()) if separator in _CERTAIN_SEPARATORS else set()
        found |= {
            label
            for label, own in split.items()
            if len(set(own)) > 1
            and (len(alone & set(own)) >= (1 if separator in ";|" else 2) or moving & set(own))
        }
    return found


def _split(label: str, separator: str) -> list[str]:
    return [part.strip() for part in label.split(separator) if part.strip()]


def _moving(split: Iterable[Sequence[str]]) -> set[str]:
    """The parts that stand at one place in one label and at another in another."""
    places: dict[str, set[int]] = {}
    for parts in split:
        for place, part in enumerate(parts):
            places.setdefault(part, set()).add(place)
    return {part for part, own in places.items() if len(own) > 1}


def without_decimals(labels: Sequence[str]) -> list[str] | None:
    """Whole numbers that were written as floats (``1.0``), as whole numbers; None if they are not.

    Example:
        >>> without_decimals(["1.0", "12.00", "3"]), without_decimals(["1.0", "b"])
        (['1', '12', '3'], None)
    """
    as_floats = [_WHOLE_AS_FLOAT.fullmatch(label) for label in labels]
    whole = all(
        found or label.lstrip("+-").isdecimal()
        for found, label in zip(as_floats, labels, strict=True)
    )
    if not whole or not any(as_floats):
        return None
    return [found[1] if found else label for found, label in zip(as_floats, labels, strict=True)]
