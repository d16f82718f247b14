"""Short runs: the learning rate that they get, and what they reach."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convlens
from convlens.core.reporter import Quiet
from convlens.data import ImageSet, open_source
from convlens.recipe import resolve_defaults
from convlens.recipe.defaults import SHORT_RUN_RATE
from convlens.training import OptimizerSettings


def arrays(n: int, side: int = 32) -> ImageSet:
    pixels = np.zeros((n, side, side, 3), np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 1, 0] = np.arange(n) % 256, np.arange(n) // 256
    return open_source((pixels, np.arange(n) % 2), reporter=Quiet())


def rate(training: dict[str, Any], model: dict[str, Any] | None = None, n: int = 1000) -> float:
    asked = {"source": "arrays", "training": training, "model": model or {}}
    return resolve_defaults(asked, arrays(n))[0].training.optimizer.learning_rate


def test_few_steps_learn_at_a_higher_rate_and_it_is_told() -> None:
    asked = {"source": "arrays", "training": {"epochs": 3}}
    recipe, reasons = resolve_defaults(asked, arrays(1000))
    assert recipe.training.optimizer.learning_rate == SHORT_RUN_RATE
    assert "0.005: the run has only 33 steps" in reasons["training.optimizer.learning_rate"]


@pytest.mark.parametrize(
    ("training", "model"),
    [
        ({}, {}),  # 600 steps
        ({"epochs": 3, "optimizer": {"learning_rate": 0.002}}, {}),
        ({"epochs": 3, "budget_seconds": 60.0}, {}),
        ({"epochs": 3}, {"name": "standard_no_bn"}),
        ({"epochs": 3}, {"name": "vgg11"}),
    ],
)
def test_otherwise_the_rate_stays(training: dict[str, Any], model: dict[str, Any]) -> None:
    assert rate(training, model) == 2e-3


def test_another_optimizer_keeps_its_own_rate() -> None:
    own = OptimizerSettings.model_validate({"name": "sgd"}).learning_rate
    assert rate({"epochs": 3, "optimizer": {"name": "sgd"}}) == own


def test_a_wrong_network_is_left_to_those_who_explain_it() -> None:
    layers = ["conv 8 3", "maxpool 64", "flatten", "dense"]
    assert rate({"epochs": 1}, {"layers": layers}) == 2e-3


@pytest.mark.parametrize("name", ["standard", "resnet18", "resnet50", "mobilenet_v2", "vgg11_bn"])
def test_networks_with_batch_normalization_are_known_without_their_weights(name: str) -> None:
    assert rate({"epochs": 3}, {"name": name}) == SHORT_RUN_RATE


def digits_after(epochs: int, seed: int, folder: Path) -> tuple[float, list[dict[str, Any]]]:
    """Test accuracy and history of digits with default options."""
    run = convlens.train("digits", epochs=epochs, seed=seed, out=folder / "run", quiet=True)
    return run.metrics["test"]["accuracy"], run.history


@pytest.mark.parametrize("seed", [0, 2])
def test_three_epochs_of_digits_reach_85_percent(seed: int, tmp_path: Path) -> None:
    accuracy, history = digits_after(3, seed, tmp_path)
    assert accuracy >= 0.85
    assert_validation_keeps_up(history)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_short_runs_of_digits_with_ten_seeds(seed: int, tmp_path: Path) -> None:
    for epochs, least in ((1, 0.5), (2, 0.7), (3, 0.85)):
        accuracy, history = digits_after(epochs, seed, tmp_path / str(epochs))
        assert accuracy >= least
        assert_validation_keeps_up(history)


def assert_validation_keeps_up(history: list[dict[str, Any]]) -> None:
    """120 validation images of ten classes: two standard errors are 9 %.

    Training images are augmented, dropout is on and weights are those of the epoch so far, all of
    which make them harder; so nothing else explains a validation accuracy below them.
    """
    for record in history:
        assert record["val_accuracy"] > record["train_accuracy"] - 0.09
