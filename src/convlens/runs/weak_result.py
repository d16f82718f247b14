"""A result that is no better than guessing, and its likely reason."""

from collections.abc import Mapping, Sequence
from typing import Any

from convlens.core.formatting import percent, pluralize
from convlens.data import ImageSet
from convlens.recipe.defaults import PRETRAINED
from convlens.recipe.recipe import Recipe

FEW_STEPS = 200
"""Optimizer steps that no network has learned much in: ten epochs of 1,280 images."""


_MOSTLY_ONE_CLASS = 0.8
_FEW_MEASURED = 100


def weak_result(
    metrics: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    recipe: Recipe,
    images: ImageSet,
) -> dict[str, str] | None:
    """Explain a run whose accuracy is not above that of always naming the commonest class.

    Args:
        metrics: with the figures of ``"test"``, or else of ``"val"``.
        history: one record an epoch.
        recipe: of the run.
        images: of the run.

    Returns:
        ``"warning"``, ``"reason"`` and ``"remedy"``, a sentence each; None where the result is
        better, or nothing was measured.
    """
    figures = metrics.get("test") or metrics.get("val")
    if not figures or figures["majority"]["beaten"] is not False:
        return None
    reason, remedy = _likely_reason(figures, history[-1], recipe, images)
    share, name = percent(figures["majority"]["share"]), figures["majority"]["name"]
    return {
        "warning": f"No better than guessing: always answering '{name}', the commonest class, "
        f"would be right for {share}.",
        "reason": reason,
        "remedy": remedy,
    }


def _likely_reason(
    figures: Mapping[str, Any], last: Mapping[str, Any], recipe: Recipe, images: ImageSet
) -> tuple[str, str]:
    share, name = figures["majority"]["share"], figures["majority"]["name"]
    learned, steps = last["train_accuracy"], last["step"]
    if share >= _MOSTLY_ONE_CLASS:
        reason = f"{percent(share)} of the images are '{name}', so that accuracy says little"
        remedy = "look at the recall of each class, and train with --set training.sampling=balanced"
        return reason, remedy
    if learned < (1 + share) / 2:
        of_training = f"{percent(learned)} of its training images right"
        if steps < FEW_STEPS:
            return (
                f"training ended after {pluralize(steps, 'step')}, with {of_training}",
                f"train longer: --epochs {_epochs_for(FEW_STEPS, steps, last['epoch'])} or more",
            )
        reason = f"the network did not learn: after {steps:,} steps it has {of_training}"
        remedy = "check the labels (convlens check), then try another learning rate"
        return reason, remedy
    if figures["n"] < _FEW_MEASURED and figures["accuracy"] > share:
        return (
            f"{pluralize(figures['n'])} are too few to tell",
            "measure more images: --set data.test=0.3, or evaluate on others",
        )
    shown = pluralize(len(images.splits["train"]), "training image")
    start = "" if recipe.model.loads_weights else ", or start from ImageNet weights: " + PRETRAINED
    reason = f"the network learned {percent(learned)} of its {shown} by heart, not the classes"
    return reason, f"add images{start}"


def _epochs_for(steps: int, taken: int, epochs: int) -> int:
    """Epochs that so many steps fill."""
    return -(-steps * epochs // max(1, taken))
