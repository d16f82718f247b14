"""More epochs for a run that has begun, finished or not: what becomes of its schedule."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convlens.core.errors import ConvlensError
from convlens.core.files import write_json
from convlens.core.reporter import Reporter
from convlens.core.settings import validated
from convlens.recipe.recipe import Recipe
from convlens.runs.run_files import read_environment
from convlens.training import (
    Callback,
    CheckpointPlace,
    EarlyStopping,
    TrainingState,
    checkpoint_place,
    learning_rate,
)


def with_epochs(recipe: Recipe, folder: Path, epochs: int) -> Recipe:
    """The recipe of a run with another number of epochs, all phases together.

    The last phase gets what the phases before it leave. A budget no longer decides.

    Args:
        recipe: the run's, as it is.
        folder: the run's.
        epochs: how many the run is to have in all.

    Raises:
        ConvlensError: so many are trained already, or an earlier phase has no room.
    """
    at, plan = checkpoint_place(folder / "checkpoint"), recipe.training.plan
    _refuse_trained(folder, at, epochs)
    last = at is not None and at.phase == len(plan) - 1
    before = at.epoch - at.phase_epoch if at and last else sum(p.epochs for p in plan[:-1])
    if epochs <= before:
        raise ConvlensError(
            f"epochs is {epochs}, but the phases before the last one take {before}",
            remedy=f"pass {before + 1} or more: epochs counts all phases together",
            code="bad-option",
        )
    if at and last and at.stopped and plan[-1].epochs == epochs - before:
        raise ConvlensError(
            f"{folder} was planned for {epochs} epochs already, and stopped after {at.epoch}: "
            f"{at.stopped}",
            remedy=f"pass more than {epochs} to train on",
            code="bad-option",
        )
    asked = recipe.model_dump(exclude_none=True)
    training = asked["training"]
    if recipe.training.phases:
        training["phases"] = [*training["phases"]]
        training["phases"][-1]["epochs"] = epochs - before
    else:
        training["epochs"] = epochs
    training.pop("budget_seconds", None)
    longer = validated(Recipe, asked, what=f"with {epochs} epochs the recipe")
    return longer.model_copy(update={"model": recipe.model})  # with the word for its code


def replan(
    state: TrainingState,
    recipe: Recipe,
    steering: Mapping[str, Callback],
    *,
    steps_an_epoch: int,
    reporter: Reporter,
) -> dict[str, Any] | None:
    """Give a resumed phase the steps that its recipe asks for now, where they are others.

    The schedule is laid over all epochs of the phase, past ones included: from here on every step
    has the learning rate that it would have had with so many epochs from the start. A phase that
    had stopped early goes on, and waits for progress from zero.

    Args:
        state: as the checkpoint left it; changed in place.
        recipe: the run's.
        steering: the callbacks of the phase, with what they remember.
        steps_an_epoch: optimizer steps that an epoch takes.
        reporter: told what becomes of the schedule.

    Returns:
        What was changed, for ``environment.json``; None where nothing was.
    """
    settings = recipe.training
    if settings.budget_seconds is not None or not state.phase_steps:
        return None
    phase = settings.plan[state.phase]
    of_this_epoch = math.ceil(state.samples_seen / settings.batch_size)
    new_run = state.phase_step - of_this_epoch
    steps = new_run + (phase.epochs - state.phase_epoch) * steps_an_epoch
    if steps == state.phase_steps:
        return None
    peak = phase.optimizer.learning_rate
    rates = [
        state.rate_scale
        * learning_rate(phase.schedule, peak=peak, step=min(state.phase_step, n - 1), steps=n)
        for n in (state.phase_steps, steps)
    ]
    change = {
        "after_epoch": state.epoch,
        "after_step": state.step,
        "phase": phase.train,
        "epochs": phase.epochs,
        "steps": steps,
        "steps_before": state.phase_steps,
    }
    reporter.say(
        f"this phase now has {phase.epochs} epochs ({steps:,} steps, not {state.phase_steps:,}): "
        f"its '{phase.schedule.name}' schedule spans all of them, and goes on at a learning rate "
        f"of {rates[1]:.2g} (it stood at {rates[0]:.2g})"
    )
    state.phase_steps = steps
    if state.stopped is not None:
        state.stopped = None
        waiting = steering.get("early stopping")
        if isinstance(waiting, EarlyStopping):
            waiting.wait_from_zero()
    return change


def record_extension(folder: Path, change: dict[str, Any]) -> None:
    """Keep in a run's environment where it was given another number of epochs."""
    environment = read_environment(folder)
    changes = environment.get("extended", [])
    if change not in changes:
        write_json(folder / "environment.json", environment | {"extended": [*changes, change]})


def _refuse_trained(folder: Path, at: CheckpointPlace | None, epochs: int) -> None:
    if epochs < 1:
        raise ConvlensError(f"epochs is {epochs}; expected 1 or more", code="bad-option")
    if at is not None and epochs <= at.epoch:
        raise ConvlensError(
            f"epochs is {epochs}, but {folder} has trained {at.epoch} already",
            remedy=f"pass {at.epoch + 1} or more: epochs counts from the run's start",
            code="bad-option",
        )
