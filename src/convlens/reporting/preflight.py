"""What was found before training, and how it was answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convlens.core.formatting import describe
from convlens.reporting.facts import Facts

_FILES = 5
_ORDER = ("error", "warning", "note")


@dataclass(frozen=True, kw_only=True)
class ToldFinding:
    """A finding of the preflight, as the page tells it.

    Attributes:
        code: its name.
        severity: ``"error"``, ``"warning"`` or ``"note"``.
        message: what was found.
        evidence: names and values behind it.
        files: the first few files it is about.
        more: how many files there are besides.
        remedy: what would mend it.
        answer: what was done about it.
    """

    code: str
    severity: str
    message: str
    evidence: tuple[tuple[str, str], ...]
    files: tuple[str, ...]
    more: int
    remedy: str
    answer: str


def estimate(facts: Facts) -> str:
    """What training was estimated to take, beside what it took; empty where that is not known."""
    expected = (facts.preflight or {}).get("estimate")
    if not expected:
        return ""
    most = " at most" if expected["at_most"] else ""
    told = (
        f"Training was estimated to take {describe(expected['training_seconds'])}{most}; "
        f"it took {describe(facts.metrics['seconds'])}."
    )
    held = facts.metrics.get("peak_memory_mb")  # runs from before it was measured have none
    if held:
        told += f" {expected['memory_mb']:,} MB of memory were expected; it held {held:,} MB."
    return told


def findings(facts: Facts) -> tuple[ToldFinding, ...]:
    """The findings, gravest first."""
    found = [_finding(own) for own in facts.findings]
    return tuple(sorted(found, key=lambda own: _rank(own.severity)))


def allowed_codes(facts: Facts) -> list[str]:
    """The codes of errors that the user allowed: training the same again needs them too."""
    found = (own for own in facts.findings if own.get("allowed") and own.get("severity") == "error")
    return list(dict.fromkeys(str(own["code"]) for own in found))


def _finding(own: Mapping[str, Any]) -> ToldFinding:
    files = [str(name) for name in own.get("files") or ()]
    evidence = own.get("evidence") or {}
    severity = str(own.get("severity", "note"))
    return ToldFinding(
        code=str(own.get("code", "")),
        severity=severity,
        message=str(own.get("message", "")),
        evidence=tuple((_name(key), _value(v)) for key, v in evidence.items() if _plain(v)),
        files=tuple(files[:_FILES]),
        more=max(0, len(files) - _FILES),
        remedy=str(own.get("remedy") or ""),
        answer=_answer(severity, allowed=bool(own.get("allowed"))),
    )


def _rank(severity: str) -> int:
    return _ORDER.index(severity) if severity in _ORDER else len(_ORDER)


def _answer(severity: str, *, allowed: bool) -> str:
    if allowed:
        return "The user allowed it by its code, and training went on."
    return {
        "error": "Training does not begin with it unless it is allowed.",
        "warning": "Training went on with it.",
    }.get(severity, "Nothing had to be done.")


def _plain(value: Any) -> bool:
    """Whether a value can be told in a few words."""
    few = isinstance(value, Sequence) and len(value) <= _FILES
    return isinstance(value, str | int | float) or (few and all(map(_plain, value)))


def _name(key: str) -> str:
    return key.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value) if isinstance(value, str | bool) else ", ".join(map(_value, value))
