"""What is learnt about a network after its training: its temperature, and when it is not sure."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.evaluation import (
    Abstaining,
    AbstainingFigures,
    AbstainingSettings,
    Figures,
    fit_temperature,
    measure,
    measure_abstaining,
)
from convlens.prediction import Calibration

FEWEST_TO_FIT = 40
"""A temperature from fewer images may do more harm than good; of 40 it gains where one is needed,
and costs next to nothing where none is (simulated: `docs/decisions/recipe-calibration.md`)."""

_OF_PROBABILITIES = ("log_loss", "brier", "calibration_error")


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a network answers to labelled images.

    Attributes:
        logits: (N, K) before the temperature.
        labels: (N,) the true classes.
    """

    logits: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A network's figures on labelled images.

    Attributes:
        figures: of its calibrated probabilities.
        before: of the same without a temperature; the ranking of classes is the same.
        calibration: by which they were calibrated.
        abstaining: what its rule for saying "not sure" does on these images; None without a rule.
    """

    figures: Figures
    before: Figures
    calibration: Calibration
    abstaining: AbstainingFigures | None

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
    deciding: Answers, calibrating: Answers, asked: AbstainingSettings
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
    calibration: Calibration, calibrating: Answers, asked: AbstainingSettings
) -> Calibration:
    """The same with another rule for saying "not sure".

    Raises:
        ConvlensError: it cannot be promised from these images; the message says what could be.
    """
    rule = asked.fit(calibration.probabilities(calibrating.logits), calibrating.labels)
    return calibration.model_copy(update={"abstaining": rule, "images": len(calibrating)})


def judge(calibration: Calibration, answers: Answers, classes: tuple[str, ...]) -> Judged:
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
    rule = calibration.abstaining
    return Judged(
        figures=figures,
        before=before,
        calibration=calibration,
        abstaining=None
        if rule is None
        else measure_abstaining(rule, probabilities, answers.labels),
    )


def abstaining_json(rule: Abstaining | None, figures: AbstainingFigures | None) -> dict[str, Any]:
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


def _of_probabilities(figures: Figures) -> dict[str, Any]:
    told = figures.as_json()
    names = [name + end for name in _OF_PROBABILITIES for end in ("", "_interval")]
    return {name: told[name] for name in ("n", *names, "reliability")}
