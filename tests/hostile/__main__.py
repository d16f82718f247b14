"""Attack convlens with hostile files, for as long as is asked, and say what came of it.

    python -m tests.hostile --minutes 10 --seed 0 --out figures.json --page page.md
    python -m tests.hostile --only images:jpg-xmp images:1234 --keep case

Every crafted file comes first, then mutated ones until the time is over. The same seed makes the
same files; a finding is named as ``--only`` takes it, and ``--keep`` leaves its files in a folder.
The exit status is 1 where there is any finding.
"""

import argparse
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.hostile.figures import Metrics
from tests.hostile.kinds import KINDS
from tests.hostile.runner import runner
from tests.hostile.worker import Job


def jobs(seed: int, kinds: Sequence[str], *, first: int = 0) -> Iterator[Job]:
    """Every crafted case, then mutated ones of each kind in turn without end."""
    for kind in kinds:
        for name in KINDS[kind].crafted:
            yield Job(kind, name, seed)
    for number in itertools.count(first):
        for kind in kinds:
            yield Job(kind, number, seed)


def main(arguments: Sequence[str] | None = None) -> int:
    """Attack; 1 where there is a finding."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--cases", type=int, help="no more mutated cases of a kind than these")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--only", nargs="+", metavar="KIND:NAME", help="these cases alone")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="copy the last case's files")
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="write the figures")
    parser.add_argument("--page", type=Path, metavar="FILE.md", help="put the table into a page")
    given = parser.parse_args(arguments)
    wanted = jobs(given.seed, given.kinds)
    if given.only:
        wanted = (_named(text, given.seed) for text in given.only)
    figures = Metrics(given.seed)
    end = time.monotonic() + 60 * given.minutes
    with tempfile.TemporaryDirectory() as name, runner(Path(name) / "ground") as attacker:
        for job in wanted:
            by_chance = isinstance(job.name, int) and not given.only
            if by_chance and (time.monotonic() > end or job.name == given.cases):
                break
            result = attacker.run(job)
            figures.add(result)
            for problem in result.problems:
                print(f"{job}  {problem}", flush=True)
        if given.keep:
            shutil.copytree(attacker.case_folder, given.keep, dirs_exist_ok=True)
    print(figures.table())
    if given.out:
        figures.write(given.out)
    if given.page:
        figures.write_page(given.page)
    return int(figures.findings > 0)


def _named(text: str, seed: int) -> Job:
    kind, _, name = text.partition(":")
    return Job(kind, int(name) if name.isdigit() else name, seed)


if __name__ == "__main__":
    sys.exit(main())
