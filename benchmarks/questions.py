"""The questions: every file of this folder that has a `main`, read without running it."""

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a benchmark's file says of itself.

    Attributes:
        name: the file's, which `python -m benchmarks` takes.
        text: the first line of its docstring.
        peers: ``PEERS``: what convlens is compared with in the same run.
        minutes: ``MINUTES``: about how long all of it takes on two cores.
        quick: ``QUICK``: the arguments that answer it in small, in a minute at most, with no data
            but what comes with the packages.
        target: ``TARGET``: what is aimed at.
    """

    name: str
    text: str
    peers: tuple[str, ...]
    minutes: float
    quick: tuple[str, ...]
    target: str


def questions() -> list[Question]:
    """All of them, by name: a new file with a `main` is one."""
    files = sorted(path for path in FOLDER.glob("*.py") if path.name[0] != "_")
    return [
        read(path) for path in files if "main" in _functions(ast.parse(path.read_text("utf-8")))
    ]


def read(path: Path) -> Question:
    """What a file says of itself.

    Raises:
        ValueError: it does not say all of it.
    """
    tree = ast.parse(path.read_text("utf-8"))
    said: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in {"PEERS", "MINUTES", "QUICK", "TARGET"}:
                said[name.lower()] = ast.literal_eval(node.value)
    missing = {"peers", "minutes", "quick", "target"} - set(said)
    missing |= {"main", "headline"} - _functions(tree)
    if missing:
        raise ValueError(f"{path.name} does not say {', '.join(sorted(missing))}")
    text = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Question(name=path.stem, text=text, **said)


def _functions(tree: ast.Module) -> set[str]:
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
