"""When the network says "not sure", what that promises, and what it did."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convlens.reporting.scores import Score
from convlens.reporting.words import percent, percents


@dataclass(frozen=True, kw_only=True)
class NotSure:
    """The section on saying "not sure".

    Attributes:
        promise: what is promised, in a sentence; empty where nothing is.
        reason: why nothing is promised; empty where something is.
        scores: what came of it on images that had no part in it.
        n: these images.
    """

    promise: str
    reason: str
    scores: tuple[Score, ...]
    n: int


def not_sure(selective: Mapping[str, Any] | None) -> NotSure | None:
    """What a run's metrics say of selective; None for a run from before there was such a thing."""
    if not selective:
        return None
    figures = selective.get("figures")
    return NotSure(
        promise=_sentence(selective.get("promise")),
        reason=_sentence(selective.get("reason")),
        scores=_scores(figures) if figures else (),
        n=figures["n"] if figures else 0,
    )


def _sentence(text: str | None) -> str:
    """A sentence of a page, from one of a terminal."""
    return f"{text[0].upper()}{text[1:].rstrip('.')}." if text else ""


def _scores(figures: Mapping[str, Any]) -> tuple[Score, ...]:
    candidates = figures.get("candidates")
    found = [
        _score(
            figures, "coverage", "True class named", "Share whose class is among those it names."
        ),
        _score(figures, "answered", "Answered", "Share for which it is sure, and names one class."),
        _score(figures, "error_rate", "Wrong where it was sure", "Share of those answered."),
    ]
    if candidates is not None:
        found.append(
            Score(
                name="Candidates",
                value=f"{candidates:.1f}",
                interval="",
                meaning="Classes that it names on average where it is not sure.",
            )
        )
    return tuple(found)


def _score(figures: Mapping[str, Any], key: str, name: str, meaning: str) -> Score:
    return Score(
        name=name,
        value=percent(figures.get(key)),
        interval=percents(figures.get(f"{key}_interval")),
        meaning=meaning,
    )
