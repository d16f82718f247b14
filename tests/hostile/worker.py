"""The process that is attacked: it makes hostile files and hands them to the real command line.

It may crash, hang or grow: `tests.hostile.runner` watches it from outside.
"""

import contextlib
import faulthandler
import io
import json
import os
import random
import re
import shutil
import traceback
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from tests.hostile.case import Case, Ground, Outcome, Words
from tests.hostile.fixture import make_fixture
from tests.hostile.kinds import WATCHED

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_WARNING = re.compile(r"\b\w+Warning: .*")


class Job(NamedTuple):
    """A case by name.

    Attributes:
        kind: a key of `tests.hostile.kinds.WATCHED`.
        name: of a crafted case; or the number of a mutated one.
        seed: of what mutates.
    """

    kind: str
    name: str | int
    seed: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


class Answer(NamedTuple):
    """What the worker saw of a case.

    Attributes:
        statuses: the exit status of each command.
        problems: what must not be, and was; nothing where all is well.
    """

    statuses: tuple[int, ...]
    problems: tuple[str, ...]


def serve(connection: Connection, folder: Path) -> None:
    """Carry out jobs until None comes; what C libraries print goes to the file ``chatter``."""
    descriptor = os.open(chatter_file(folder), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    faulthandler.enable()
    os.environ["CONVLENS_CACHE"] = str(folder / "cache")
    make_fixture(folder / "fixture")
    connection.send(None)
    while job := connection.recv():
        connection.send(attempt(job, folder))


def chatter_file(folder: Path) -> Path:
    """Where a worker keeps what is printed past Python."""
    return folder.parent / f"{folder.name}-chatter"


def attempt(job: Job, folder: Path) -> Answer:
    """Make a case, carry out its commands, and judge them.

    Args:
        job: which case.
        folder: with the fixture in it; afterward it also holds the case's files, in ``work``.
    """
    for name in ("work", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "work").mkdir()
    ground = Ground(folder / "work", folder / "fixture", folder / "executed")
    os.truncate(chatter_file(folder), 0)
    _remove(folder, {name for name in _listing(folder) if name.startswith("executed")})
    before = _listing(folder)
    os.chdir(folder / "work")
    problems: list[str] = []
    outcomes: list[Outcome] = []
    with _unexpected(problems, "while the case was made"):
        case = make(job, ground)
        before = _listing(folder)
        for words in case.commands:
            with _unexpected(problems, f"in '{words[0]}'"):
                outcomes.append(run(words))
        problems += [problem for outcome in outcomes for problem in _generic(outcome)]
        if len(outcomes) == len(case.commands):
            problems += case.check(outcomes)
    if chatter := chatter_file(folder).read_text("utf-8", "replace"):
        problems.append(f"printed past Python: {chatter[:200]!r}")
    if strangers := _listing(folder) - before:
        problems.append(f"written outside the working folder and the cache: {sorted(strangers)}")
        _remove(folder, strangers)
    return Answer(tuple(outcome.status for outcome in outcomes), tuple(dict.fromkeys(problems)))


def make(job: Job, ground: Ground) -> Case:
    """The case that a job names."""
    kind = WATCHED[job.kind]
    if isinstance(job.name, str):
        return kind.crafted[job.name](ground)
    return kind.mutated(ground, random.Random(f"{job.seed} {job.kind} {job.name}"))


def run(words: Words) -> Outcome:
    """Carry out a command as ``convlens`` would, in this process."""
    from convlens.cli.main import main  # loads what the fixture has loaded

    texts = tuple(map(str, words))
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in "oe")
    status = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(texts))
        except SystemExit as left:
            status = left.code if isinstance(left.code, int) else 1
    printed = _text(out)
    values = _strict_json(printed) if "--json" in texts else None
    return Outcome(texts, status, printed, _text(err), values)


def _generic(outcome: Outcome) -> Iterator[str]:
    """What must hold of every command, whatever it was given."""
    verb, printed = outcome.words[0], outcome.out + outcome.err
    if outcome.status not in {0, 1, 2}:
        yield f"'{verb}' ended with status {outcome.status}"
    if outcome.status and "error" not in printed and verb != "check":
        yield f"'{verb}' failed without an error: {printed[-200:]!r}"
    if "Traceback" in printed:
        yield f"'{verb}' printed a traceback: {printed[-300:]!r}"
    if "--json" in outcome.words and outcome.values is None:
        yield f"'{verb} --json' printed no JSON: {outcome.out[:200]!r}"
    if found := _CONTROL.search(printed):
        start = max(0, found.start() - 40)
        yield f"'{verb}' printed a control character: {printed[start : found.end() + 20]!r}"
    if found := _WARNING.search(outcome.err):
        yield f"'{verb}' let a warning through: {found[0][:200]!r}"


def _strict_json(text: str) -> object:
    def refuse(number: str) -> None:
        raise ValueError(f"{number} is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except ValueError:
        return None


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def _unexpected(problems: list[str], where: str) -> Iterator[None]:
    """Whatever is raised within is a problem: it would be a traceback on a terminal."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - any is a finding, and named
        last = traceback.extract_tb(error.__traceback__)[-3:]
        trace = " < ".join(f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in last[::-1])
        problems.append(f"{type(error).__name__} {where}: {str(error)[:200]!r} ({trace})")


def _listing(folder: Path) -> set[str]:
    """What lies in the folder and beside it, but not what is in the places that cases may fill."""
    open_to_all = {"work", "cache"}
    inside = {str(path.relative_to(folder)) for path in (folder / "fixture").rglob("*")}
    inside |= {path.name for path in folder.iterdir() if path.name not in open_to_all}
    return inside | {f"../{path.name}" for path in folder.parent.iterdir()}


def _remove(folder: Path, names: set[str]) -> None:
    """So that one finding is not counted again with every case that follows."""
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
