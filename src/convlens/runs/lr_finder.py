"""Which learning rate suits a run: tried on its own network, images and augmentation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from convlens.core.device import placed
from convlens.core.errors import WorkFailedError
from convlens.core.reporter import Reporter
from convlens.data import CacheSettings, ImageSet
from convlens.recipe.recipe import Recipe
from convlens.runs.benchmark import first_phase
from convlens.runs.custom_trial import try_own_network
from convlens.runs.runner import fresh_classifier, pixels_of_parts
from convlens.training import RateCurve, RateFinderSettings, find_rate


@dataclass(frozen=True, kw_only=True)
class LrFinderResult:
    """What a trial of learning rates has found.

    Attributes:
        curve: what the loss did as the rate rose.
        recipe: the run that it was tried for; its own rate was not used.
        suggestion: a peak to train at, in two digits; None where the loss did not fall.
        setting: what to pass for it with ``--set``; None where there is no suggestion, or where
            phases state rates of their own: the trial speaks for the first phase alone.
    """

    curve: RateCurve
    recipe: Recipe
    suggestion: float | None
    setting: str | None


def try_rates(
    recipe: Recipe,
    images: ImageSet,
    *,
    device: torch.device,
    reporter: Reporter,
    cache: CacheSettings | None = None,
    settings: RateFinderSettings | None = None,
) -> RateCurve:
    """Take the first steps of a run's first phase at ever higher rates; no run is made.

    Args:
        recipe: the complete description of the run.
        images: the images of its source, split; the training images alone are read.
        device: where to train.
        reporter: whom to tell.
        cache: whether and where decoded pixels are kept; None for the defaults.
        settings: how the rate rises.

    Raises:
        ConvlensError: the images cannot be used, or the network not be had as asked.
        WorkFailedError: the loss is not finite before the first step.

    Example:
        >>> curve = try_rates(recipe, images, device=device, reporter=Quiet())  # doctest: +SKIP
        >>> curve.suggestion                                                    # doctest: +SKIP
        0.0027
    """
    cache = cache or CacheSettings()
    pixels = pixels_of_parts(recipe, images, cache, reporter, parts=("train",))
    classifier = fresh_classifier(recipe, images, pixels, reporter)
    try_own_network(classifier, recipe, samples=len(pixels["train"]), device=device)
    classifier = placed(classifier, device)
    state, train, terms = first_phase(
        recipe, images, pixels, classifier, cache=cache, reporter=reporter
    )
    curve = find_rate(state, train, terms, settings=settings, reporter=reporter)
    if not curve.rates:
        raise WorkFailedError(
            "the loss is no finite number before the first step, so that no learning rate helps; "
            "look at the network's weights and at what it computes",
            code="loss-not-finite",
        )
    return curve


def rate_setting(asked: Mapping[str, Any], rate: float) -> str | None:
    """The ``part.key=value`` that gives a run this rate in its first phase.

    Args:
        asked: what the user has said of the run, as `convlens.recipe.resolve_defaults` takes it.
        rate: written in two digits.

    Returns:
        None where a phase that was asked for states a rate: a setting is not for one phase alone.

    Example:
        >>> rate_setting({}, 0.0026)
        'training.optimizer.learning_rate=0.0026'
    """
    phases = asked.get("training", {}).get("phases", ())
    if any("learning_rate" in phase.get("optimizer", {}) for phase in phases):
        return None
    return f"training.optimizer.learning_rate={rate:.2g}"
