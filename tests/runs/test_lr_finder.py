"""Learning rates, tried on what a run would begin with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convlens.api import train, visualize_lr
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.reporter import Quiet
from convlens.core.settings import apply_setting
from convlens.data import CacheSettings, open_source
from convlens.recipe import resolve_defaults
from convlens.runs import rate_setting, try_rates
from convlens.training import RateFinderSettings

LAYERS = "conv 6 3 same relu, batchnorm, maxpool 2, globalavgpool, dropout 0.3, dense"
OFF_DISK = CacheSettings(enabled=False)
CPU = torch.device("cpu")
Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def arrays() -> Arrays:
    """Two classes: a bright upper half, or a bright lower one."""
    draws = np.random.default_rng(0)
    labels = np.arange(80) % 2
    pixels = draws.integers(0, 120, (80, 12, 12, 3), np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[6 * label : 6 * label + 6] += 100
    return pixels, labels


@pytest.mark.parametrize("augment", ["none", "light"])
def test_it_begins_as_the_run_would(tmp_path: Path, arrays: Arrays, augment: str) -> None:
    whole = ("training.batch_size=200", "training.loss.label_smoothing=0.1")
    asked: dict[str, Any] = {"layers": LAYERS, "seed": 3, "quiet": True}
    run = train(arrays, epochs=1, augment=augment, settings=whole, out=tmp_path / "run", **asked)
    policy = f"augment.policy={augment}"
    found = visualize_lr(arrays, settings=[*whole, policy], **asked)
    assert found.curve.losses[0] == pytest.approx(run.history[0]["train_loss"], rel=1e-5)


@pytest.mark.parametrize("learning", ["all", "head", "last 1"])
def test_what_the_first_phase_trains_is_what_is_tried(arrays: Arrays, learning: str) -> None:
    found = visualize_lr(
        arrays,
        layers=LAYERS,
        settings=[f'training.phases=[{{train="{learning}"}}, {{train="all"}}]'],
        quiet=True,
    )
    assert found.suggestion is not None
    assert found.recipe.training.plan[0].train == learning
    assert min(found.curve.losses) < found.curve.losses[0]


def test_same_seed_same_curve(arrays: Arrays) -> None:
    images = open_source(arrays, reporter=Quiet())
    recipe, _ = resolve_defaults({"source": "arrays", "model": {"layers": LAYERS}}, images)
    settings = RateFinderSettings(steps=12)
    how: dict[str, Any] = {"device": CPU, "reporter": Quiet(), "cache": OFF_DISK}
    first = try_rates(recipe, images, settings=settings, **how)
    assert first == try_rates(recipe, images, settings=settings, **how)
    assert len(first.rates) == 12
    other = recipe.model_copy(update={"seed": 1})
    assert first.losses != try_rates(other, images, settings=settings, **how).losses


def test_the_setting_gives_train_the_rate(arrays: Arrays) -> None:
    found = visualize_lr(arrays, layers=LAYERS, quiet=True)
    assert found.setting is not None
    again = visualize_lr(arrays, layers=LAYERS, settings=[found.setting], quiet=True)
    assert again.recipe.training.plan[0].optimizer.learning_rate == found.suggestion
    assert again.suggestion == found.suggestion  # what was asked for has no say in it


@pytest.mark.parametrize(
    "phases",
    [[], [{"train": "head"}], [{"train": "head", "optimizer": {"name": "sgd"}}, {"train": "all"}]],
)
def test_the_setting_reaches_the_first_phase(arrays: Arrays, phases: list[dict[str, Any]]) -> None:
    asked: dict[str, Any] = {"training": {"phases": phases}, "model": {"layers": LAYERS}}
    setting = rate_setting(asked, 0.0123)
    assert setting == "training.optimizer.learning_rate=0.012"
    images = open_source(arrays, reporter=Quiet())
    recipe, _ = resolve_defaults({**apply_setting(asked, setting), "source": "arrays"}, images)
    assert recipe.training.plan[0].optimizer.learning_rate == 0.012


@pytest.mark.parametrize("place", [0, 1])
def test_rates_that_phases_state_are_not_to_be_overridden(place: int) -> None:
    phases: list[dict[str, Any]] = [{"train": "head"}, {"train": "all"}]
    phases[place]["optimizer"] = {"learning_rate": 0.1}
    assert rate_setting({"training": {"phases": phases}}, 0.0123) is None


def test_a_class_without_a_training_image_is_an_error(arrays: Arrays) -> None:
    images = open_source(arrays, reporter=Quiet())
    recipe, _ = resolve_defaults({"source": "arrays", "model": {"layers": LAYERS}}, images)
    one = images.splits["train"][images.labels[images.splits["train"]] == 0]
    images.splits["train"] = one  # type: ignore[index]
    with pytest.raises(ConvlensError, match="no readable training image of: 1"):
        try_rates(recipe, images, device=CPU, reporter=Quiet(), cache=OFF_DISK)


def test_a_loss_that_is_no_number_at_once_is_told(tmp_path: Path, arrays: Arrays) -> None:
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "def make(classes):\n"
        "    last = nn.Linear(432, classes)\n"
        "    nn.init.constant_(last.weight, float('nan'))\n"
        "    return nn.Sequential(nn.Flatten(), last)\n"
    )
    with pytest.raises(WorkFailedError, match="no finite number before the first step"):
        visualize_lr(arrays, model=f"{tmp_path / 'net.py'}:make", quiet=True)
