"""Whether the network's probabilities mean what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from convlens.core.formatting import pluralize, points
from convlens.evaluation import wilson_interval
from convlens.reporting.charts import draw_reliability
from convlens.reporting.facts import Facts
from convlens.reporting.words import percent, percents

_ON = {
    "test": "Measured on {} of the test split.",
    "calibration": (
        "Measured on {} of the validation split that were kept apart: no epoch and no temperature "
        "was chosen by them."
    ),
    "val": "Measured on {} of the validation split, which also decided: that flatters it.",
}

Bins = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """The section on probabilities.

    Attributes:
        charts: the diagram; or two, before and after the temperature.
        told: what it says, in sentences.
        rows: the bins in force that have images.
    """

    charts: tuple[Markup, ...]
    told: tuple[str, ...]
    rows: Bins


def reliability(facts: Facts) -> Reliability | None:
    """The reliability as it was measured; None where it was not.

    All of it is of the same images: of those that the run measured its calibration on, for they
    had no part in it where there were any such.
    """
    calibration = facts.metrics.get("calibration") or {}
    before, after = calibration.get("before"), calibration.get("after")
    on = calibration.get("measured_on")
    if not (before and after and on):  # a run from before there was a temperature
        before, after, on = facts.figures, facts.figures, facts.split
    if after is None or before is None or on is None or not after.get("reliability"):
        return None
    if calibration.get("temperature", 1) == 1:
        drawn, leans = [("As measured", after)], [_lean(after, "On average")]
    else:
        drawn = [("Before the temperature", before), ("After the temperature", after)]
        leans = [
            _lean(before, "As it was trained, on average"),
            _lean(after, "With the temperature"),
        ]
    where = _ON[on].format(pluralize(after["n"]))
    return Reliability(
        charts=tuple(_chart(title, own) for title, own in drawn),
        told=(where, leans[0], *_temperature(calibration), *leans[1:]),
        rows=_filled(after),
    )


def gap_interval(bins: Bins) -> tuple[float, float]:
    """The 95 % interval of how much surer it is than it is right, on average.

    Wilson's interval of the share that is right, with the number of images that would give a plain
    proportion the variance that the confidences themselves say it has. So it holds 0 just where
    the score test does not reject that every probability is honest.

    Args:
        bins: those that have images: count, confidence, accuracy.
    """
    n, sure, right = _means(bins)
    said = sum(own["count"] * own["confidence"] * (1 - own["confidence"]) for own in bins) / n
    effective = n * sure * (1 - sure) / said if said > 0 else n
    low, high = wilson_interval(right * effective, effective)
    return sure - high, sure - low


def _means(bins: Bins) -> tuple[int, float, float]:
    """Images, their mean confidence, and the share that is right."""
    n = sum(own["count"] for own in bins)
    sure, right = (
        sum(own["count"] * own[name] for own in bins) / n for name in ("confidence", "accuracy")
    )
    return n, sure, right


def _filled(figures: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The bins that have images."""
    return [own for own in figures["reliability"] if own["count"]]


def _chart(title: str, figures: Mapping[str, Any]) -> Markup:
    bins = figures["reliability"]
    said = "; ".join(
        f"{percent(own['confidence'], 0)} sure, {percent(own['accuracy'], 0)} right "
        f"({pluralize(own['count'])})"
        for own in _filled(figures)
    )
    return draw_reliability(bins, title=title, says=f"Reliability diagram, {title.lower()}: {said}")


def _lean(figures: Mapping[str, Any], when: str) -> str:
    """Whether it is too sure or not sure enough, as far as these images can tell."""
    bins = _filled(figures)
    n, sure, right = _means(bins)
    low, high = gap_interval(bins)
    said = (
        f"{when} it was {percent(sure)} sure and {percent(right)} right, a difference of "
        f"{points(sure - right)} percentage points with a 95 % interval of {points(low)} to "
        f"{points(high)}"
    )
    if low <= 0 <= high:
        return f"{said}: these {pluralize(n)} cannot tell it from honest."
    little = "a little " if abs(sure - right) < 0.01 else ""
    lean = "too sure of itself" if low > 0 else "right more often than it says"
    return f"{said}: it is {little}{lean}."


def _temperature(calibration: Mapping[str, Any]) -> list[str]:
    """What the temperature is, and what it is good for."""
    temperature, images = calibration.get("temperature"), calibration.get("images")
    if temperature is None:
        return []
    if temperature == 1:
        return [] if images else ["There were too few validation images to fit a temperature."]
    fitted = f", fitted on {pluralize(images, 'validation image')}" if images else ""
    effect = "less sure" if temperature > 1 else "surer"
    said = [
        f"A temperature of {temperature:.2f}{fitted}, makes every answer {effect}.",
        "It is part of the bundle, and changes no answer, only how sure it is.",
    ]
    before, after = calibration.get("before"), calibration.get("after")
    if before and after:
        worth = [_error(own) for own in (before, after)]
        said.append(f"The calibration error is {worth[0]} before it and {worth[1]} after.")
    return said


def _error(figures: Mapping[str, Any]) -> str:
    ends = figures.get("calibration_error_interval")
    interval = f" (95 % interval {percents(ends)})" if ends else ""
    return percent(figures["calibration_error"]) + interval
