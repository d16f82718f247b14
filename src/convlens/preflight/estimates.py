"""How long a run will take, and how much memory, said before it starts."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convlens.core.classifier import Classifier
from convlens.core.device import peak_memory
from convlens.core.formatting import describe
from convlens.data import CacheSettings, ImageSet, are_kept, kept_shape, margin_in_force
from convlens.recipe import Recipe
from convlens.runs import RunTimings, benchmark_run, parts_of
from convlens.training import PhaseSettings


@dataclass(frozen=True, kw_only=True)
class PhaseEstimate:
    """One phase of a run, before it starts.

    Attributes:
        train: what learns.
        epochs: as many as the recipe asks for; with a budget, the phase's share of it.
        step: seconds for an optimizer step, at full size.
        seconds: for all of it, validation included.
    """

    train: str
    epochs: int
    step: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run will take.

    Attributes:
        seconds: from its first decoded image to its last figure.
        training_seconds: of these, what steps and validation take.
        at_most: whether it may end before its last epoch.
        memory_mb: the most that the process will hold, in 10^6 bytes; on a GPU, there. Pages of the
            cache's files are counted as the system counts them: held once they were read, though it
            can take them back where memory is short.
        phases: one after another.
    """

    seconds: float
    training_seconds: float
    at_most: bool
    memory_mb: int
    phases: tuple[PhaseEstimate, ...]

    def describe(self) -> str:
        """The estimate in a line.

        Example:
            >>> Estimate(seconds=80, training_seconds=75, at_most=True, memory_mb=612,
            ...          phases=()).describe()
            'about 1 min 20 s at most, 612 MB of memory'
        """
        most = " at most" if self.at_most else ""
        return f"about {describe(self.seconds)}{most}, {self.memory_mb:,} MB of memory"

    def as_json(self) -> dict[str, Any]:
        """The estimate as one JSON object."""
        return {
            **{name: _short(value) for name, value in vars(self).items()},
            "phases": [
                {name: _short(value) for name, value in vars(phase).items()}
                for phase in self.phases
            ],
        }


def estimate(
    recipe: Recipe,
    images: ImageSet,
    network: Classifier,
    *,
    device: torch.device,
    cache: CacheSettings | None = None,
    seconds: float = 0.4,
) -> Estimate:
    """Measure a few steps of each phase, take them back, and reckon what the run will take.

    Of several processes that share a run it is the pace of one that does all of every batch: what
    they gain together is not measured here.

    Args:
        recipe: the complete description of the run.
        images: the images of its source, split.
        network: as the recipe describes it, whatever its weights.
        device: where it will be trained.
        cache: where decoded pixels would be found; None for the defaults.
        seconds: how long to measure in each phase; where training has a budget, as short as can be.

    Raises:
        ConvlensError: the images cannot be used, or the network not be had as asked.
    """
    budget = recipe.training.budget_seconds
    if budget is not None:  # training takes that, however long a step: two show the memory
        seconds = 0.0
    pace = benchmark_run(recipe, images, network, device=device, seconds=seconds)
    parts = parts_of(recipe, images)
    n = {part: len(numbers) for part, numbers in parts.items()}
    phases = tuple(_phases(recipe, pace, n))
    if budget is not None:
        epochs = sum(phase.epochs for phase in phases)
        phases = tuple(replace(p, seconds=budget * p.epochs / epochs) for p in phases)
    training = sum(phase.seconds for phase in phases)
    measured = pace.predicting * (n["val"] + n["calibration"] + n["test"])
    unread = [part for part in n if not _is_kept(recipe, images, part, parts[part], cache)]
    decoding = pace.decoding * sum(n[part] for part in unread)
    return Estimate(
        seconds=decoding + training + measured,
        training_seconds=training,
        at_most=any(phase.early_stopping for phase in recipe.training.plan),
        memory_mb=round(_memory(recipe, images, pace, parts, device) / 1e6),
        phases=phases,
    )


def _phases(recipe: Recipe, pace: RunTimings, n: dict[str, int]) -> Iterator[PhaseEstimate]:
    epochs_before = 0
    steps = math.ceil(n["train"] / recipe.training.batch_size)
    for own, settings in zip(pace.phases, recipe.training.plan, strict=True):
        small = _small_epochs(recipe, settings, epochs_before)
        stepping = steps * (small * own.small_step + (settings.epochs - small) * own.step)
        validating = settings.epochs * n["val"] * own.validation
        features = own.features * (own.draws * n["train"] + n["val"])
        yield PhaseEstimate(
            train=own.train,
            epochs=settings.epochs,
            step=own.step,
            seconds=stepping + validating + features,
        )
        epochs_before += settings.epochs


def _small_epochs(recipe: Recipe, settings: PhaseSettings, before: int) -> int:
    if recipe.augment.early_scale == 1:
        return 0
    return max(0, min(recipe.augment.early_epochs - before, settings.epochs))


def _is_kept(
    recipe: Recipe,
    images: ImageSet,
    part: str,
    numbers: NDArray[np.int64],
    cache: CacheSettings | None,
) -> bool:
    margin = recipe.margin_of(part)
    return are_kept(images, numbers, recipe.input, margin=margin, settings=cache)


def _memory(
    recipe: Recipe,
    images: ImageSet,
    pace: RunTimings,
    parts: Mapping[str, NDArray[np.int64]],
    device: torch.device,
) -> float:
    """What was held at most while measuring, and the pixels that were not read then."""
    held = float(peak_memory(device))
    if device.type == "cuda":
        return held
    read = 0
    for part, numbers in parts.items():
        margin = recipe.margin_of(part)
        margin = margin_in_force(margin, images, numbers, recipe.input)
        read += len(numbers) * math.prod(kept_shape(recipe.input, margin)) * recipe.input.channels
    return max(0.0, read - pace.pixels_bytes) + held


def _short(value: Any) -> Any:
    return float(f"{value:.4g}") if isinstance(value, float) else value
