"""A run: what happened, in a folder."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from convlens.core.errors import ConvlensError
from convlens.core.files import read_json, surviving_folder, write_error
from convlens.core.reporter import Reporter
from convlens.core.settings import read_toml, validated
from convlens.data import ImageSet
from convlens.prediction import Predictor, load_bundle, read_classes
from convlens.recipe.recipe import Recipe
from convlens.recipe.run_images import RunImages, open_run_images

SPLITS_FILE = "splits.csv"
RUNS = Path("runs")
"""Where runs go that are not given a folder."""


@dataclass(frozen=True)
class Run:
    """A run's folder, finished or not.

    Attributes:
        folder: where it is.

    Example:
        >>> run = Run(Path("runs/plants"))                 # doctest: +SKIP
        >>> run.predictor().predict("leaf.jpg")[0].top[0]  # doctest: +SKIP
        Guess(name='tulsi', probability=0.97)
    """

    folder: Path

    @property
    def bundle(self) -> Path:
        """The bundle's folder."""
        return self.folder / "bundle"

    @property
    def recipe(self) -> Recipe:
        """What was asked.

        Raises:
            ConvlensError: this is not a run's folder.
        """
        path = self.folder / "recipe.toml"
        if not path.is_file():
            raise ConvlensError(
                f"{self.folder} is not a run: it has no recipe.toml; pass a folder that "
                "'convlens train' made",
                code="no-run",
            )
        written = read_toml(path)
        # Every value is written out; so a run without this one let all validation images decide.
        written.setdefault("data", {}).setdefault("calibration", 0.0)
        return validated(Recipe, written, what=str(path))

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Its class names in the order of the network's outputs; None before it has begun.

        Raises:
            ConvlensError: its files are damaged.
        """
        if surviving_folder(self.bundle) is not None:
            return read_classes(self.folder)
        if not (self.folder / "environment.json").is_file():
            return None
        try:
            return tuple(map(str, self.environment["data"]["images"]["train"]))
        except (KeyError, TypeError) as error:
            raise ConvlensError(
                f"{self.folder / 'environment.json'} is damaged: it has no images by class; "
                "restore it, or train again",
                code="damaged-file",
            ) from error

    def images(self, reporter: Reporter) -> ImageSet:
        """The images it was trained on, each in the split that it had then.

        They are numbered by the run's classes. Classes and images that it did not have are left
        out; what changed is told.

        Args:
            reporter: told what was found, and warned of what changed.

        Raises:
            ConvlensError: the run's source was arrays in memory, is no longer there, or has none
                of the images of the run.
        """
        found = self.reopen(reporter)
        for line in found.changes.lines():
            reporter.warn(line)
        return found.images

    def images_to_resume(self, reporter: Reporter) -> ImageSet:
        """As `images`; a source that lacks some of them, or has other labels, is refused.

        Raises:
            ConvlensError: as `images`, or the run's images changed.
        """
        found = self.reopen(reporter)
        if found.changes.of_images():
            raise ConvlensError(
                f"its images changed since {self.folder} began: "
                f"{'; '.join(found.changes.lines())}; bring back what was there, or start a new "
                f"run: convlens train --recipe {self.folder / 'recipe.toml'}",
                code="changed-since",
            )
        for line in found.changes.lines():
            reporter.warn(line)
        return found.images

    def reopen(self, reporter: Reporter) -> RunImages:
        """As `images`, with what changed; raises as `images`."""
        return open_run_images(
            self.folder,
            self.recipe,
            classes=self.classes,
            splits=self.folder / SPLITS_FILE,
            reporter=reporter,
        )

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record an epoch; see `convlens.training.EpochRecord`."""
        path = self.folder / "history.jsonl"
        text = path.read_text("utf-8") if path.is_file() else ""
        whole, _, _ = text.rpartition("\n")  # a process killed while writing leaves half a line
        return [json.loads(line) for line in whole.splitlines()]

    @property
    def metrics(self) -> dict[str, Any]:
        """The final figures with their intervals, by split, and the speed.

        Raises:
            ConvlensError: the run has not finished.
        """
        figures: dict[str, Any] = read_json(self.folder / "metrics.json")
        return figures

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, hardware and data of the run, the images left out among them."""
        facts: dict[str, Any] = read_json(self.folder / "environment.json")
        return facts

    def predictor(self, *, trust_code: bool = False, device: str = "auto") -> Predictor:
        """The trained network, ready to classify images."""
        return Predictor(load_bundle(self.folder, trust_code=trust_code), device=device)

    def summary(self) -> dict[str, Any]:
        """What ``convlens train --json`` prints."""
        metrics = self.metrics
        test = metrics["test"]
        return {
            "run": str(self.folder),
            "bundle": str(self.bundle),
            "model": metrics["model"],
            "seconds": metrics["seconds"],
            "images_per_second": metrics["images_per_second"],
            "test": test and {key: test[key] for key in ("accuracy", "interval", "n")},
        }


def new_run_folder(out: Path | None, *, name: str, model: str) -> Path:
    """Make the folder of a new run.

    Args:
        out: the folder to make; None for ``runs/DATE-TIME-NAME-MODEL``.
        name: what the images are called.
        model: what the network is called.

    Raises:
        ConvlensError: it holds something already, or cannot be written to.
    """
    folder = out or _free(RUNS, f"{_now()}-{_slug(name)}-{_slug(model)}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A run that was killed before it began may have left what was found beforehand.
        occupied = any(entry.name != "preflight.json" for entry in folder.iterdir())
    except OSError as error:
        raise write_error(folder, error) from error
    if occupied:
        raise ConvlensError(
            f"{folder} is not empty; give --out a new folder, so that no work is lost",
            code="not-empty",
        )
    return folder


@contextmanager
def begun(folder: Path) -> Iterator[None]:
    """Within it a run is to begin in its new folder; if it cannot, the folder goes.

    A run has begun once its recipe stands there; nothing of it is ever removed.
    """
    try:
        yield
    except BaseException:
        if not (folder / "recipe.toml").exists():
            with suppress(OSError):
                (folder / "preflight.json").unlink(missing_ok=True)
                folder.rmdir()  # which fails where anything else is in it
        raise


def newest_unfinished(parent: Path) -> Run:
    """The run in a folder of runs that was worked on last and has not come to its end.

    Raises:
        ConvlensError: there is none.
    """
    begun = (path.parent for path in parent.glob("*/recipe.toml"))
    unfinished = [run for run in begun if not (run / "metrics.json").is_file()]
    if not unfinished:
        raise ConvlensError(
            f"there is no unfinished run in {parent.resolve()}; name the run's folder: "
            "convlens train --resume RUN",
            code="no-run",
        )
    return Run(max(unfinished, key=lambda run: max(p.stat().st_mtime for p in run.iterdir())))


def _free(parent: Path, name: str) -> Path:
    candidates = (parent / (name + (f"-{i}" if i else "")) for i in range(1000))
    return next(folder for folder in candidates if not folder.exists())


def _now() -> str:
    return datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")


def _slug(name: str) -> str:
    kept = "".join(c if c.isalnum() or c in "._" else "-" for c in name.lower())
    return kept.strip("-.")[:40] or "run"
