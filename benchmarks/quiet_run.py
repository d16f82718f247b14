"""A run that a benchmark asks for, without checks, report or words."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convlens.core.device import choose_device
from convlens.core.reporter import Quiet
from convlens.core.settings import validated
from convlens.data import CacheSettings, DataSettings, open_source
from convlens.recipe import resolve_defaults
from convlens.runs import Run, run_training


def quiet_run(
    asked: Mapping[str, Any],
    folder: Path,
    *,
    device: str = "cpu",
    cache: CacheSettings | None = None,
) -> Run:
    """Train, measure and bundle.

    Args:
        asked: a recipe with its source, seed and ``[data]``; the rest is chosen by rule.
        folder: the run's.
        device: where to train.
        cache: where decoded pixels are kept; None for the defaults.
    """
    settings = validated(DataSettings, asked["data"], what="[data]")
    images = open_source(asked["source"], seed=asked["seed"], settings=settings, reporter=Quiet())
    recipe, _ = resolve_defaults(asked, images)
    where = choose_device(device)
    return run_training(recipe, images, folder, device=where, reporter=Quiet(), cache=cache)
