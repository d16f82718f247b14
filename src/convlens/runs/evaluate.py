"""Measuring a bundle on labeled images."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from convlens.core.command_line import command
from convlens.core.device import choose_device
from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.core.reporter import Reporter
from convlens.data import (
    CacheSettings,
    DataSettings,
    ImageSet,
    Pixels,
    SourceChanges,
    content_kind,
    open_for_evaluation,
    read_pixels,
)
from convlens.evaluation import Metrics, SelectiveSettings
from convlens.prediction import Bundle, Predictor, View, load_bundle
from convlens.runs.compare import RunComparison, compare_runs
from convlens.runs.leakage import seen_in_training
from convlens.runs.metrics import CalibratedMetrics, answers_to, judge, selective_json
from convlens.runs.recalibrate import promise_anew
from convlens.runs.run import Run
from convlens.runs.run_images import RunImages
from convlens.runs.same_images import moved_images
from convlens.runs.tta import TtaGain, answers_with_views


class EvaluationSettings(BaseModel):
    """What may be set of an evaluation.

    Attributes:
        data: how to read a source (the columns of a table).
        selective: what the network's "not sure" should promise from now on; None leaves it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataSettings = DataSettings()
    selective: SelectiveSettings | None = None


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All that is measured of a network on labeled images.

    Attributes:
        judged: its figures, calibrated and before, and what its "not sure" does.
        tta: the gain of test-time views, and their cost, where they are asked for; the figures
            are then those with them.
        baseline: how it compares with another network, where that is asked for.
        changes: how the run's own source differs from what it was trained on.
    """

    judged: CalibratedMetrics
    tta: TtaGain | None = None
    baseline: RunComparison | None = None
    changes: SourceChanges = field(default_factory=SourceChanges)

    @property
    def figures(self) -> Metrics:
        """The figures, with their intervals."""
        return self.judged.figures

    @property
    def accuracy(self) -> float:
        """The share classified correctly."""
        return self.figures.accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """The accuracy's, at 95 %."""
        return self.figures.interval

    @property
    def n(self) -> int:
        """Images."""
        return self.figures.n

    def as_json(self) -> dict[str, Any]:
        """The figures as plain JSON values, and beside them all else that was measured."""
        return {
            **self.figures.as_json(),
            "calibration": self.judged.calibration_json(),
            "selective": selective_json(self.judged.calibration.selective, self.judged.selective),
            "tta": self.tta and self.tta.as_json(),
            "baseline": self.baseline and self.baseline.as_json(),
            "changes": self.changes.as_json(),
        }


def measure_bundle(
    path: Path,
    source: Any,
    *,
    source_name: str,
    settings: EvaluationSettings,
    device: str,
    reporter: Reporter,
    cache: CacheSettings | None = None,
    tta: Sequence[View] = (),
    baseline: Path | None = None,
    bundles: tuple[Bundle | None, Bundle | None] = (None, None),
    trust_code: bool = False,
    run_source: Any = None,
) -> Evaluation:
    """Measure a bundle on a source, or on the test images that its run kept apart.

    Args:
        path: the run's folder, or the bundle's own.
        source: labeled images; None for the run's own test images.
        source_name: the source as a recipe writes it.
        settings: how to read the source, and what the bundle's "not sure" should promise.
        device: where to compute.
        reporter: whom to tell.
        cache: whether and where decoded pixels are kept; None for the defaults.
        tta: test-time views to ask about as well.
        baseline: the folder of a run or bundle to compare with.
        bundles: what the two folders hold where it is loaded already; else None.
        trust_code: run the code that the bundle of a network of the user's own carries.
        run_source: where the run's own images are now; None for where they were.

    Raises:
        ConvlensError: there is no bundle or no source, no image can be read, what is asked cannot
            be promised, or the networks cannot be compared.
    """
    where = choose_device(device)
    bundle = bundles[0] or load_bundle(path, trust_code=trust_code)
    other = bundles[1]
    if baseline is not None and other is None:
        other = load_bundle(baseline, trust_code=trust_code)
    if settings.selective is not None:
        calibration = promise_anew(
            path,
            settings.selective,
            trust_code=trust_code,
            device=where,
            reporter=reporter,
            cache=cache,
            source=run_source,
        )
        bundle = replace(bundle, calibration=calibration)
    changes = SourceChanges()
    if source is None:
        own = _own_images(path, bundle, reporter, run_source)
        images, changes, source_name = own.images, own.changes, Run(path).recipe.source
    else:
        images = open_for_evaluation(
            source, classes=bundle.classes, settings=settings.data, reporter=reporter
        )
    pixels = _pixels(images, bundle, reporter, cache)
    if source is not None:
        _warn_of_learned(path, bundle, images, pixels, source_name=source_name, reporter=reporter)
    plain = Predictor(bundle, device=where)
    found = gain = None
    if tta:
        answers, gain = answers_with_views(plain, tuple(tta), images, pixels, reporter)
    else:
        answers = answers_to(plain, images, pixels, reporter)
    if baseline is not None and other is not None:
        found = compare_runs(
            answers,
            images,
            pixels,
            Predictor(other, device=where, views=tta),
            source=source_name,
            runs=(path, baseline),
            known=(bundle.training_images, other.training_images),
            reporter=reporter,
            cache=cache,
        )
    calibration = bundle.calibration
    if tta:  # what it promises holds for the images alone
        calibration = calibration.model_copy(update={"selective": None})
    return Evaluation(
        judged=judge(calibration, answers, bundle.classes),
        tta=gain,
        baseline=found,
        changes=changes,
    )


