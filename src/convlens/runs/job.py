"""What the phases of a run are made of, wired from its recipe: batches, steps, kept features."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter
from typing import Literal

import numpy as np

from convlens.augment import AugmentSettings, make_transform
from convlens.core.batch import Batches, BatchTransform
from convlens.core.batch_norm import normalizes_over_batch
from convlens.core.classifier import Classifier
from convlens.core.distributed import Ranks
from convlens.core.errors import ConvlensError
from convlens.core.reporter import Reporter
from convlens.data import (
    CacheSettings,
    Features,
    ImageSet,
    PixelBatches,
    Pixels,
    balanced_weights,
)
from convlens.recipe.recipe import Recipe
from convlens.runs.feature_cache import FrozenFeatures, Learning
from convlens.runs.feature_choice import FeatureChoice, choose_features
from convlens.training import StepContext, TrainingState, class_weights, frozen_stages


@dataclass(frozen=True)
class PhaseStart:
    """What a phase starts from.

    Attributes:
        state: before the phase's next step.
        train: what its steps learn from: images, or what frozen stages make of them.
        val: what it validates on.
        terms: what its steps are made with.
        features_of: how many frozen stages' output is kept, the normalizing one included; 0 where
            none is.
        draws: how many versions of each training image are kept.
    """

    state: TrainingState
    train: Batches
    val: Batches
    terms: StepContext
    features_of: int = 0
    draws: int = 0


@dataclass
class TrainingJob:
    """What all phases are made of, whether a run trains in them or steps are only tried.

    Attributes:
        recipe: the complete description of the run.
        images: the images of its source, split.
        pixels: of its parts; of the training images at the least.
        classifier: the network, on its device.
        cache: whether and where features are kept.
        ranks: the processes that share the run.
        reporter: whom to tell.
        feature_seconds: spent on what frozen stages make of the images, to be kept.
    """

    recipe: Recipe
    images: ImageSet
    pixels: Mapping[str, Pixels]
    classifier: Classifier
    cache: CacheSettings
    ranks: Ranks
    reporter: Reporter
    feature_seconds: float = 0.0

    def start(self, state: TrainingState) -> PhaseStart:
        """What the phase starts from, its state put behind the stages whose features are kept."""
        terms, kept = self.terms(state), self._kept_features(state)
        if kept is None:
            return PhaseStart(state, self.batches("train"), self.batches("val"), terms)
        stages = state.frozen.stages
        state.behind(stages)
        draws = self.feature_choice(stages).draws
        return PhaseStart(state, *kept, replace(terms, transform=None), stages, draws)

    def terms(self, state: TrainingState) -> StepContext:
        """What the phase's steps are made with."""
        recipe, images = self.recipe, self.images
        counts = np.bincount(
            images.labels[self.pixels["train"].rows], minlength=len(images.classes)
        )
        weights = class_weights(recipe.training.loss, counts.tolist(), images.classes)
        return StepContext(
            settings=recipe.training,
            seed=recipe.seed,
            transform=self._transform(),
            class_weights=None if weights is None else weights.to(state.device),
            loaded=recipe.model.loads_weights,
            ranks=self.ranks,
        )

    def batches(self, split: Learning) -> PixelBatches:
        """The images of a split, batch by batch."""
        return self._make(split, self.pixels[split])

    @cached_property
    def steps_an_epoch(self) -> int:
        """Optimizer steps that the training images make."""
        return math.ceil(self.batches("train").samples / self.recipe.training.batch_size)

    def feature_choice(self, stages: int) -> FeatureChoice:
        """Whether features are kept of so many leading stages, where these are frozen."""
        recipe = self.recipe
        return choose_features(
            recipe.augment,
            draws=recipe.training.feature_draws,
            frozen=self.classifier.stages[:stages],
            wanted=recipe.training.feature_cache,
        )

    def _kept_features(self, state: TrainingState) -> tuple[Batches, Batches] | None:
        """Batches of what the frozen stages make of the images, where that is kept."""
        recipe, stages = self.recipe, state.frozen.stages
        choice = self.feature_choice(stages)
        if choice.draws or state.frozen.parameters > state.frozen.trainable:
            self.reporter.say(f"features: {choice.reason}")
        later = recipe.training.plan[state.phase + 1 :]
        further = [frozen_stages(self.classifier, phase.train) for phase in later]
        started = perf_counter()
        with self.ranks.local_zero_first(self.cache.enabled):
            found = self._features.batches(
                stages, self.pixels, self._make, choice=choice, further=further
            )
        self.feature_seconds += perf_counter() - started
        return found

    @cached_property
    def _features(self) -> FrozenFeatures:
        """What frozen stages make of the images."""
        return FrozenFeatures(
            self.classifier,
            name=f"{self.images.name}, features of {self.recipe.model.name or 'layers'}",
            seed=self.recipe.seed,
            settings=self.cache,
            reporter=self.reporter,
        )

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
    """Keep the smaller last batch, unless it is a single image and has to be normalized.

    Batch normalization learns nothing from one value, and torch refuses it; such a batch is filled
    up with images from the epoch's beginning.
    """
    if not normalizes_over_batch(classifier):
        return "keep"
    if batch_size == 1:
        raise ConvlensError(
            "batch_size is 1, and the network normalizes over the batch, which takes 2 images or "
            "more",
            remedy="pass --set training.batch_size=8, or a network without batch normalization",
            code="batch-too-small",
        )
    return "fill" if samples % batch_size == 1 else "keep"
