"""Asking another promise of a finished run's "not sure"."""

from pathlib import Path
from typing import Any

import torch

from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.files import write_json
from convlens.core.reporter import Quiet, Reporter
from convlens.data import CacheSettings, SourceChanges, read_pixels
from convlens.evaluation import SelectiveSettings
from convlens.prediction import Calibration, Predictor, load_bundle, recalibrate
from convlens.runs.metrics import answers_to, judge, promised_anew, selective_json
from convlens.runs.run import Run
from convlens.runs.run_folder import writing
from convlens.runs.runner import parts_of
from convlens.runs.same_images import moved_images


def promise_anew(
    folder: Path,
    asked: SelectiveSettings,
    *,
    trust_code: bool,
    device: torch.device,
    reporter: Reporter,
    cache: CacheSettings | None = None,
    source: Any = None,
) -> Calibration:
    """Fit another rule for saying "not sure", and keep it in the run's bundle.

    It is fitted on the validation images that the run kept apart, and measured on its test images;
    both figures and rule take the place of the run's own.

    Args:
        folder: the run's.
        asked: what the rule should promise.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        reporter: whom to tell.
        cache: whether and where decoded pixels are kept; None for the defaults.
        source: where the run's images are now; None for where they were.

    Raises:
        ConvlensError: it cannot be promised, the run kept no images apart to calibrate on, they
            are not as they were, or another process is writing to the run.
    """
    _ = Run(folder).recipe  # a bundle alone is refused before anything is written there
    with writing(folder, reporter):
        return _promised(
            folder,
            asked,
            trust_code=trust_code,
            device=device,
            reporter=reporter,
            cache=cache,
            source=source,
        )


def _promised(
    folder: Path,
    asked: SelectiveSettings,
    *,
    trust_code: bool,
    device: torch.device,
    reporter: Reporter,
    cache: CacheSettings | None,
    source: Any,
) -> Calibration:
    bundle, run = load_bundle(folder, trust_code=trust_code), Run(folder)
    recipe, changes = run.recipe, SourceChanges()
    if source is None:
        found = run.reopen(Quiet())
        images, changes = found.images, found.changes
    else:
        images = moved_images(run, source, Quiet())
    if not bundle.calibration.images:
        raise ConvlensError(
            f"{folder} kept no validation images apart to calibrate on, so nothing can be promised "
            'of its "not sure"; train again with 60 validation images or more',
            code="no-calibration",
        )
    if not images.is_as(bundle.provenance.get("data")):
        what = f" ({'; '.join(changes.lines())})" if changes else ""
        raise ConvlensError(
            f"{recipe.source} is not as it was when {folder} was trained{what}, so that its "
            "calibration images are not known for sure; bring back what was there",
            code="changed-since",
        )
    numbers, predictor = parts_of(recipe, images), Predictor(bundle, device=device)
    answers = {}
    for part in ("calibration", "test"):
        pixels = read_pixels(
            images, numbers[part], bundle.input_spec, settings=cache, reporter=reporter
        )
        answers[part] = answers_to(predictor, images, pixels, reporter)
    calibration = promised_anew(bundle.calibration, answers["calibration"], asked)
    figures = None
    if len(answers["test"]):
        figures = judge(calibration, answers["test"], bundle.classes).selective
    told = selective_json(calibration.selective, figures)
    said = asked.model_dump(mode="json", exclude_none=True)
    metrics = run.metrics | {"selective": {"asked": said, "reason": None, **told}}
    kept = recalibrate(folder, calibration, metrics)
    write_json(folder / "metrics.json", metrics)
    reporter.say(f'the rule for saying "not sure" is kept in {kept}')
    if (folder / "report.html").is_file():
        reporter.say(
            "its report still has the promise of before; write it again by "
            + command("report", folder, *recipe.model.trust_words)
        )
    return calibration