def _own_images(path: Path, bundle: Bundle, reporter: Reporter, source: Any) -> RunImages:
    run = Run(path)
    if not (path / "recipe.toml").is_file():
        raise ConvlensError(
            f"{path} does not say which images it was trained on; pass a SOURCE of labeled "
            "images: " + command("evaluate", "RUN", "SOURCE"),
            code="no-source",
        )
    if source is not None:
        return RunImages(images=moved_images(run, source, reporter), changes=SourceChanges())
    found = run.reopen(reporter)
    for line in found.changes.lines():
        reporter.warn(line)
    if not found.images.is_as(bundle.provenance.get("data")):
        _warn_of_replaced(run, bundle, found, reporter)
    return found


def _warn_of_replaced(run: Run, bundle: Bundle, found: RunImages, reporter: Reporter) -> None:
    """Warn of test images that may have been training images when the run was trained."""
    before = f"{run.recipe.source} is not as it was when this run was trained"
    own, test = bundle.training_images, found.images.splits["test"]
    learned = None if own is None else own.among(found.images, test, reporter)
    if learned is None:
        reporter.warn(f"{before}: some of these test images may have been training images then")
    elif learned.any():
        reporter.warn(f"{before}: it was trained on {pluralize(int(learned.sum()), 'test image')}")
    elif not found.changes:
        reporter.warn(f"{before}: files were replaced")


def _pixels(
    images: ImageSet, bundle: Bundle, reporter: Reporter, cache: CacheSettings | None
) -> Pixels:
    pixels = read_pixels(
        images, images.splits["test"], bundle.input_spec, settings=cache, reporter=reporter
    )
    if not len(pixels):
        raise ConvlensError(
            f"there are no test images in {images.name}; pass a SOURCE of labeled images",
            code="no-images",
        )
    return pixels


def _warn_of_learned(
    path: Path,
    bundle: Bundle,
    images: ImageSet,
    pixels: Pixels,
    *,
    source_name: str,
    reporter: Reporter,
) -> None:
    """Warn of images that the network was trained on, or that nobody can know."""
    known = seen_in_training(
        path,
        images,
        pixels.rows,
        source=source_name,
        known=bundle.training_images,
        reporter=reporter,
    )
    if known is None:
        reporter.warn(
            f"cannot tell whether {path} was trained on some of these images: "
            f"{_why_unknown(bundle, images)}"
        )
    elif known.any():
        reporter.warn(
            f"{int(known.sum()):,} of {pluralize(len(known), 'image')} are among those that {path} "
            "was trained or chosen on: these figures flatter it"
        )


def _why_unknown(bundle: Bundle, images: ImageSet) -> str:
    own = bundle.training_images
    if own is not None:
        return f"it was trained on {own.kind}, these are {content_kind(images)}"
    return (
        "its bundle does not identify its training images, and they are no longer where they were"
    )
