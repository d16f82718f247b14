"""Every figure with its interval, and what it means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convlens.reporting.words import number, numbers, percent, percents


@dataclass(frozen=True, kw_only=True)
class Score:
    """One figure.

    Attributes:
        name: what it is called.
        value: as it is read.
        interval: its 95 % interval, likewise.
        meaning: in a sentence.
    """

    name: str
    value: str
    interval: str
    meaning: str


_SHARES = {
    "accuracy": ("Accuracy", "Share of the images that were given their own class."),
    "top5": ("Top-5 accuracy", "Share whose class is among the five most probable."),
    "balanced_accuracy": ("Balanced accuracy", "The same with every class counted alike."),
    "calibration_error": (
        "Calibration error",
        "How far its probabilities are from how often it is right, on average; 0 is best.",
    ),
}
_OTHERS = {
    "roc_auc": (
        "ROC AUC",
        "How well probabilities rank a class's images above all others; 1 is best, 0.5 is chance.",
    ),
    "log_loss": (
        "Log loss",
        "Surprise at the true class, in nats; 0 is best, being sure and wrong costs most.",
    ),
    "brier": ("Brier score", "Squared distance of the probabilities from the truth; 0 is best."),
}


def scores(figures: Mapping[str, Any] | None) -> tuple[Score, ...]:
    """The figures that were measured."""
    if figures is None:
        return ()
    found = []
    for key, (name, meaning) in {**_SHARES, **_OTHERS}.items():
        value = figures.get(key)
        if value is None:
            continue
        interval = figures.get("interval" if key == "accuracy" else f"{key}_interval")
        is_share = key in _SHARES
        found.append(
            Score(
                name=name,
                value=percent(value) if is_share else number(value),
                interval=percents(interval) if is_share else numbers(interval),
                meaning=meaning,
            )
        )
    return tuple(found)
