"""What the files of a run must hold: checked when they are read, so that nothing fails later.

Only what some verb uses is checked. A file may hold more: older and newer versions wrote other
keys. Each reader returns the plain values as they are in the file.
"""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from convlens.core.bounded_file import read_bounded
from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.files import read_json
from convlens.core.json_text import MOST_JSON_BYTES, parse_json_file
from convlens.core.legacy import METRICS_KEYS, upgrade_keys
from convlens.core.settings import problems
from convlens.runs.file_shapes import (
    EnvironmentShape,
    EpochShape,
    EvidenceShape,
    MetricsShape,
    PartShape,
    PreflightShape,
)

_LIMITING = {"copies-across-splits", "near-duplicates", "group-straddles", "two-labels"}
"""Findings whose evidence a report repeats."""
_MOST_EPOCHS = 200_000


def read_environment(folder: Path) -> dict[str, Any]:
    """Versions, hardware and data of a run.

    Raises:
        ConvlensError: the file is missing or damaged.
    """
    return _read(
        folder / "environment.json",
        EnvironmentShape,
        f"restore it; or delete it and type {command('resume', folder)}, which writes it again, "
        "but cannot tell whether the images changed",
    )


def read_metrics(folder: Path) -> dict[str, Any]:
    """The final figures of a run.

    Raises:
        ConvlensError: the file is missing or damaged.
    """
    metrics = _read(
        folder / "metrics.json",
        MetricsShape,
        f"restore it; or type {command('resume', folder)}, which measures the network again",
    )
    return upgrade_keys(metrics, METRICS_KEYS)


def read_preflight(folder: Path) -> dict[str, Any] | None:
    """What was found before training; None for a run from before there was such a thing.

    Raises:
        ConvlensError: the file is damaged.
    """
    path = folder / "preflight.json"
    if not path.is_file():
        return None
    remedy = "restore it; or delete it, the report is then written without"
    found = _read(path, PreflightShape, remedy)
    for finding in found.get("findings", ()):
        if finding["code"] in _LIMITING:
            _check(EvidenceShape, finding.get("evidence") or {}, path, remedy)
    return found


def read_history(folder: Path) -> list[dict[str, Any]]:
    """One record an epoch; none where there is no file. A half-written last line is left out.

    Raises:
        ConvlensError: the file is damaged.
    """
    path = folder / "history.jsonl"
    if not path.is_file():
        return []
    again = command("resume", folder)
    remedy = f"restore it; or type {again}, which writes it again from the checkpoint"
    try:
        whole, _, _ = read_bounded(path, MOST_JSON_BYTES).rpartition(b"\n")
    except OSError as error:
        raise _damaged(path, str(error.strerror), remedy) from error
    if whole.count(b"\n") >= _MOST_EPOCHS:
        raise _damaged(path, f"it has more than {_MOST_EPOCHS:,} lines", remedy)
    records = []
    for number, line in enumerate(whole.split(b"\n") if whole else (), start=1):
        try:
            records.append(parse_json_file(line, name=f"line {number}"))
        except ConvlensError as error:
            raise _damaged(path, error.problem, remedy) from error
    _check(list[EpochShape], records, path, remedy)
    return records


def _read(path: Path, kind: type[PartShape], remedy: str) -> dict[str, Any]:
    try:
        value = read_json(path)
    except ConvlensError as error:
        if error.code == "unreadable-file":
            raise
        raise ConvlensError(error.problem, remedy=remedy, code="damaged-file") from error
    _check(kind, value, path, remedy)
    checked: dict[str, Any] = value
    return checked


def _check(kind: Any, value: Any, path: Path, remedy: str) -> None:
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise _damaged(path, problems(error), remedy) from error


def _damaged(path: Path, what: str, remedy: str) -> ConvlensError:
    return ConvlensError(f"{path} is damaged: {what}", remedy=remedy, code="damaged-file")
