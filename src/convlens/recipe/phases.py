"""The phases of a run: the parts of training, wired from the recipe, one phase after another."""

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import numpy as np
import torch

from convlens.augment import AugmentSettings, make_transform
from convlens.core.batch import Batches, BatchTransform
from convlens.core.batch_norm import normalises_over_batch
from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.ranks import Ranks
from convlens.core.reporter import Reporter
from convlens.data import (
    CacheSettings,
    Features,
    ImageSet,
    PixelBatches,
    Pixels,
    balanced_weights,
)
from convlens.recipe.feature_choice import FeatureChoice, choose_features
from convlens.recipe.features import FrozenFeatures, Learning
from convlens.recipe.recipe import Recipe
from convlens.training import (
    Budget,
    Callback,
    EarlyStopping,
    KeepBest,
    Progress,
    ReduceLROnPlateau,
    SaveAndLeave,
    SaveCheckpoint,
    Terms,
    TrainingState,
    WriteHistory,
    WriteTensorBoard,
    checkpoint_phase,
    class_weights,
    fit,
    freeze,
    frozen_stages,
    load_checkpoint,
    measure_pace,
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
    run = _Wiring(recipe, images, pixels, classifier, cache, ranks, reporter)
    run.refuse_at_once()
    keep_best = KeepBest(settings.monitor)
    state = TrainingState.start(classifier, settings, phase=checkpoint_phase(checkpoint))
    steering = run.steering(state, keep_best)
    if load_checkpoint(checkpoint, state, steering):
        reporter.say(f"going on from epoch {state.epoch + 1}, image {state.samples_seen:,}")
    ranks.require_same(f"{state.phase} {state.step}", "checkpoint")
    while True:
        run.train_phase(state, steering, folder)
        if state.phase + 1 == len(settings.plan):
            break
        state = state.next_phase(settings)
        steering = run.steering(state, keep_best)
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
        "saving_seconds": run.saving_seconds,
    }


def first_phase(
    recipe: Recipe,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    classifier: Classifier,
    *,
    cache: CacheSettings,
    reporter: Reporter,
) -> tuple[TrainingState, Batches, Terms]:
    """What a run's first phase starts from, to try steps on; nothing is kept of frozen stages.

    Returns:
        The state before its first step, its training batches, and what the steps are made with.

    Raises:
        ConvlensError: the recipe asks of the network what it does not have.
    """
    run = _Wiring(recipe, images, pixels, classifier, cache, Ranks(), reporter)
    run.refuse_small_images()
    state = TrainingState.start(classifier, recipe.training)
    return state, run.batches("train"), run.terms(state)


@dataclass(frozen=True)
class PhaseTrial:
    """What a phase starts from, to try steps on.

    Attributes:
        state: before the phase's first step; its weights are those that the run starts with.
        train: what its steps learn from: images, or what frozen stages make of them.
        val: what it validates on.
        terms: what its steps are made with.
        features_of: how many frozen stages' output is kept, the normalising one included; 0 where
            none is.
        draws: how many versions of each training image are kept.
    """

    state: TrainingState
    train: Batches
    val: Batches
    terms: Terms
    features_of: int = 0
    draws: int = 0


def phase_trials(
    recipe: Recipe,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    classifier: Classifier,
    *,
    cache: CacheSettings,
    reporter: Reporter,
) -> Iterator[PhaseTrial]:
    """What each phase of a run starts from, one after another; nothing is trained.

    Raises:
        ConvlensError: the recipe asks of the network what it does not have.
    """
    run = _Wiring(recipe, images, pixels, classifier, cache, Ranks(), reporter)
    run.refuse_at_once()
    for number in range(len(recipe.training.plan)):
        state = TrainingState.start(classifier, recipe.training, phase=number)
        yield run.trial(state)


