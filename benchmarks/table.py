"""The table of `README.md`: a line a question, from its newest result."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

from benchmarks.questions import FOLDER, Question, questions

README = FOLDER / "README.md"
_TABLE = re.compile(
    r"(?<=<!-- table: python -m benchmarks --table -->\n).*?(?=<!-- end -->)", re.DOTALL
)


def table() -> str:
    """All results as Markdown."""
    rows = ["| question | command | result | aim |", "| --- | --- | --- | --- |"]
    for question in questions():
        path = FOLDER / "results" / f"{question.name}.json"
        found = json.loads(path.read_text("utf-8")) if path.is_file() else None
        cells = (question.text, f"`{_command(question, found)}`", _told(question, found))
        rows.append("| " + " | ".join((*cells, question.target)) + " |")
    return "\n".join(rows) + "\n"


def fresh(path: Path = README) -> str:
    """The page with the table as the results have it now."""
    text = path.read_text("utf-8")
    if not _TABLE.search(text):
        raise ValueError(f"{path} has no place for the table")
    return _TABLE.sub(lambda _: table(), text)


def _told(question: Question, found: dict[str, Any] | None) -> str:
    if found is None:
        return "not measured yet"
    module = importlib.import_module(f"benchmarks.{question.name}")
    machine = found["machine"]
    told = f"{module.headline(found)} ({machine['cores']} cores, {machine['processor']})"
    return told.replace("|", r"\|")


def _command(question: Question, found: dict[str, Any] | None) -> str:
    default = f"python -m benchmarks {question.name}"
    command: str = found["command"] if found else default
    return command.replace("benchmarks.", "benchmarks ", 1)
