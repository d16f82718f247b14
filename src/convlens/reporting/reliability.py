"""Whether the network's probabilities mean what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from convlens.reporting.charts import draw_reliability
from convlens.reporting.facts import Facts
from convlens.reporting.words import counted, percent


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
    rows: Sequence[Mapping[str, Any]]


def reliability(facts: Facts) -> Reliability | None:
    """The reliability of the measured images; None where it was not measured."""
    figures = facts.figures
    if figures is None or not figures.get("reliability"):
        return None
    calibration = facts.metrics.get("calibration") or {}
    before, after = calibration.get("before"), calibration.get("after")
    drawn, leans = [("As measured", figures)], [_lean(_filled(figures), "On average")]
    if before and after and before.get("reliability") and after.get("reliability"):
        drawn = [("Before the temperature", before), ("After the temperature", after)]
        leans = [
            _lean(_filled(before), "As it was trained, on average"),
            _lean(_filled(after), "With the temperature"),
        ]
    return Reliability(
        charts=tuple(_chart(title, own) for title, own in drawn),
        told=(leans[0], *_temperature(calibration), *leans[1:]),
        rows=_filled(figures),
    )


def _filled(figures: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The bins that have images."""
    return [own for own in figures["reliability"] if own["count"]]


def _chart(title: str, figures: Mapping[str, Any]) -> Markup:
    bins = figures["reliability"]
    said = "; ".join(
        f"{percent(own['confidence'], 0)} sure, {percent(own['accuracy'], 0)} right "
        f"({counted(own['count'])})"
        for own in _filled(figures)
    )
    return draw_reliability(bins, title=title, says=f"Reliability diagram, {title.lower()}: {said}")


def _lean(bins: Sequence[Mapping[str, Any]], when: str) -> str:
    """Whether it is too sure or not sure enough."""
    n = sum(own["count"] for own in bins)
    gap = sum(own["count"] * (own["confidence"] - own["accuracy"]) for own in bins) / n
    sure = sum(own["count"] * own["confidence"] for own in bins) / n
    said = f"{when} it was {percent(sure)} sure and {percent(sure - gap)} right"
    if abs(gap) < 0.01:
        return f"{said}: its probabilities can be taken at their word."
    return f"{said}: it is {'too sure of itself' if gap > 0 else 'right more often than it says'}."


def _temperature(calibration: Mapping[str, Any]) -> list[str]:
    """What the temperature is, and what it is good for."""
    temperature, images = calibration.get("temperature"), calibration.get("images")
    if temperature is None:
        return []
    if temperature == 1:
        return [] if images else ["There were too few validation images to fit a temperature."]
    fitted = f", fitted on {counted(images, 'validation image')}" if images else ""
    effect = "less sure" if temperature > 1 else "surer"
    said = [
        f"A temperature of {temperature:.2f}{fitted}, makes every answer {effect}.",
        "It is part of the bundle, and changes no answer, only how sure it is.",
    ]
    before, after = calibration.get("before"), calibration.get("after")
    if before and after:
        worth = [percent(own["calibration_error"]) for own in (before, after)]
        said.append(f"The calibration error is {worth[0]} before it and {worth[1]} after.")
    return said
