"""Watches a worker from outside: its time, its memory, its life; begins another when it ends."""

import multiprocessing
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path

from tests.hostile.usage import Usage
from tests.hostile.worker import Answer, Job, chatter_file, serve

SECONDS_ALLOWED = 30.0
BYTES_ALLOWED = 1 << 30
"""Of memory, above what a worker has before its first case."""

_KILLED_BEYOND = BYTES_ALLOWED + (BYTES_ALLOWED >> 2)
_READY_SECONDS = 300.0
_TICK = 0.02


@dataclass(frozen=True)
class Result:
    """What became of a case.

    Attributes:
        seconds: that it took, the making of its files included.
        peak: most bytes that the worker and its children held, above its start; 0 where unknown.
        crashed: whether the process died.
        statuses: the exit status of each command.
        problems: what must not be, and was.
    """

    job: Job
    seconds: float
    peak: int
    crashed: bool = False
    statuses: tuple[int, ...] = ()
    problems: tuple[str, ...] = ()


class Runner:
    """Carries out one case after the other, in a process that is replaced when it breaks.

    Args:
        folder: an empty folder.
        seconds: of a core's time that a case may take. How long it takes by the clock depends on
            what else the machine does: twelve times as long is allowed.
    """

    def __init__(self, folder: Path, seconds: float = SECONDS_ALLOWED) -> None:
        self._folder = folder / "worker"
        self._folder.mkdir()
        self._seconds = seconds
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._usage = Usage(0)

    @property
    def case_folder(self) -> Path:
        """The files of the last case."""
        return self._folder / "work"

    def run(self, job: Job) -> Result:
        """Carry out a case."""
        if self._process is None:
            self._start()
        assert self._process is not None
        assert self._connection is not None
        usage, began = self._usage, time.monotonic()
        usage.begin()
        self._connection.send(job)
        while not self._connection.poll(_TICK):
            if usage.look() > _KILLED_BEYOND:
                return self._broken(job, began, "more memory than is allowed; killed")
            waited = time.monotonic() - began
            if waited > 12 * self._seconds or usage.seconds() > self._seconds:
                return self._broken(job, began, f"not done after {waited:.0f} s; killed")
        seconds = time.monotonic() - began
        try:
            answer: Answer = self._connection.recv()
        except (EOFError, OSError):
            return self._broken(job, began, "the process died")
        peak = usage.end()
        problems = answer.problems
        if peak > BYTES_ALLOWED:
            problems += (f"{peak / 2**20:,.0f} MiB of memory",)
        return Result(job, seconds, peak, statuses=answer.statuses, problems=problems)

    def _broken(self, job: Job, began: float, what: str) -> Result:
        seconds, peak = time.monotonic() - began, self._usage.highest
        assert self._process is not None
        self._process.join(1)
        crashed = self._process.exitcode is not None
        if crashed:
            chatter = chatter_file(self._folder).read_text("utf-8", "replace")
            what += f" (exit code {self._process.exitcode}): {chatter[:400]!r}"
        self.stop()
        return Result(job, seconds, peak, crashed=crashed, problems=(what,))

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, self._folder))
        self._process.start()
        theirs.close()
        if not self._connection.poll(_READY_SECONDS):
            self.stop()
            raise TimeoutError(f"no worker was ready within {_READY_SECONDS:g} s")
        self._connection.recv()
        self._usage = Usage(self._process.pid or 0)

    def stop(self) -> None:
        """End the worker, whatever it is doing."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._usage.kill_children()
            self._process.kill()
            self._process.join()
            self._process.close()
        self._process = self._connection = None


@contextmanager
def runner(folder: Path, seconds: float = SECONDS_ALLOWED) -> Iterator[Runner]:
    """A runner that is stopped at the end, and its folder removed."""
    folder.mkdir(parents=True)
    found = Runner(folder, seconds)
    try:
        yield found
    finally:
        found.stop()
        shutil.rmtree(folder, ignore_errors=True)
