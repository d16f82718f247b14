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
    drawn = [("As measured", figures)]
    if before and after and before.get("reliability") and after.get("reliability"):
        drawn = [("Before the temperature", before), ("After the temperature", after)]
    bins = [own for own in figures["reliability"] if own["count"]]
    return Reliability(
        charts=tuple(_chart(title, own) for title, own in drawn),
        told=(_lean(bins), *_temperature(calibration)),
        rows=bins,
    )


def _chart(title: str, figures: Mapping[str, Any]) -> Markup:
    bins = figures["reliability"]
    filled = [own for own in bins if own["count"]]
    said = "; ".join(
        f"{percent(own['confidence'], 0)} sure, {percent(own['accuracy'], 0)} right "
        f"({counted(own['count'])})"
        for own in filled
    )
    return draw_reliability(bins, title=title, says=f"Reliability diagram, {title.lower()}: {said}")


def _lean(bins: Sequence[Mapping[str, Any]]) -> str:
    """Whether it is too sure or not sure enough."""
    n = sum(own["count"] for own in bins)
    gap = sum(own["count"] * (own["confidence"] - own["accuracy"]) for own in bins) / n
    sure = sum(own["count"] * own["confidence"] for own in bins) / n
    said = f"On average it was {percent(sure)} sure and {percent(sure - gap)} right"
    if abs(gap) < 0.01:
        return f"{said}: its probabilities can be taken at their word."
    return f"{said}: it is {'too sure of itself' if gap > 0 else 'surer than it says'}."


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
