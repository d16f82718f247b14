"""What came of an attack: a row for each kind of files."""

import json
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from convlens.core.version import __version__
from tests.hostile.runner import Result

_SLOWEST = 20
_BEGIN, _END = "<!-- figures -->", "<!-- end -->"


@dataclass
class Row:
    """The figures of one kind.

    Attributes:
        crafted: cases made by design.
        mutated: cases made by chance.
        refused: cases of which a command refused something.
        crashes: cases in which the process died.
        findings: cases with a problem, crashes among them.
        peak: most bytes of memory above the start.
        longest: seconds of the longest case, and its name.
    """

    crafted: int = 0
    mutated: int = 0
    refused: int = 0
    crashes: int = 0
    findings: int = 0
    peak: int = 0
    peak_case: str = ""
    longest: float = 0.0
    longest_case: str = ""

    def add(self, result: Result) -> None:
        """Count a case."""
        by_design = isinstance(result.job.name, str)
        self.crafted += by_design
        self.mutated += not by_design
        self.refused += any(result.statuses)
        self.crashes += result.crashed
        self.findings += bool(result.problems)
        if result.peak > self.peak:
            self.peak, self.peak_case = result.peak, str(result.job)
        if result.seconds > self.longest:
            self.longest, self.longest_case = result.seconds, str(result.job)


@dataclass
class Metrics:
    """The figures of an attack.

    Args:
        seed: that it was made with.
    """

    seed: int
    rows: dict[str, Row] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    slowest: list[tuple[float, str]] = field(default_factory=list)

    def add(self, result: Result) -> None:
        """Count a case."""
        self.rows.setdefault(result.job.kind, Row()).add(result)
        slow = [*self.slowest, (round(result.seconds, 2), str(result.job))]
        self.slowest = sorted(slow, reverse=True)[:_SLOWEST]
        self.problems += [(str(result.job), problem) for problem in result.problems]

    @property
    def findings(self) -> int:
        """Cases with a problem."""
        return sum(row.findings for row in self.rows.values())

    def table(self) -> str:
        """A Markdown table."""
        lines = [
            "| files | crafted | mutated | crashes | findings | peak memory | longest time |",
            "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]
        lines += [
            f"| {kind} | {row.crafted:,} | {row.mutated:,} | {row.crashes} | {row.findings} "
            f"| {row.peak / 2**20:,.0f} MiB | {row.longest:.1f} s |"
            for kind, row in self.rows.items()
        ]
        return "\n".join(lines)

    def write_page(self, path: Path) -> None:
        """Put the table, and what it was made with, in the place of the one in a page."""
        made = f"`--seed {self.seed}`, {platform.system()}, Python {platform.python_version()}"
        before, mark, rest = path.read_text("utf-8").partition(_BEGIN)
        _, end, after = rest.partition(_END)
        if not mark or not end:
            raise ValueError(f"{path} has no place for figures: {_BEGIN} and {_END}")
        text = f"{before}{mark}\n{self.table()}\n\nMade with {made}.\n{end}{after}"
        path.write_text(text, "utf-8")

    def write(self, path: Path) -> None:
        """Write them as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        facts: dict[str, Any] = {
            "convlens": __version__,
            "python": platform.python_version(),
            "system": platform.platform(),
            "seed": self.seed,
            "kinds": {kind: vars(row) for kind, row in self.rows.items()},
            "slowest": self.slowest,
            "problems": self.problems,
        }
        path.write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
