"""A finding: what was found, how grave it is, and the very option that answers it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from convlens.preflight.codes import CODES, Severity

Evidence: TypeAlias = Mapping[str, Any]
Verdict: TypeAlias = Literal["error", "warning", "note", "allowed"]

_LISTED = 1000
_ORDER: Mapping[Severity, int] = {"error": 0, "warning": 1, "note": 2}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something a user should know before an epoch is spent.

    Attributes:
        code: its stable name, a key of `CODES`, or that of the error that a source was refused
            with.
        severity: an ``"error"`` stops training unless it is allowed by its code; a ``"warning"``
            and a ``"note"`` are told.
        message: what was found, in a sentence.
        remedy: what to pass or to type.
        evidence: the figures behind it, as plain JSON values.
        files: the images it is about, the most telling first; 1,000 of them at most.
    """

    code: str
    severity: Severity
    message: str
    remedy: str
    evidence: Evidence = field(default_factory=dict)
    files: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The finding as one JSON object."""
        return {**vars(self), "evidence": dict(self.evidence), "files": list(self.files)}


def found(
    code: str,
    message: str,
    remedy: str,
    *,
    severity: Severity | None = None,
    files: Iterable[str] = (),
    **evidence: Any,
) -> Finding:
    """A finding of a known code.

    Args:
        code: a key of `CODES`.
        message: what was found.
        remedy: what to pass or to type.
        severity: where it depends on the figures; None for the code's own.
        files: which images; more than 1,000 are cut off.
        evidence: the figures.
    """
    known = CODES[code]
    return Finding(
        code=code,
        severity=severity or known.severity,
        message=message,
        remedy=remedy,
        evidence=evidence,
        files=tuple(files)[:_LISTED],
    )


def sort_by_severity(findings: Iterable[Finding | None]) -> tuple[Finding, ...]:
    """What was found, errors before warnings before notes; what was not found is None.

    Example:
        >>> note = Finding(code="x", severity="note", message="a", remedy="b")
        >>> error = Finding(code="y", severity="error", message="a", remedy="b")
        >>> [finding.code for finding in sort_by_severity([note, None, error])]
        ['y', 'x']
    """
    there = [finding for finding in findings if finding is not None]
    return tuple(sorted(there, key=lambda finding: _ORDER[finding.severity]))


def blocking(findings: Sequence[Finding], allow: Iterable[str] = ()) -> tuple[Finding, ...]:
    """The errors among findings that are not allowed."""
    allowed = set(allow)
    return tuple(f for f in findings if f.severity == "error" and f.code not in allowed)
