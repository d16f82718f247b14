"""What a hostile case is: files, the commands that read them, and what must hold afterward."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

Words = Sequence[str | Path]


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit status, and what it printed where.

    Attributes:
        values: stdout read as JSON, of a command that was given ``--json``; None where it is none.
    """

    words: tuple[str, ...]
    status: int
    out: str
    err: str
    values: Any = None

    @property
    def refused(self) -> bool:
        """Whether the command refused what it was given, by an error with a message."""
        return self.status == 2 and ("error" in self.err or "error" in (self.values or {}))


Check = Callable[[Sequence[Outcome]], Iterable[str]]


@dataclass(frozen=True)
class Case:
    """Hostile files that lie ready, and what is to be done with them.

    Attributes:
        commands: words of the command line, carried out one after the other.
        check: yields what is wrong with the outcomes; what must hold of every command is checked
            anyway.
    """

    commands: Sequence[Words]
    check: Check = field(default=lambda _: ())


class Ground(NamedTuple):
    """Where a case is made.

    Attributes:
        folder: an empty folder, in which the hostile files are put and the commands run.
        fixture: sound files, which are only read: see `tests.hostile.fixture`.
        marker: a file that hostile code is to make; nobody else does.
    """

    folder: Path
    fixture: Path
    marker: Path


@dataclass(frozen=True)
class Kind:
    """One kind of hostile files.

    Attributes:
        crafted: cases made by design, by name.
        mutated: makes a case by chance.
    """

    crafted: Mapping[str, Callable[[Ground], Case]]
    mutated: Callable[[Ground, random.Random], Case]


def refused(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """Require that every command refuses."""
    for outcome in outcomes:
        if not outcome.refused:
            yield f"'{outcome.words[0]}' accepted it"


def accepted(outcomes: Sequence[Outcome]) -> Iterable[str]:
    """Require that every command carries on."""
    for outcome in outcomes:
        if outcome.status != 0:
            said = (outcome.err or outcome.out)[-200:]
            yield f"'{outcome.words[0]}' refused what is sound: {said!r}"
