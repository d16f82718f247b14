"""What the benchmarks have in common: turns, peers in processes of their own, the result file."""

import contextlib
import importlib.metadata
import json
import math
import os
import pty
import statistics
import subprocess
import sys
import tarfile
import tempfile
import termios
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from benchmarks.questions import read
from benchmarks.stand_ins import DIGITS, digits_like_cifar
from scipy import stats

from convlens.core.device import choose_device, describe_machine

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
_KEPT_OUTPUT = 20_000
_TERMINAL = 40, 120  # rows and columns

Rounds = dict[str, list[float]]


def in_turns(
    runs: Mapping[str, Callable[[int], float]], rounds: int, *, warm_up: bool = True
) -> Rounds:
    """What every contender measured of itself in each round; a first round is not counted.

    Args:
        runs: by name, a function that is told the round's number and returns a figure.
        rounds: how many are counted.
        warm_up: False where nothing can be warm.
    """
    figures: Rounds = {name: [] for name in runs}
    for number in range(not warm_up, rounds + 1):
        for name, run in runs.items():
            figure = run(number)
            if number:
                figures[name].append(figure)
    return figures


def medians(figures: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The median of every contender's rounds."""
    return {name: statistics.median(values) for name, values in figures.items()}


class Ratio(NamedTuple):
    """How many times one contender is another, round by round: the rounds' middle, and their ends.

    A machine that slows down slows both down, so that rounds in pairs tell more than two medians.
    """

    median: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """As it is read: with its range, where there were several rounds."""
        if self.n == 1:
            return f"{self.median:.2f}× (n = 1)"
        return f"{self.median:.2f}× ({self.low:.2f} to {self.high:.2f}, n = {self.n})"


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """The ratio of figures that were measured in turns.

    Example:
        >>> str(ratio([10, 20, 30], [5, 20, 10]))
        '2.00× (1.00 to 3.00, n = 3)'
    """
    found = [one / other for one, other in zip(ours, theirs, strict=True)]
    return Ratio(
        round(statistics.median(found), 3), round(min(found), 3), round(max(found), 3), len(found)
    )


def interval(differences: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the mean of paired differences: Student's t; two of them at least."""
    middle, n = statistics.mean(differences), len(differences)
    reach = stats.t.ppf(0.975, n - 1) * statistics.stdev(differences) / math.sqrt(n)
    return middle - reach, middle + reach


def spread(values: Sequence[float]) -> float:
    """The range of the rounds as a share of their median."""
    return (max(values) - min(values)) / statistics.median(values)


def apart(values: Sequence[float]) -> str:
    """How far the rounds lie apart, and how many they are, as a table shows it.

    Example:
        >>> apart([10, 10.5, 11])
        '  ±5 %, n = 3'
    """
    return f"{'±' + format(50 * spread(values), '.0f'):>4} %, n = {len(values)}"


def rounded(figures: Mapping[str, Sequence[float]], digits: int) -> dict[str, list[float]]:
    """Every round, short enough to read."""
    return {name: [round(v, digits) for v in values] for name, values in figures.items()}


def run_peer(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Let a peer measure itself in a process of its own, at a terminal of its own.

    Peers that draw progress bars draw them, as before a person; what they draw is thrown away.

    Args:
        name: the module in `benchmarks.peers`.
        config: what it is to do; ``threads`` is how many cores it may use.

    Returns:
        What it measured, and ``peak_memory_mb``.
    """
    with tempfile.TemporaryDirectory() as temporary:
        asked, answer = Path(temporary) / "asked.json", Path(temporary) / "answer.json"
        asked.write_text(json.dumps(config), "utf-8")
        command = [sys.executable, "-m", f"benchmarks.peers.{name}", str(asked), str(answer)]
        with _terminal() as (terminal, drawn):
            own = {
                "OMP_NUM_THREADS": str(config["threads"]),
                "TF_CPP_MIN_LOG_LEVEL": "2",
                "KERAS_HOME": temporary,
            }
            done = subprocess.run(  # noqa: S603 - a module of ours
                command,
                cwd=ROOT,
                env=os.environ | own,
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                check=False,
            )
        if done.returncode:
            sys.exit(f"the peer {name} failed:\n{drawn.decode(errors='replace')}")
        answered: dict[str, Any] = json.loads(answer.read_text("utf-8"))
        return answered


@contextlib.contextmanager
def _terminal() -> Iterator[tuple[int, bytearray]]:
    """A pseudo-terminal to run on, and the last of what is drawn on it."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, _TERMINAL)
    drawn = bytearray()

    def read() -> None:
        with contextlib.suppress(OSError):  # the other end has been closed
            while some := os.read(ours, 65536):
                drawn.extend(some)
                del drawn[:-_KEPT_OUTPUT]

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield theirs, drawn
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


def data_file(name: str, *, option: str) -> Path:
    """A file of the folder that ``CONVLENS_DATA`` names; ends the benchmark where there is none."""
    folder = os.environ.get("CONVLENS_DATA")
    if not folder:
        sys.exit(f"skipped: pass {option}, or set CONVLENS_DATA to a folder that holds {name}")
    return Path(folder) / name


def unpacked(source: Path, folder: Path) -> Path:
    """The source where it is a folder, else the folder, into which the archive is unpacked."""
    if source.is_dir():
        return source
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    return folder


def cifar10(given: Path | None, folder: Path) -> Path:
    """CIFAR-10's JPEG edition as class folders under ``train`` and ``test``.

    Args:
        given: a folder, or an archive; ``digits`` for handwritten digits that lie the same way;
            by default ``cifar10-jpeg.tar.xz`` in the folder that ``CONVLENS_DATA`` names.
        folder: where an archive is unpacked.
    """
    if given is not None and str(given) == DIGITS:
        return digits_like_cifar(folder / DIGITS)
    source = given or data_file("cifar10-jpeg.tar.xz", option="--cifar FOLDER_OR_TAR")
    return unpacked(source, folder)


def commit() -> str:
    """The commit that is measured, with a plus where the tree has been changed since."""

    def git(*words: str) -> str:
        asked = ["git", "-C", str(ROOT), *words]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
        return done.stdout.strip()

    results = RESULTS.relative_to(ROOT)
    changed = git("status", "--porcelain", "--", ".", f":!{results}")
    return git("rev-parse", "--short=12", "HEAD") + "+" * bool(changed)


def write_result(
    out: Path,
    file: str,
    arguments: Sequence[str] | None,
    measures: str,
    facts: Mapping[str, Any],
    *,
    packages: Sequence[str],
    device: str = "cpu",
) -> None:
    """Write what was measured, with all that it is to be read with.

    Args:
        out: the file to write.
        file: the benchmark's own.
        arguments: what its `main` was given.
        measures: which figures these are, and of what.
        facts: what it found, and with which settings.
        packages: whose versions matter.
        device: where it was measured.
    """
    asked = read(Path(file))
    words = (Path(word).name for word in (sys.argv[1:] if arguments is None else arguments))
    instructions = {"instructions": torch.backends.cpu.get_cpu_capability()}
    result = {
        "question": asked.text,
        "measures": measures,
        "command": " ".join([f"python -m benchmarks.{asked.name}", *words]),
        "commit": commit(),
        "machine": describe_machine(choose_device(device)) | instructions,
        "versions": {name: importlib.metadata.version(name) for name in packages},
        **facts,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
