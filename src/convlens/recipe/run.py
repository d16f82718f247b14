"""A run: what happened, in a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Reporter
from convlens.core.settings import read_toml, require_tables, validated
from convlens.data import ImageSet, open_source
from convlens.prediction import Predictor, load_bundle
from convlens.recipe.recipe import ARRAYS, Recipe
from convlens.recipe.run_files import read_environment, read_history, read_metrics

SPLITS_FILE = "splits.csv"


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
        require_tables(written, ["data"])
        written["data"] = {"calibration": 0.0, **written.get("data", {})}
        return validated(Recipe, written, what=str(path))

    def images(self, reporter: Reporter, *, source: Any = None) -> ImageSet:
        """The images it was trained on, each in the split that it had then.

        Args:
            reporter: told what was found.
            source: where they are now; None for where they were.

        Raises:
            ConvlensError: the run's source was arrays in memory, or is no longer there.
        """
        recipe = self.recipe
        if recipe.source == ARRAYS and source is None:
            raise ConvlensError(
                f"{self.folder} was trained on arrays in memory, which are gone; pass them, or "
                "another SOURCE of labelled images",
                code="no-source",
            )
        kept = self.folder / SPLITS_FILE
        settings = recipe.data.model_copy(update={"splits": kept if kept.is_file() else None})
        where = recipe.source if source is None else source
        return open_source(where, seed=recipe.seed, settings=settings, reporter=reporter)

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
