"""What the learning curves show: the history by phase, the epoch whose weights were kept."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from markupsafe import Markup

from convlens.core.formatting import describe
from convlens.reporting.charts import Phase, Series, draw_curves
from convlens.reporting.facts import Facts
from convlens.reporting.words import listed, number, percent

_PHASES = {"all": "all weights", "head": "the head"}


@dataclass(frozen=True, kw_only=True)
class Learning:
    """The section on learning.

    Attributes:
        charts: loss, and accuracy.
        phases: which weights learned when.
        kept: the epoch whose weights were kept; None where the last one's were, unasked.
        told: what the curves show, in sentences.
        rows: the numbers behind them, one row an epoch.
        validated: whether there were validation images.
    """

    charts: tuple[Markup, ...]
    phases: tuple[Phase, ...]
    kept: int | None
    told: tuple[str, ...]
    rows: Sequence[Mapping[str, Any]]
    validated: bool


def learning(facts: Facts) -> Learning | None:
    """The curves of a run's history; None where there is none."""
    history = facts.history
    if not history:
        return None
    phases = _phases(facts)
    kept = facts.metrics.get("best_epoch")
    validated = any(record.get("val_loss") is not None for record in history)
    charts = (
        _chart(history, "loss", phases, kept),
        _chart(history, "accuracy", phases, kept),
    )
    return Learning(
        charts=charts,
        phases=phases,
        kept=kept,
        told=_told(history, phases, kept, facts),
        rows=history,
        validated=validated,
    )


def _phases(facts: Facts) -> tuple[Phase, ...]:
    """Runs of epochs in which the same weights learned."""
    found = []
    for name, records in groupby(facts.history, key=lambda record: str(record["phase"])):
        epochs = [int(record["epoch"]) for record in records]
        found.append(Phase(name=_PHASES.get(name, name), first=epochs[0], last=epochs[-1]))
    return tuple(found)


def _chart(
    history: Sequence[Mapping[str, Any]], what: str, phases: Sequence[Phase], kept: int | None
) -> Markup:
    is_share = what == "accuracy"
    series = [
        Series(
            kind=kind,
            points=[(int(record["epoch"]), record.get(f"{kind}_{what}")) for record in history],
        )
        for kind in ("train", "val")
    ]

    def written(value: float) -> str:
        return percent(value, 0) if is_share else f"{value:g}"

    return draw_curves(
        series,
        title=what.capitalize(),
        phases=phases,
        kept=kept,
        written=written,
        highest=1.0 if is_share else None,
        says=f"{what.capitalize()} by epoch. " + " ".join(_in_words(series, is_share)),
    )


def _in_words(series: Sequence[Series], is_share: bool) -> list[str]:
    said = []
    for own in series:
        if own.measured:
            first, last = (
                percent(value) if is_share else number(value)
                for value in (own.measured[0][1], own.measured[-1][1])
            )
            name = "Training" if own.kind == "train" else "Validation"
            said.append(f"{name}: from {first} to {last}.")
    return said


def _told(
    history: Sequence[Mapping[str, Any]],
    phases: Sequence[Phase],
    kept: int | None,
    facts: Facts,
) -> tuple[str, ...]:
    seconds = sum(record.get("seconds", 0.0) for record in history)
    said = [f"{len(history)} epochs, {describe(seconds)} of training."]
    if len(history) == 1:
        said = [f"One epoch, {describe(seconds)} of training."]
    if len(phases) > 1:
        parts = [f"{phase.name} in epochs {_span(phase)}" for phase in phases]
        said.append(f"In {len(phases)} phases: {listed(parts, last='then')}.")
    if kept is not None:
        monitor = facts.recipe.training.monitor.replace("val_", "validation ")
        best = facts.recipe.training.keep == "best" and history[-1].get("val_loss") is not None
        why = f": its {monitor} was the best" if best else ", the last one"
        said.append(f"The weights of epoch {kept} were kept{why}.")
    return tuple(said)


def _span(phase: Phase) -> str:
    return str(phase.first) if phase.first == phase.last else f"{phase.first} to {phase.last}"
