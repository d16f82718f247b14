"""What was found before training that flatters the figures: they say so themselves."""

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from convlens.core.formatting import pluralize
from convlens.reporting.facts import Facts
from convlens.reporting.words import percent

_SPLITS = {"test": "test", "val": "validation"}
_TWINS = {"copies-across-splits": "an exact copy", "near-duplicates": "a near duplicate"}
_SEE = Markup('See <a href="#preflight">what was found before training</a>.')


def leaks(facts: Facts) -> tuple[str, ...]:
    """What the figures do not tell because of what was found, a sentence each; allowed or not."""
    told = [*_twins(facts)]
    for code, say in _OTHERS.items():
        if (found := _found(facts, code)) is not None:
            told.append(say(found.get("evidence") or {}))
    return tuple(Markup("{} {}").format(sentence, _SEE) for sentence in told)


def has_twins(facts: Facts) -> bool:
    """Whether images that were measured have copies, exact or near, in another split."""
    return bool(_twins(facts))


def _twins(facts: Facts) -> list[str]:
    told = []
    for code, twin in _TWINS.items():
        found = _found(facts, code)
        if found is None or facts.split is None:
            continue
        evidence = found.get("evidence") or {}
        images, shares = evidence.get("images") or {}, evidence.get("share") or {}
        count = images.get(facts.split)
        if images and not count:  # it is validation that is touched, and test that was measured
            continue
        kind = f"{_SPLITS[facts.split]} image"
        some = f"some {kind}s" if count is None else pluralize(count, kind)
        if facts.split in shares:
            some += f" ({percent(shares[facts.split])} of them)"
        have = "has" if count == 1 else "have"
        told.append(
            f"How it does on images that are new to it: {some} {have} {twin} in another split."
        )
    return told


def _found(facts: Facts, code: str) -> Mapping[str, Any] | None:
    return next((own for own in facts.findings if own.get("code") == code), None)


def _groups(evidence: Mapping[str, Any]) -> str:
    count = evidence.get("groups")
    some = "some groups" if count is None else pluralize(count, "group")
    have = "has" if count == 1 else "have"
    return f"How it does on groups that are new to it: {some} {have} images in several splits."


def _names(_: Mapping[str, Any]) -> str:
    return (
        "Whether it looks at what the images show: file names tell the class, so a class may be "
        "known by its camera, its place or its day."
    )


def _labels(evidence: Mapping[str, Any]) -> str:
    count = evidence.get("count")
    some = "some files" if count is None else pluralize(count, "file")
    stand = "stands" if count == 1 else "stand"
    return f"Which of its mistakes are mistakes of the labels: {some} {stand} under two classes."


_OTHERS = {"group-straddles": _groups, "name-leakage": _names, "two-labels": _labels}
