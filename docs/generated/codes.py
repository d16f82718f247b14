"""The codes of errors and findings, and where in the source they come from."""

import ast
import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docs.generated.markdown import code, table

import convlens

SOURCE = Path(convlens.__file__).parent
_GAP = "…"
_ERRORS = """# Error codes

With `--json` a failure is `{"error": {"code": …, "message": …}}`, and in Python a `ConvlensError`
with a `code` and a `message`. Codes are stable; messages say what was passed, what was expected and
what to do, which many keep apart as well (`remedy`). What differs from case to case is left out
below (…). Status 2: the request was wrong; 1: the request was sound, and the work failed.

"""
_FINDINGS = """# Finding codes

What `convlens check` can find before an epoch is spent, how grave it is, and what to do.

"""


@dataclass(frozen=True, order=True)
class Raised:
    """A place where an error is made."""

    code: str
    file: str
    message: str
    status: int


def errors() -> list[Raised]:
    """Every error of the package, in the order of their codes."""
    return sorted(found for path in sorted(SOURCE.rglob("*.py")) for found in _calls(path))


def findings() -> Mapping[str, Any]:
    """By code, every finding of the checks before a run: severity, about, meaning and remedy."""
    if importlib.util.find_spec("convlens.preflight") is None:
        return {}
    known: Mapping[str, Any] = importlib.import_module("convlens.preflight").CODES
    return known


def errors_page() -> str:
    """The page of errors, a row a code."""
    rows = []
    by_code: dict[str, list[Raised]] = {}
    for found in errors():
        by_code.setdefault(found.code, []).append(found)
    for name, places in by_code.items():
        statuses = sorted({str(place.status) for place in places})
        files = sorted({place.file for place in places})
        told = dict.fromkeys(place.message for place in places if place.message)
        rows.append(
            (code(name), ", ".join(statuses), "<br>".join(told), "<br>".join(map(code, files)))
        )
    return _ERRORS + table(("code", "status", "says", "raised in"), rows)


def findings_page(known: Mapping[str, Any]) -> str:
    """The page of findings, a row a code."""
    parts = [_FINDINGS]
    for about in dict.fromkeys(own.about for own in known.values()):
        rows = [
            (code(name), own.severity, own.meaning, own.remedy)
            for name, own in known.items()
            if own.about == about
        ]
        parts += [
            f"## About the {about}\n\n",
            table(("code", "severity", "what", "remedy"), rows),
            "\n",
        ]
    return "".join(parts)


def _calls(path: Path) -> Iterator[Raised]:
    """Each call that names a code."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        given = {keyword.arg: keyword.value for keyword in node.keywords}
        name = _text(given["code"]) if "code" in given else ""
        if not name or name == _GAP or "severity" in given:
            continue  # handed on from elsewhere, or a finding
        called = node.func.id if isinstance(node.func, ast.Name) else ""
        message = given.get("message") or (node.args[0] if node.args else None)
        yield Raised(
            code=name,
            file=str(path.relative_to(SOURCE)),
            message=_message(called, node, message) + _remedy(given),
            status=1 if called == "WorkFailedError" or name == "interrupted" else 2,
        )


def _message(called: str, node: ast.Call, message: ast.expr | None) -> str:
    if called == "unknown_name":
        return f"unknown {_text(node.args[0])} '{_GAP}'; did you mean '{_GAP}'? Known: {_GAP}"
    text = _text(message)
    return "" if text == _GAP else text


def _remedy(given: Mapping[str | None, ast.expr]) -> str:
    """What to do, as it stands behind the message where it is kept apart."""
    remedy = _text(given.get("remedy"))
    if not remedy or remedy == _GAP:
        return ""
    return (_text(given["between"]) if "between" in given else "; ") + remedy


def _text(node: ast.expr | None) -> str:
    """A text of the source, with what is filled in as a gap; a gap alone where it is no text."""
    if node is None:
        return ""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(value) for value in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    return _GAP
