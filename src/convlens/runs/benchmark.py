"""How long the parts of a run take, from a few measured steps that leave no trace."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from convlens.core.batch import Batches
from convlens.core.classifier import Classifier
from convlens.core.device import kept_generators, placed, synchronize
from convlens.core.distributed import Ranks
from convlens.core.modes import kept_modes
from convlens.core.reporter import Quiet, Reporter
from convlens.core.rng import Stream, permutation
from convlens.data import CacheSettings, ImageSet, Pixels, read_pixels
from convlens.prediction import largest_batch
from convlens.recipe.recipe import Recipe
from convlens.runs.frozen_stages import stage_maps
from convlens.runs.job import PhaseStart, TrainingJob
from convlens.runs.validate import validate_phases, validate_small_images
from convlens.training import StepContext, TrainingState, benchmark_steps

_BATCHES = 2
_VALIDATED = 128
_LONGER = 5.0  # a single slow step tells little of a machine whose speed changes


@dataclass(frozen=True, kw_only=True)
class PhaseTimings:
    """How long the parts of a phase take.

    Attributes:
        train: what learns in it.
        step: seconds for an optimizer step.
        small_step: the same in the first epochs, where images are smaller then.
        validation: seconds for each validation image.
        features: seconds for what the frozen stages make of one image, kept from then on; 0 where
            it is computed in every step, or an earlier phase has kept it.
        features_of: how many leading stages that is.
        draws: how many versions of each training image are kept.
    """

    train: str
    step: float
    small_step: float
    validation: float
    features: float
    features_of: int
    draws: int


@dataclass(frozen=True, kw_only=True)
class RunTimings:
    """How long the parts of a run take.

    Attributes:
        decoding: seconds for each image to decode.
        predicting: seconds for each image to measure on, in the largest batches of the run.
        phases: one after another.
        pixels_bytes: of the decoded images that it was measured on.
    """

    decoding: float
    predicting: float
    phases: tuple[PhaseTimings, ...]
    pixels_bytes: int


def benchmark_run(
    recipe: Recipe,
    images: ImageSet,
    network: Classifier,
    *,
    device: torch.device,
    seconds: float = 0.4,
) -> RunTimings:
    """Time a few steps of each phase of a run, on some of its images; no run is made.

    Nothing that the run itself will use is touched, torch's generators included. It is the pace of
    one process with whole batches, however many will share the run.

    Args:
        recipe: the complete description of the run.
        images: the images of its source, split.
        network: as the recipe describes it; any weights do, for others take as long. It is put on
            the device, and otherwise left as it is.
        device: where it will be trained.
        seconds: how long to measure in each phase: see `convlens.training.benchmark_steps`.

    Raises:
        ConvlensError: the images cannot be used, or the recipe asks of the network what it does not
            have.
    """
    started = perf_counter()
    pixels = _some_pixels(recipe, images)
    decoding = (perf_counter() - started) / sum(map(len, pixels.values()))
    classifier = placed(network, device)
    with kept_generators(device):
        full = _paces(_at_full_size(recipe), images, pixels, classifier, seconds)
        small = full
        if recipe.augment.early_epochs and recipe.augment.early_scale < 1:
            small = _paces(_plain(recipe), images, pixels, classifier, seconds)
        predicting = _predicting(classifier, max(map(len, images.splits.values())))
    phases = tuple(replace(f, small_step=s.step) for f, s in zip(full, small, strict=True))
    size = sum(own.array.nbytes for own in pixels.values())
    return RunTimings(decoding=decoding, predicting=predicting, phases=phases, pixels_bytes=size)


def _some_pixels(recipe: Recipe, images: ImageSet) -> dict[str, Pixels]:
    """Some images of each split, decoded and kept in memory."""
    wanted = {"train": _BATCHES * recipe.training.batch_size, "val": _VALIDATED, "test": 0}
    return {
        split: read_pixels(
            images,
            _some(images.splits[split], most, recipe.seed),
            recipe.input,
            margin=recipe.margin_of(split),
            settings=CacheSettings(enabled=False),
            reporter=Quiet(),
        )
        for split, most in wanted.items()
    }


def _some(numbers: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    chosen = permutation(seed, 0, len(numbers), slot=Stream.WEIGHTS)[:most]
    return numbers[np.sort(chosen)]


def _plain(recipe: Recipe) -> Recipe:
    """The recipe without what depends on which images there are, and without a budget."""
    loss = recipe.training.loss.model_copy(update={"class_weights": "none"})
    training = recipe.training.model_copy(update={"loss": loss, "budget_seconds": None})
    return recipe.model_copy(update={"training": training})


def _at_full_size(recipe: Recipe) -> Recipe:
    augment = recipe.augment.model_copy(update={"early_epochs": 0})
    return _plain(recipe).model_copy(update={"augment": augment})


def _paces(
    recipe: Recipe,
    images: ImageSet,
    pixels: dict[str, Pixels],
    classifier: Classifier,
    seconds: float,
) -> list[PhaseTimings]:
    """The pace of each phase."""
    memory = CacheSettings(enabled=False)
    trials = phase_trials(recipe, images, pixels, classifier, cache=memory, reporter=Quiet())
    found, kept = [], 0
    for trial, phase in zip(trials, recipe.training.plan, strict=True):
        pace = benchmark_steps(
            trial.state, trial.train, trial.val, trial.terms, seconds=seconds, longer=_LONGER
        )
        new, kept = trial.features_of > kept, max(kept, trial.features_of)
        stages = trial.features_of if new else 0
        own = PhaseTimings(
            train=phase.train,
            step=pace.step,
            small_step=pace.step,
            validation=pace.validation / max(1, trial.val.samples),
            features=_seconds_an_image(classifier, pixels["train"], stages),
            features_of=trial.features_of,
            draws=trial.draws,
        )
        found.append(own)
    return found


@torch.inference_mode()
def _predicting(classifier: Classifier, images: int) -> float:
    """Seconds an image in a batch as large as prediction takes: it needs the most memory."""
    size = max(1, min(images, largest_batch(math.prod(classifier.input_spec.shape))))
    device = next(classifier.parameters()).device
    pixels = torch.zeros(size, *classifier.input_spec.shape, dtype=torch.uint8, device=device)
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    with kept_modes(classifier):
        classifier.eval()(pixels[:2])  # the first pass of all loads kernels
        synchronize(device)
        started = perf_counter()
        classifier(pixels)
        synchronize(device)
        return (perf_counter() - started) / size


def _seconds_an_image(classifier: Classifier, pixels: Pixels, stages: int) -> float:
    """How long the frozen stages take; the first batch, which allocates, apart."""
    if not stages:
        return 0.0
    maps = stage_maps(classifier, pixels, start=0, stop=stages)
    first = len(next(maps))
    started = perf_counter()
    done = sum(map(len, maps))
    if not done:  # there was but one batch: time it again, now that it has allocated
        started = perf_counter()
        done = len(next(stage_maps(classifier, pixels, start=0, stop=stages)))
    return (perf_counter() - started) / max(1, done or first)


def first_phase(
    recipe: Recipe,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    classifier: Classifier,
    *,
    cache: CacheSettings,
    reporter: Reporter,
) -> tuple[TrainingState, Batches, StepContext]:
    """What a run's first phase starts from, to try steps on; nothing is kept of frozen stages.

    Returns:
        The state before its first step, its training batches, and what the steps are made with.

    Raises:
        ConvlensError: the recipe asks of the network what it does not have.
    """
    run = TrainingJob(recipe, images, pixels, classifier, cache, Ranks(), reporter)
    validate_small_images(run)
    state = TrainingState.start(classifier, recipe.training)
    return state, run.batches("train"), run.terms(state)


def phase_trials(
    recipe: Recipe,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    classifier: Classifier,
    *,
    cache: CacheSettings,
    reporter: Reporter,
) -> Iterator[PhaseStart]:
    """What each phase of a run starts from, one after another; nothing is trained.

    Raises:
        ConvlensError: the recipe asks of the network what it does not have.
    """
    run = TrainingJob(recipe, images, pixels, classifier, cache, Ranks(), reporter)
    validate_phases(run)
    for number in range(len(recipe.training.plan)):
        state = TrainingState.start(classifier, recipe.training, phase=number)
        yield run.start(state)
