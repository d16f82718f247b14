"""How long until convlens is there: its import, its help, an answer to a slip?

    python -m benchmarks.start_up [--rounds 9]

Whole processes, in turns, from their start to their end: Python alone, for what it costs by itself;
``import convlens``; ``convlens --help``; ``convlens train`` on a folder that is not there; and the
imports of torch and of Keras 3 on TensorFlow. The files are in the system's cache: a first round is
not counted. The table and ``results/start_up.json`` give the medians of the rounds.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter

from benchmarks.harness import RESULTS, apart, in_turns, medians, rounded, write_result

PEERS = ("import torch", "import keras")
MINUTES = 2
QUICK = ("--rounds", "2")
TARGET = "the help in half a second, a tenth of Keras's import"

HELP, IMPORT, KERAS = "convlens --help", "import convlens", "import keras"
COMMANDS: dict[str, tuple[str, ...]] = {
    "python": ("-c", "pass"),
    IMPORT: ("-c", "import convlens"),
    HELP: ("-m", "convlens", "--help"),
    "convlens train no/such/folder": ("-m", "convlens", "train", "no/such/folder"),
    "import torch": ("-c", "import torch"),
    KERAS: ("-c", "import keras"),
}


def seconds_of(words: Sequence[str]) -> Callable[[int], float]:
    """A function that runs a process to its end and returns its seconds."""
    environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
    wanted = 2 if "no/such/folder" in words else 0

    def run(_: int) -> float:
        start = perf_counter()
        done = subprocess.run(  # noqa: S603 - the commands above
            [sys.executable, *words], env=environment, capture_output=True, check=False
        )
        seconds = perf_counter() - start
        assert done.returncode == wanted, done.stderr.decode(errors="replace")
        return seconds

    return run


def headline(found: Mapping[str, Mapping[str, float]]) -> str:
    """What was found, in a line of the table."""
    seconds = found["seconds"]
    return (
        f"import {seconds[IMPORT]:.2f} s, help {seconds[HELP]:.2f} s; "
        f"import keras {seconds[KERAS]:.1f} s"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=RESULTS / "start_up.json")
    given = parser.parse_args(arguments)
    runs = {name: seconds_of(words) for name, words in COMMANDS.items()}
    seconds = in_turns(runs, given.rounds)
    middle = medians(seconds)
    for name, value in middle.items():
        print(f"{name:32}{value:8.2f} s{apart(seconds[name])}")
    write_result(
        given.out,
        __file__,
        arguments,
        "seconds of a whole process, files in the system's cache",
        {
            "rounds": given.rounds,
            "seconds": {name: round(value, 3) for name, value in middle.items()},
            "every_round": rounded(seconds, 3),
        },
        packages=("torch", "keras", "tensorflow_cpu"),
    )


if __name__ == "__main__":
    main()
