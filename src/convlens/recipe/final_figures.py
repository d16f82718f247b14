"""What a run ends with: its calibration, and the figures of every split."""

from collections.abc import Mapping
from typing import Any

import torch

from convlens.core.reporter import Reporter
from convlens.data import ImageSet, Pixels
from convlens.evaluation import AbstainingSettings
from convlens.prediction import Bundle, Calibration, Predictor
from convlens.recipe.judgement import Answers, abstaining_json, calibrate, judge


def measure_run(
    bundle: Bundle,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    asked: AbstainingSettings,
    *,
    device: torch.device,
    reporter: Reporter,
) -> tuple[Calibration, dict[str, Any]]:
    """Calibrate a trained network, then measure it.

    The deciding validation images (``"val"``) give the temperature, the calibrating ones the rule
    for saying "not sure"; test images only measure.

    Args:
        bundle: the network, not calibrated yet.
        images: the images of the run.
        pixels: those of ``"val"``, ``"calibration"`` and ``"test"``; each may be empty.
        asked: what the rule should promise.
        device: where to compute.
        reporter: whom to tell.

    Returns:
        The calibration, and for ``metrics.json`` the figures of ``"val"`` and ``"test"`` (None for
        a split without images), ``"calibration"`` and ``"abstaining"``.
    """
    predictor = Predictor(bundle, device=device)
    answers = {
        part: answers_to(predictor, images, pixels[part], reporter)
        for part in ("val", "calibration", "test")
    }
    calibration, reason = calibrate(answers["val"], answers["calibration"], asked)
    if reason is not None and len(answers["calibration"]):
        reporter.warn(f'nothing is promised of its "not sure", which it never says: {reason}')
    judged = {
        part: judge(calibration, own, bundle.classes) for part, own in answers.items() if len(own)
    }
    # What the temperature was fitted on flatters it; so the others come first.
    on = next((part for part in ("test", "calibration", "val") if part in judged), None)
    on_test = judged["test"].abstaining if "test" in judged else None
    return calibration, {
        **{
            split: judged[split].figures.as_json() if split in judged else None
            for split in ("val", "test")
        },
        "calibration": on and {"measured_on": on, **judged[on].calibration_json()},
        "abstaining": {
            "asked": asked.model_dump(mode="json", exclude_none=True),
            "reason": reason,
            **abstaining_json(calibration.abstaining, on_test),
        },
    }


def answers_to(
    predictor: Predictor, images: ImageSet, pixels: Pixels, reporter: Reporter
) -> Answers:
    """What a network answers to the images of a split."""
    return Answers(
        logits=predictor.logits(pixels.array, reporter=reporter), labels=images.labels[pixels.rows]
    )
