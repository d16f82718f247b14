"""How long things take, measured so that a drift of the machine hits all alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convlens.core.reporter import Quiet, Reporter

_FEWEST = 3


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Durations of the same work, repeated.

    Attributes:
        n: repetitions that count; one before them, which warms up, does not.
        median: in seconds.
        low: the first quartile, in seconds.
        high: the third quartile, in seconds.
    """

    n: int
    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Timing":
        """What repetitions come to.

        Example:
            >>> Timing.of([3.0, 1.0, 2.0]).median
            2.0
        """
        low, median, high = (float(value) for value in np.quantile(seconds, [0.25, 0.5, 0.75]))
        return cls(n=len(seconds), median=median, low=low, high=high)

    def overlaps(self, other: "Timing") -> bool:
        """Whether the middle halves of two have a value in common: then neither is faster."""
        return self.low <= other.high and other.low <= self.high

    def as_json(self) -> dict[str, Any]:
        """Seconds, and how many."""
        return dict(vars(self))


def alternated(
    works: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    seconds: float,
    reporter: Reporter | None = None,
) -> dict[str, Timing]:
    """Time several pieces of work in turns: each once a round, so that all meet the same minutes.

    Every second round runs backwards, so that none always follows the same neighbor.

    Args:
        works: by name.
        repeats: rounds at most, 3 or more; one round before them warms up and does not count.
        seconds: no round begins after this long, once there have been three.
        reporter: sees the progress.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    repeats = max(repeats, _FEWEST)
    started = time.perf_counter()
    with (reporter or Quiet()).task("measuring", repeats + 1) as task:
        for turn in range(repeats + 1):
            if turn > _FEWEST and time.perf_counter() - started > seconds:
                break
            for name in list(works)[:: 1 if turn % 2 else -1]:
                before = time.perf_counter()
                works[name]()
                taken[name].append(time.perf_counter() - before)
            task.update(turn + 1)
    return {name: Timing.of(durations[1:]) for name, durations in taken.items()}
