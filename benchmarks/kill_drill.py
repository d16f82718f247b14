"""Does a run that is killed at any instant end as one that was left alone, to the last bit?

    python -m benchmarks.kill_drill [--kills 100] [--within 1.0] [--seed 0]

Starts ``convlens train`` on a small recipe with three phases, frozen layers, augmentation, dropout,
early stopping, a rate that falls on a plateau and averaged weights; kills each process with SIGKILL
at an instant drawn uniformly from the time for which such a run is at work, reading its images
included; resumes it, often with the decoded pixels or the frozen layers' features deleted in
between; and compares every finished run with one that was never killed: weights, history and
figures, timings apart, and the last checkpoint where it stands at the same step. The recipe saves
every 0.05 s, far more often than the default, so that many instants fall into a save.

The table and ``results/kill_drill.json`` give what was done and what differed; the exit status is 1
where anything did.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS, write_result
from tests.integration.killing import Tally, drill

PEERS = ("a run left alone",)
MINUTES = 20
QUICK = ("--kills", "2")
TARGET = "no bit differs"


def show(tally: Tally) -> None:
    """A line a run."""
    print(
        f"{tally.runs} runs finished after {tally.kills} kills: {len(tally.mismatches)} mismatches",
        flush=True,
    )


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    return (
        f"{found['runs']} runs ended after {found['kills']} kills "
        f"({found['caches_deleted']} with a cache deleted): {len(found['mismatches'])} differ"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Drill, print what was found, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--within", type=float, default=1.0, help="share of a run's working time")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "kill_drill.json")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        tally = drill(
            Path(folder), kills=given.kills, seed=given.seed, within=given.within, tell=show
        )
    print(*tally.mismatches, *tally.left_behind, sep="\n")
    write_result(
        given.out,
        __file__,
        arguments,
        "runs killed with SIGKILL and resumed, against one left alone: bit for bit, timings apart",
        vars(tally),
        packages=("torch", "numpy", "safetensors"),
    )
    sys.exit(bool(tally.mismatches))


if __name__ == "__main__":
    main()
