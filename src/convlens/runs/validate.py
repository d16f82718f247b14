"""What no phase of a run could do: refused before an epoch is spent on the first."""

import torch

from convlens.core.errors import ConvlensError
from convlens.runs.job import TrainingJob
from convlens.training import freeze


def validate_phases(run: TrainingJob) -> None:
    """Refuse what a later phase could not do, before an epoch is spent on the first.

    Raises:
        ConvlensError: a phase has nothing to train or to watch, keeps what cannot be kept, or the
            network takes images of one size alone.
    """
    settings = run.recipe.training
    for phase in settings.plan:
        run.feature_choice(freeze(run.classifier, phase.train).stages)
        for steering in (phase.early_stopping, phase.reduce_on_plateau):
            if steering is not None:
                _require_measured(run, steering.monitor)
    if settings.keep == "best" and not len(run.pixels["val"]):
        run.reporter.say("no validation images: the last epoch's weights are kept")
    validate_small_images(run)


def validate_small_images(run: TrainingJob) -> None:
    """Refuse smaller images in the first epochs where the network takes one size alone.

    Raises:
        ConvlensError: it does.
    """
    augment, (channels, height, width) = run.recipe.augment, run.recipe.input.shape
    sides = augment.side(height, 0), augment.side(width, 0)
    if sides == (height, width):
        return
    device = next(run.classifier.parameters()).device
    try:
        with torch.inference_mode():
            run.classifier.eval()(torch.zeros(1, channels, *sides, device=device))
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


def _require_measured(run: TrainingJob, monitor: str) -> None:
    if monitor.startswith("val_") and not len(run.pixels["val"]):
        raise ConvlensError(
            f"{monitor} is to be watched, but there are no validation images to measure it on",
            remedy="give some (--set data.val=0.1), or watch the training images' "
            f"{monitor.replace('val', 'train')}",
            code="not-measured",
        )
