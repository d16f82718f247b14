"""What is learned about a network after its training: its temperature, and when it is not sure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.reporter import Reporter
from convlens.data import ImageSet, Pixels
from convlens.evaluation import (
    Metrics,
    SelectiveMetrics,
    SelectiveRule,
    SelectiveSettings,
    fit_temperature,
    measure,
    measure_selective,
)
from convlens.prediction import Bundle, Calibration, Predictor

FEWEST_TO_FIT = 40
"""A temperature from fewer images may do more harm than good; of 40 it gains where one is needed,
and costs next to nothing where none is (simulated: `docs/decisions/0034-recipe-calibration.md`)."""

_OF_PROBABILITIES = ("log_loss", "brier", "calibration_error")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a network answers to labeled images.

    Attributes:
        logits: (N, K) before the temperature.
        labels: (N,) the true classes.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class CalibratedMetrics:
    """A network's figures on labeled images.

    Attributes:
        figures: of its calibrated probabilities.
        before: of the same without a temperature; the ranking of classes is the same.
        calibration: by which they were calibrated.
        selective: what its rule for saying "not sure" does on these images; None without a rule.
    """

    figures: Metrics
    before: Metrics
    calibration: Calibration
    selective: SelectiveMetrics | None

    def calibration_json(self) -> dict[str, Any]:
        """The temperature, and what probabilities were worth before it and after, here."""
        return {
            "temperature": self.calibration.temperature,
            "images": self.calibration.fitted_on,
            "n": self.figures.n,
            "before": _of_probabilities(self.before),
            "after": _of_probabilities(self.figures),
        }


def calibrate(
    deciding: Answers, calibrating: Answers, asked: SelectiveSettings
) -> tuple[Calibration, str | None]:
    """Fit a temperature, and a rule for saying "not sure", each on images of its own.

    Args:
        deciding: validation images, which chose the weights; the temperature is fitted on them.
        calibrating: validation images that decided nothing, the temperature not either.
        asked: what the rule should promise.

    Returns:
        The calibration; and why there is no rule, where there is none.
    """
    calibration = Calibration(images=len(calibrating))
    if len(deciding) >= FEWEST_TO_FIT:
        probabilities = calibration.probabilities(deciding.logits)
        temperature = fit_temperature(probabilities, deciding.labels)
        calibration = calibration.model_copy(
            update={"temperature": temperature, "fitted_on": len(deciding)}
        )
    if not len(calibrating):
        return calibration, "no validation images were kept apart to calibrate on"
    try:
        return promised_anew(calibration, calibrating, asked), None
    except ConvlensError as error:
        if isinstance(error, WorkFailedError):
            raise
        return calibration, error.message


def promised_anew(
    calibration: Calibration, calibrating: Answers, asked: SelectiveSettings
) -> Calibration:
    """The same with another rule for saying "not sure".

    Raises:
        ConvlensError: it cannot be promised from these images; the message says what could be.
    """
    rule = asked.fit(calibration.probabilities(calibrating.logits), calibrating.labels)
    return calibration.model_copy(update={"selective": rule, "images": len(calibrating)})


def judge(
    calibration: Calibration, answers: Answers, classes: tuple[str, ...]
) -> CalibratedMetrics:
    """Measure answers to images that had no part in the calibration.

    Args:
        calibration: how logits become probabilities.
        answers: to one image at least.
        classes: the K class names.

    Raises:
        WorkFailedError: the logits are not numbers: the network is broken.
    """
    probabilities = calibration.probabilities(answers.logits)
    figures = measure(probabilities, answers.labels, classes=classes)
    before = figures
    if calibration.temperature != 1:
        plain = Calibration().probabilities(answers.logits)
        before = measure(plain, answers.labels, classes=classes)
    rule = calibration.selective
    return CalibratedMetrics(
        figures=figures,
        before=before,
        calibration=calibration,
        selective=None if rule is None else measure_selective(rule, probabilities, answers.labels),
    )


def selective_json(rule: SelectiveRule | None, figures: SelectiveMetrics | None) -> dict[str, Any]:
    """A rule for saying "not sure": what it is, what it promises, and what it does.

    Args:
        rule: None where nothing can be promised.
        figures: on images that had no part in it.
    """
    return {
        "rule": None if rule is None else rule.model_dump(mode="json", exclude_none=True),
        "promise": None if rule is None else rule.promise,
        "figures": None if figures is None else figures.as_json(),
    }


def _of_probabilities(figures: Metrics) -> dict[str, Any]:
    told = figures.as_json()
    names = [name + end for name in _OF_PROBABILITIES for end in ("", "_interval")]
    return {name: told[name] for name in ("n", *names, "reliability")}


def measure_run(
    bundle: Bundle,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    asked: SelectiveSettings,
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
        a split without images), ``"calibration"`` and ``"selective"``.
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
    on_test = judged["test"].selective if "test" in judged else None
    return calibration, {
        **{
            split: judged[split].figures.as_json() if split in judged else None
            for split in ("val", "test")
        },
        "calibration": on and {"measured_on": on, **judged[on].calibration_json()},
        "selective": {
            "asked": asked.model_dump(mode="json", exclude_none=True),
            "reason": reason,
            **selective_json(calibration.selective, on_test),
        },
    }


def answers_to(
    predictor: Predictor, images: ImageSet, pixels: Pixels, reporter: Reporter
) -> Answers:
    """What a network answers to the images of a split."""
    return Answers(
        logits=predictor.logits(pixels.array, reporter=reporter), labels=images.labels[pixels.rows]
    )