@dataclass
class _Wiring:
    """What all phases are made of.

    Attributes:
        saving_seconds: spent writing checkpoints.
        feature_seconds: spent on what frozen stages make of the images, to be kept.
    """

    recipe: Recipe
    images: ImageSet
    pixels: Mapping[str, Pixels]
    classifier: Classifier
    cache: CacheSettings
    ranks: Ranks
    reporter: Reporter
    saving_seconds: float = 0.0
    feature_seconds: float = 0.0

    @cached_property
    def steps_an_epoch(self) -> int:
        """Optimiser steps that the training images make."""
        return math.ceil(self.batches("train").samples / self.recipe.training.batch_size)

    @cached_property
    def budget(self) -> Budget | None:
        """What fits the phases to a time, where one was given."""
        settings = self.recipe.training
        if settings.budget_seconds is None:
            return None
        return Budget(
            settings.budget_seconds,
            phases=settings.plan,
            steps_an_epoch=self.steps_an_epoch,
            ranks=self.ranks,
            reporter=self.reporter,
        )

    @cached_property
    def features(self) -> FrozenFeatures:
        """What frozen stages make of the images."""
        return FrozenFeatures(
            self.classifier,
            name=f"{self.images.name}, features of {self.recipe.model.name or 'layers'}",
            seed=self.recipe.seed,
            settings=self.cache,
            reporter=self.reporter,
        )

    def steering(self, state: TrainingState, keep_best: KeepBest) -> dict[str, Callback]:
        """The callbacks that decide, by the name under which a checkpoint remembers them."""
        settings = self.recipe.training
        phase = settings.plan[state.phase]
        found: dict[str, Callback] = {}
        if self.budget is not None:
            found["budget"] = self.budget
        if settings.keep == "best":
            found["best"] = keep_best
        if phase.early_stopping is not None:
            found["early stopping"] = EarlyStopping(phase.early_stopping)
        if phase.reduce_on_plateau is not None:
            peak = phase.optimiser.learning_rate
            found["plateau"] = ReduceLROnPlateau(
                phase.reduce_on_plateau, peak=peak, reporter=self.reporter
            )
        return found

    def refuse_at_once(self) -> None:
        """Refuse what a later phase could not do, before an epoch is spent on the first.

        Raises:
            ConvlensError: a phase has nothing to train or to watch, keeps what cannot be kept, or
                the network takes images of one size alone.
        """
        settings = self.recipe.training
        for phase in settings.plan:
            stages = freeze(self.classifier, phase.train).stages
            self._choice(stages)
            for steering in (phase.early_stopping, phase.reduce_on_plateau):
                if steering is not None:
                    self._require_measured(steering.monitor)
        if settings.keep == "best" and not len(self.pixels["val"]):
            self.reporter.say("no validation images: the last epoch's weights are kept")
        self.refuse_small_images()

    def refuse_small_images(self) -> None:
        """Refuse smaller images in the first epochs where the network takes one size alone.

        Raises:
            ConvlensError: it does.
        """
        augment, (channels, height, width) = self.recipe.augment, self.recipe.input.shape
        sides = augment.side(height, 0), augment.side(width, 0)
        if sides == (height, width):
            return
        try:
            with torch.inference_mode():
                self.classifier.eval()(torch.zeros(1, channels, *sides, device=self._device))
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise ConvlensError(
                f"augment.early_scale is {augment.early_scale:g}, but the network takes images of "
                f"{height}×{width} alone",
                remedy="pass --set augment.early_scale=1, or a head that pools: "
                '--head "globalavgpool, dense"',
                code="one-size-alone",
            ) from error

    @property
    def _device(self) -> torch.device:
        return next(self.classifier.parameters()).device

    def _require_measured(self, monitor: str) -> None:
        if monitor.startswith("val_") and not len(self.pixels["val"]):
            raise ConvlensError(
                f"{monitor} is to be watched, but there are no validation images to measure it on",
                remedy="give some (--set data.val=0.1), or watch the training images' "
                f"{monitor.replace('val', 'train')}",
                code="not-measured",
            )

    def trial(self, state: TrainingState) -> PhaseTrial:
        """What the phase starts from."""
        terms, kept = self.terms(state), self._kept_features(state)
        if kept is None:
            return PhaseTrial(state, self.batches("train"), self.batches("val"), terms)
        stages = state.frozen.stages
        state.behind(stages)
        draws = self._choice(stages).draws
        return PhaseTrial(state, *kept, replace(terms, transform=None), stages, draws)

    def train_phase(
        self, state: TrainingState, steering: Mapping[str, Callback], folder: Path
    ) -> None:
        """One phase, from wherever it stands to its end; the folder is the run's."""
        settings, terms = self.recipe.training, self.terms(state)
        kept = self._kept_features(state)
        train, val = kept or (self.batches("train"), self.batches("val"))
        if kept:
            state.behind(state.frozen.stages)
            terms = replace(terms, transform=None)
        if settings.compile:
            state.network.compile()
        if self.budget is not None and not state.phase_steps:
            pace = measure_pace(state, train, val, terms, seconds=self.budget.measuring)
            self.budget.plan(state, pace)
        save = SaveCheckpoint(
            folder / "checkpoint",
            every_seconds=settings.checkpoint_seconds,
            remember=steering,
        )
        progress = Progress(self.reporter, settings, steps_an_epoch=self.steps_an_epoch)
        leave = SaveAndLeave(folder, save.save, self.ranks)
        telling: list[Callback] = [WriteHistory(folder / "history.jsonl"), save, progress]
        with ExitStack() as stack:
            stack.callback(progress.close)
            stack.enter_context(leave)
            if settings.tensorboard and self.ranks.is_first:
                charts = WriteTensorBoard(folder / "tensorboard")
                stack.callback(charts.close)
                telling.append(charts)
            shown = telling if self.ranks.is_first else []
            fit(state, train, val, terms, callbacks=[*steering.values(), *shown, leave])
        self.saving_seconds += save.seconds

    def _kept_features(self, state: TrainingState) -> tuple[Batches, Batches] | None:
        """Batches of what the frozen stages make of the images, where that is kept."""
        recipe, stages = self.recipe, state.frozen.stages
        choice = self._choice(stages)
        if choice.draws or state.frozen.parameters > state.frozen.trainable:
            self.reporter.say(f"features: {choice.reason}")
        later = recipe.training.plan[state.phase + 1 :]
        further = [frozen_stages(self.classifier, phase.train) for phase in later]
        started = perf_counter()
        with self.ranks.one_a_host_first(self.cache.enabled):
            found = self.features.batches(
                stages, self.pixels, self._make, choice=choice, further=further
            )
        self.feature_seconds += perf_counter() - started
        return found

    def _choice(self, stages: int) -> FeatureChoice:
        recipe = self.recipe
        return choose_features(
            recipe.augment,
            draws=recipe.training.feature_draws,
            frozen=self.classifier.stages[:stages],
            wanted=recipe.training.feature_cache,
        )

    def terms(self, state: TrainingState) -> Terms:
        """What the phase's steps are made with."""
        recipe, images = self.recipe, self.images
        counts = np.bincount(
            images.labels[self.pixels["train"].rows], minlength=len(images.classes)
        )
        weights = class_weights(recipe.training.loss, counts.tolist())
        return Terms(
            settings=recipe.training,
            seed=recipe.seed,
            transform=self._transform(),
            class_weights=None if weights is None else weights.to(state.device),
            ranks=self.ranks,
        )

    def batches(self, split: Learning) -> PixelBatches:
        """The images of a split, batch by batch."""
        return self._make(split, self.pixels[split])

    def _make(self, split: Learning, shown: Pixels | Features) -> PixelBatches:
        size, learns = self.recipe.training.batch_size, split == "train"
        balanced = learns and self.recipe.training.sampling == "balanced"
        return PixelBatches(
            shown,
            self.images.labels,
            batch_size=size,
            seed=self.recipe.seed,
            shuffle=learns,
            last=_last_batch(len(shown), size, self.classifier) if learns else "keep",
            weights=balanced_weights(self.images.labels[shown.rows]) if balanced else None,
            rank=self.ranks.rank,
            world_size=self.ranks.world_size,
        )

    def _transform(self) -> BatchTransform | None:
        """The augmentation of the recipe; None where it does nothing."""
        recipe = self.recipe
        if recipe.augment == AugmentSettings():
            return None
        return make_transform(
            recipe.augment,
            seed=recipe.seed,
            classes=len(self.images.classes),
            height=recipe.input.height,
            width=recipe.input.width,
        )


def _last_batch(samples: int, batch_size: int, classifier: Classifier) -> Literal["keep", "fill"]:
    """Keep the smaller last batch, unless it is a single image and has to be normalised.

    Batch normalisation learns nothing from one value, and torch refuses it; such a batch is filled
    up with images from the epoch's beginning.
    """
    if not normalises_over_batch(classifier):
        return "keep"
    if batch_size == 1:
        raise ConvlensError(
            "batch_size is 1, and the network normalises over the batch, which takes 2 images or "
            "more",
            remedy="pass --set training.batch_size=8, or a network without batch normalisation",
            code="batch-too-small",
        )
    return "fill" if samples % batch_size == 1 else "keep"
