"""What was found before a run, and how it was answered."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convlens.core.errors import ConvlensError
from convlens.core.files import write_json
from convlens.core.formatting import pluralize
from convlens.core.printable import printable
from convlens.preflight.estimates import Estimate
from convlens.preflight.finding import Finding, blocking

_FILE = "preflight.json"


class StoppedError(ConvlensError):
    """Errors were found that are not allowed: nothing was trained.

    Args:
        preflight: what was found.
    """

    def __init__(self, preflight: "Preflight") -> None:
        errors = preflight.blocking
        told = "\n".join(printable(f"  {e.code}: {e.message}; {_answer(e)}") for e in errors)
        super().__init__(
            f"not trained, for {pluralize(len(errors), 'error')} found beforehand:\n{told}",
            code=errors[0].code,
        )
        self.preflight = preflight

    @property
    def laid_out(self) -> bool:
        """Yes: a line an error, and those are escaped."""
        return True


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """What was found before a run.

    Attributes:
        name: what the images are called.
        images: how many there are.
        findings: gravest first.
        allowed: codes of errors that do not stop the run.
        estimate: what the run will take; None where it was not measured.
    """

    name: str
    images: int
    findings: tuple[Finding, ...]
    allowed: tuple[str, ...] = ()
    estimate: Estimate | None = None

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The errors that stop training."""
        return blocking(self.findings, self.allowed)

    def require_allowed(self) -> None:
        """Go on where nothing stops training.

        Raises:
            StoppedError: an error was found that is not allowed.
        """
        if self.blocking:
            raise StoppedError(self)

    def as_json(self) -> dict[str, Any]:
        """All of it as one JSON object: ``RUN/preflight.json``."""
        return {
            "findings": [
                {**finding.as_json(), "allowed": finding.code in self.allowed}
                for finding in self.findings
            ],
            "estimate": self.estimate and self.estimate.as_json(),
            "images": self.images,
        }

    def save(self, folder: Path) -> None:
        """Write it into a run's folder."""
        write_json(folder / _FILE, self.as_json())

    def in_a_line(self) -> str:
        """How many findings there are of each kind.

        Example:
            >>> Preflight(name="digits", images=1797, findings=()).in_a_line()
            'checked 1,797 images: nothing to say against it'
        """
        kinds = [finding.severity for finding in self.findings]
        told = [pluralize(kinds.count(k), k) for k in ("error", "warning", "note") if k in kinds]
        return f"checked {pluralize(self.images)}: " + (
            ", ".join(told) or "nothing to say against it"
        )


def finding_of(error: ConvlensError) -> Finding:
    """A source or a request that was refused, as a finding."""
    return Finding(
        code=error.code,
        severity="error",
        message=error.problem,
        remedy=error.remedy or "see the message",
    )


def told_before_training(findings: Sequence[Finding], allowed: Iterable[str]) -> list[str]:
    """The warnings, and the errors that are allowed, a line each; notes are counted alone."""
    answered = set(allowed)
    lines = []
    for finding in findings:
        if finding.severity == "warning":
            lines.append(f"{finding.code}: {finding.message}; {finding.remedy}")
        elif finding.severity == "error" and finding.code in answered:
            lines.append(f"{finding.code} (allowed): {finding.message}")
    return lines


def _answer(finding: Finding) -> str:
    allow = f"--allow {finding.code}"
    return finding.remedy if allow in finding.remedy else f"{finding.remedy}; or {allow}"
