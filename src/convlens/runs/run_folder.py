"""A run's folder: made, held by one writer, and cleared of what killed processes left."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import count
from pathlib import Path

from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.files import settle_folder, surviving_folder, write_error
from convlens.core.one_writer import LOCK_FILE, one_writer
from convlens.core.partial import remove
from convlens.core.reporter import Reporter
from convlens.runs.run import SPLITS_FILE, Run

RUNS = Path("runs")
"""Where runs go that are not given a folder."""

_RECIPE, _PREFLIGHT = "recipe.toml", "preflight.json"
_BEFORE_TRAINING = {_RECIPE, _PREFLIGHT, "environment.json", SPLITS_FILE, "history.jsonl"}
_FOLDERS = ("checkpoint", "bundle")
_FILES = (*sorted(_BEFORE_TRAINING), "metrics.json", "report.html", "bundle.json")
_OURS = "|".join(re.escape(name) for name in (*_FILES, *_FOLDERS))
_HALF_WRITTEN = re.compile(rf"\.({_OURS})\.[^/]+\.partial")


def new_run_folder(out: Path | None, *, name: str, model: str) -> Path:
    """Make the folder of a new run; one that is there already stays as it is.

    Args:
        out: the folder to make; None for ``runs/DATE-TIME-NAME-MODEL``.
        name: what the images are called.
        model: what the network is called.

    Raises:
        ConvlensError: it cannot be written to.
    """
    folder = out or RUNS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return out or _made_below(RUNS, f"{_now()}-{_slug(name)}-{_slug(model)}")
    except OSError as error:
        raise write_error(folder, error) from error


@contextmanager
def new_run(folder: Path, recipe: str, reporter: Reporter) -> Iterator[None]:
    """Begin a run in its new folder, as its only writer; if it cannot begin, the folder goes.

    A run has begun once its recipe is there; nothing of it is ever removed. A run of the same
    recipe that was killed before its first checkpoint begins again.

    Args:
        folder: see `new_run_folder`.
        recipe: the run's recipe as it will be written.
        reporter: warned where the file system has no locks.

    Raises:
        ConvlensError: the folder holds something else, or another process writes there.
    """
    try:
        _refuse_others_files(folder)
        with writing(folder, reporter):
            _refuse_work(folder, recipe)
            try:
                yield
            except BaseException:
                if not (folder / _RECIPE).exists():
                    with suppress(OSError):
                        (folder / _PREFLIGHT).unlink(missing_ok=True)
                raise
    except BaseException:
        with suppress(OSError):
            folder.rmdir()  # which fails where anything is in it
        raise


@contextmanager
def writing(folder: Path, reporter: Reporter) -> Iterator[None]:
    """Be the only writer of a run, with what killed ones left half-written swept away.

    Raises:
        ConvlensError: another process writes there, or the folder cannot be written to.
    """
    with one_writer(folder, reporter):
        for left in [path for path in _entries(folder) if _HALF_WRITTEN.fullmatch(path.name)]:
            remove(left)
        for name in _FOLDERS:
            settle_folder(folder / name)
            for left in (folder / name).glob(".*.partial"):
                if _HALF_WRITTEN.fullmatch(left.name):
                    remove(left)
        yield


def newest_unfinished(parent: Path) -> Run:
    """The run in a folder of runs that was worked on last and has not come to its end.

    Raises:
        ConvlensError: there is none.
    """
    new_run = (path.parent for path in parent.glob(f"*/{_RECIPE}"))
    unfinished = [run for run in new_run if not (run / "metrics.json").is_file()]
    if not unfinished:
        raise ConvlensError(
            f"there is no unfinished run in {parent.resolve()}; name the run's folder: "
            "convlens resume RUN",
            code="no-run",
        )
    return Run(max(unfinished, key=lambda run: max(p.lstat().st_mtime for p in _entries(run))))


def _refuse_others_files(folder: Path) -> None:
    """Refuse a folder that holds what is no run's, before anything is written there."""
    names = {path.name for path in _entries(folder)}
    if _RECIPE in names:
        return
    if not all(n in {_PREFLIGHT, LOCK_FILE} or _HALF_WRITTEN.fullmatch(n) for n in names):
        raise ConvlensError(
            f"{folder} is not empty; give --out a new folder, so that no work is lost",
            code="not-empty",
        )


def _refuse_work(folder: Path, recipe: str) -> None:
    """Refuse a run's folder where something was trained, or something else was to be."""
    names = {path.name for path in _entries(folder)} - {LOCK_FILE}
    if names <= {_PREFLIGHT}:
        return
    trained = not names <= _BEFORE_TRAINING or surviving_folder(folder / "checkpoint") is not None
    if trained or not _holds(folder / _RECIPE, recipe):
        raise ConvlensError(
            f"{folder} is not empty: it holds a run; resume it by {command('resume', folder)}, or "
            "give --out a new folder, so that no work is lost",
            code="not-empty",
        )
    with suppress(OSError):
        (folder / "environment.json").unlink(missing_ok=True)  # it begins with the images of now


def _holds(path: Path, text: str) -> bool:
    with suppress(OSError, ValueError):
        return path.read_text("utf-8") == text
    return False


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise write_error(folder, error) from error


def _made_below(parent: Path, name: str) -> Path:
    """A new folder of that name, with a number after it where that is taken."""
    for number in count():
        folder = parent / (name + (f"-{number}" if number else ""))
        with suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise AssertionError("count() does not end")


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")


def _slug(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "._" else "-" for c in name.lower())
    return kept.strip("-.")[:40] or "run"
