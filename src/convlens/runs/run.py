"""A run: what happened, in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.files import surviving_folder
from convlens.core.legacy import RECIPE_KEYS, upgrade_keys
from convlens.core.reporter import Reporter
from convlens.core.settings import read_toml, require_tables, validated
from convlens.data import ImageSet
from convlens.prediction import Predictor, load_bundle, read_classes
from convlens.recipe.recipe import Recipe
from convlens.runs.run_files import read_environment, read_history, read_metrics
from convlens.runs.run_images import RunImages, open_run_images

SPLITS_FILE = "splits.csv"


@dataclass(frozen=True)
class Run:
    """A run's folder, finished or not.

    Attributes:
        folder: where it is.

    Example:
        >>> run = Run(Path("runs/plants"))                 # doctest: +SKIP
        >>> run.predictor().predict("leaf.jpg")[0].top[0]  # doctest: +SKIP
        ClassProbability(name='tulsi', probability=0.97)
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
        written = upgrade_keys(read_toml(path), RECIPE_KEYS)
        # Every value is written out; so a run without this one let all validation images decide.
        require_tables(written, ["data"])
        written["data"] = {"calibration": 0.0, **written.get("data", {})}
        return validated(Recipe, written, what=str(path))

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Its class names in the order of the network's outputs; None before it has begun.

        Raises:
            ConvlensError: its files are damaged.
        """
        if surviving_folder(self.bundle) is not None:
            return read_classes(self.folder)
        return self.classes_at_start

    @property
    def classes_at_start(self) -> tuple[str, ...] | None:
        """Its class names as it recorded them when it began, whatever became of its bundle.

        None before it has begun.

        Raises:
            ConvlensError: its files are damaged.
        """
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
        found = self.reopen(reporter, classes=self.classes_at_start)
        if found.changes.of_images():
            raise ConvlensError(
                f"its images changed since {self.folder} began: {'; '.join(found.changes.lines())}",
                remedy="bring back what was there, or start a new run: "
                + command("train", "--recipe", self.folder / "recipe.toml"),
                code="changed-since",
            )
        for line in found.changes.lines():
            reporter.warn(line)
        return found.images

    def reopen(
        self, reporter: Reporter, *, source: Any = None, classes: Sequence[str] | None = None
    ) -> RunImages:
        """As `images`, with what changed; raises as `images`.

        Args:
            reporter: told what was found.
            source: where the images are now; None for where they were.
            classes: what they are numbered by; None for `classes`, those of the bundle.
        """
        return open_run_images(
            self.folder,
            self.recipe,
            classes=classes or self.classes,
            splits=self.folder / SPLITS_FILE,
            source=source,
            reporter=reporter,
        )

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record an epoch; see `convlens.training.EpochRecord`.

        Raises:
            ConvlensError: the file is damaged.
        """
        return read_history(self.folder)

    @property
    def metrics(self) -> dict[str, Any]:
        """The final figures with their intervals, by split, and the speed.

        Raises:
            ConvlensError: the run has not finished, or the file is damaged.
        """
        return read_metrics(self.folder)

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, hardware and data of the run, the images left out among them.

        Raises:
            ConvlensError: the file is missing or damaged.
        """
        return read_environment(self.folder)

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
            "weak_result": metrics.get("weak_result"),
        }
