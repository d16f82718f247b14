"""A run's training: one phase after another, each from wherever it stands to its end."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from convlens.core.classifier import Classifier
from convlens.core.distributed import Ranks
from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.core.reporter import Reporter
from convlens.data import CacheSettings, ImageSet, Pixels
from convlens.recipe.recipe import Recipe
from convlens.runs.extension import record_extension, replan
from convlens.runs.job import TrainingJob
from convlens.runs.validate import validate_phases
from convlens.training import (
    Budget,
    Callback,
    EarlyStopping,
    KeepBest,
    Progress,
    ReduceLROnPlateau,
    SaveAndLeave,
    SaveCheckpoint,
    TrainingState,
    WriteHistory,
    WriteTensorBoard,
    benchmark_steps,
    checkpoint_place,
    fit,
    load_checkpoint,
)


def train_in_phases(
    recipe: Recipe,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    classifier: Classifier,
    folder: Path,
    *,
    cache: CacheSettings,
    ranks: Ranks,
    reporter: Reporter,
) -> dict[str, Any]:
    """Train in place, from the folder's checkpoint on where there is one.

    Returns:
        What there is to say about it, for ``metrics.json``.

    Raises:
        ConvlensError: the recipe asks of the network what it does not have.
        WorkFailedError: the loss is not finite, the disk is full, or the user asked to leave.
    """
    settings, checkpoint = recipe.training, folder / "checkpoint"
    run = TrainingJob(recipe, images, pixels, classifier, cache, ranks, reporter)
    validate_phases(run)
    keep_best = KeepBest(settings.monitor)
    state = TrainingState.start(classifier, settings, phase=_phase(checkpoint, recipe))
    budget = _budget(run)
    steering = _steering(run, state, keep_best, budget)
    if load_checkpoint(checkpoint, state, steering):
        reporter.say(f"going on from epoch {state.epoch + 1}, image {state.samples_seen:,}")
        change = replan(
            state, recipe, steering, steps_an_epoch=run.steps_an_epoch, reporter=reporter
        )
        if change is not None and ranks.is_global_zero:
            record_extension(folder, change)
    ranks.require_same(f"{state.phase} {state.step}", "checkpoint")
    saving_seconds = 0.0
    while True:
        saving_seconds += _train_phase(run, state, steering, budget, folder)
        if state.phase + 1 == len(settings.plan):
            break
        state = state.next_phase(settings)
        steering = _steering(run, state, keep_best, budget)
    restoring = steering.get("early stopping")
    restored = restoring.epoch if isinstance(restoring, EarlyStopping) else 0
    learning = sum(record.seconds for record in state.history)
    validating = sum(record.validation_seconds for record in state.history)
    shown = sum(round(record.images_per_second * record.seconds) for record in state.history)
    return {
        "model": recipe.model.name or "layers",
        "seconds": learning + validating + run.feature_seconds,
        "images_per_second": shown / learning,
        "epochs": len(state.history),
        "best_epoch": keep_best.epoch or restored or len(state.history),
        "saving_seconds": saving_seconds,
    }


def _phase(checkpoint: Path, recipe: Recipe) -> int:
    """The phase that the run stands in, counted from 0."""
    place, phases = checkpoint_place(checkpoint), len(recipe.training.plan)
    if place is not None and place.phase >= phases:
        raise ConvlensError(
            f"the checkpoint in {checkpoint} stands in phase {place.phase + 1}, but recipe.toml "
            f"has {pluralize(phases, 'phase')}",
            remedy="restore the recipe that the run began with",
            code="damaged-checkpoint",
        )
    return place.phase if place is not None else 0


def _budget(run: TrainingJob) -> Budget | None:
    """What fits the phases to a time, where one was given; its clock starts here."""
    settings = run.recipe.training
    if settings.budget_seconds is None:
        return None
    return Budget(
        settings.budget_seconds,
        phases=settings.plan,
        steps_an_epoch=run.steps_an_epoch,
        ranks=run.ranks,
        reporter=run.reporter,
    )


def _steering(
    run: TrainingJob, state: TrainingState, keep_best: KeepBest, budget: Budget | None
) -> dict[str, Callback]:
    """The callbacks that decide, by the name under which a checkpoint remembers them."""
    settings = run.recipe.training
    phase = settings.plan[state.phase]
    found: dict[str, Callback] = {}
    if budget is not None:
        found["budget"] = budget
    if settings.keep == "best":
        found["best"] = keep_best
    if phase.early_stopping is not None:
        found["early stopping"] = EarlyStopping(phase.early_stopping)
    if phase.reduce_on_plateau is not None:
        peak = phase.optimizer.learning_rate
        found["plateau"] = ReduceLROnPlateau(
            phase.reduce_on_plateau, peak=peak, reporter=run.reporter
        )
    return found


def _train_phase(
    run: TrainingJob,
    state: TrainingState,
    steering: Mapping[str, Callback],
    budget: Budget | None,
    folder: Path,
) -> float:
    """One phase, from wherever it stands to its end; the folder is the run's.

    Returns:
        Seconds spent writing checkpoints.
    """
    settings, start = run.recipe.training, run.start(state)
    if settings.compile:
        state.network.compile()
    if budget is not None and not state.phase_steps:
        pace = benchmark_steps(state, start.train, start.val, start.terms, seconds=budget.measuring)
        budget.plan(state, pace)
    save = SaveCheckpoint(
        folder / "checkpoint",
        every_seconds=settings.checkpoint_seconds,
        remember=steering,
    )
    progress = Progress(run.reporter, settings, steps_an_epoch=run.steps_an_epoch)
    leave = SaveAndLeave(folder, save.save, run.ranks, run.reporter)
    telling: list[Callback] = [WriteHistory(folder / "history.jsonl"), save, progress]
    with ExitStack() as stack:
        stack.callback(progress.close)
        stack.enter_context(leave)
        if settings.tensorboard and run.ranks.is_global_zero:
            charts = WriteTensorBoard(folder / "tensorboard")
            stack.callback(charts.close)
            telling.append(charts)
        shown = telling if run.ranks.is_global_zero else []
        callbacks = [*steering.values(), *shown, leave]
        fit(state, start.train, start.val, start.terms, callbacks=callbacks)
    return save.seconds
