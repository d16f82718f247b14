"""The tables of the two READMEs, from the newest results.

This folder's has a line a question. The project's has the few figures that a stranger asks for;
what has no result has no line there.
"""

import importlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness import Ratio
from benchmarks.questions import FOLDER, Question, questions

README = FOLDER / "README.md"
FRONT = FOLDER.parent / "README.md"
_TABLE = re.compile(
    r"(?<=<!-- table: python -m benchmarks --table -->\n).*?(?=<!-- end -->)", re.DOTALL
)


Cells = tuple[str, str, str]
"""What is done, convlens's figure, the peer's."""


def front_table() -> str:
    """The figures that a stranger asks for, as Markdown."""
    rows = ["| | convlens | | measured by |", "| --- | --- | --- | --- |"]
    for name, told in _ASKED_FOR.items():
        found = _result(name)
        if found is not None:
            command = f"`python -m benchmarks {name}`"
            rows += [f"| {' | '.join((*cells, command))} |" for cells in told(found)]
    return "\n".join(rows) + "\n"


def _training(found: Mapping[str, Any]) -> Iterator[Cells]:
    own = found["sets"]["cifar10"]
    speed = own["images_per_second"]["whole epoch"]
    times = Ratio(**own["times_convlens_is_faster"]["whole epoch"]["keras on tensorflow"])
    yield (
        "a CNN trained on CIFAR-10's JPEGs, same network, batch and optimizer",
        f"**{speed['convlens']:.0f} images/s**",
        f"Keras {speed['keras on tensorflow']:.0f}: {times}",
    )


def _time_to_accuracy(found: Mapping[str, Any]) -> Iterator[Cells]:
    keras = found["in_the_end"]["keras"]
    end = "was ended" if keras["ended_early"] else "stops itself"
    never = f"never, {end} after {_minutes(keras['seconds'])}"
    for level in ("80 %", "85 %", "90 %"):
        mine = found["seconds_to"]["convlens"][level]
        theirs = found["seconds_to"]["keras"][level]
        if mine is not None:
            peer = f"Keras, the usual script: {_minutes(theirs) if theirs else never}"
            yield f"{level} of its test images right, from nothing", f"**{_minutes(mine)}**", peer


def _transfer(found: Mapping[str, Any]) -> Iterator[Cells]:
    seconds, times = found["seconds"]["both"], found["times_convlens_is_faster"]["both"]
    yield (
        "VGG16's head, then its last block, ten epochs each: 500 images, no augmentation",
        f"**{_minutes(seconds['convlens'])}**",
        f"Keras {_minutes(seconds['keras on tensorflow'])}: {times:.1f}× (n = {found['rounds']})",
    )


def _preflight(found: Mapping[str, Any]) -> Iterator[Cells]:
    largest = max(found["seconds_for"], key=int)
    seconds = found["seconds_for"][largest]["first"]["seconds"]
    leak = found["planted"]
    yield (
        f"{int(largest):,} images checked for copies, near duplicates, faults",
        f"**{seconds:.0f} s**",
        f"{leak['found']:,} of {leak['planted']:,} planted copies found",
    )


def _kill_drill(found: Mapping[str, Any]) -> Iterator[Cells]:
    yield (
        f"{found['runs']} runs, killed {found['kills']} times in all at any instant, and resumed",
        f"**{len(found['mismatches'])} differ**",
        "from runs left alone, in any bit",
    )


_ASKED_FOR: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Cells]]] = {
    "training": _training,
    "time_to_accuracy": _time_to_accuracy,
    "transfer": _transfer,
    "preflight": _preflight,
    "kill_drill": _kill_drill,
}


def _minutes(seconds: float) -> str:
    """Seconds as one reads them.

    Example:
        >>> _minutes(75), _minutes(724)
        ('75 s', '12 min')
    """
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def table() -> str:
    """All results as Markdown."""
    rows = ["| question | command | result | aim |", "| --- | --- | --- | --- |"]
    for question in questions():
        found = _result(question.name)
        cells = (question.text, f"`{_command(question, found)}`", _told(question, found))
        rows.append("| " + " | ".join((*cells, question.target)) + " |")
    return "\n".join(rows) + "\n"


def fresh() -> dict[Path, str]:
    """Both pages, with their tables as the results are now."""
    pages = {}
    for path, made in ((README, table), (FRONT, front_table)):
        text = path.read_text("utf-8")
        if not _TABLE.search(text):
            raise ValueError(f"{path} has no place for the table")
        pages[path] = _TABLE.sub(lambda _, made=made: made(), text)
    return pages


def _result(name: str) -> dict[str, Any] | None:
    path = FOLDER / "results" / f"{name}.json"
    found: dict[str, Any] | None = json.loads(path.read_text("utf-8")) if path.is_file() else None
    return found


def _told(question: Question, found: dict[str, Any] | None) -> str:
    if found is None:
        return "not measured yet"
    module = importlib.import_module(f"benchmarks.{question.name}")
    machine = found["machine"]
    where = machine["device"]
    if where == "cpu":
        where = f"{machine['cores']} cores, {machine['processor']}"
    told, rounds = module.headline(found), found.get("rounds")
    if rounds and "n = " not in told:
        told += f"; n = {rounds}"
    told += f" ({where})"
    return told.replace("|", r"\|")


def _command(question: Question, found: dict[str, Any] | None) -> str:
    default = f"python -m benchmarks {question.name}"
    command: str = found["command"] if found else default
    return command.replace("benchmarks.", "benchmarks ", 1)
