"""A run that is no better than guessing says so, with the likely reason."""

from typing import Any

import numpy as np
import pytest

from convlens.core.reporter import Quiet
from convlens.data import ImageSet, open_source
from convlens.evaluation import measure
from convlens.recipe import resolve_defaults
from convlens.runs.weak_result import weak_result


@pytest.fixture(scope="module")
def images() -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 8, 8, 1), np.uint8)
    return open_source((pixels, np.arange(200) % 2), seed=0, reporter=Quiet())


def explained(
    images: ImageSet,
    *,
    labels: Any,
    right: int,
    train_accuracy: float = 0.99,
    step: int = 1000,
    model: dict[str, Any] | None = None,
) -> dict[str, str] | None:
    labels = np.asarray(labels)
    predicted = np.where(np.arange(len(labels)) < right, labels, 1 - labels)
    figures = measure(np.eye(2)[predicted], labels, classes=("ant", "bee")).as_json()
    recipe, _ = resolve_defaults({"source": "arrays", "model": model or {}}, images)
    history = [{"train_accuracy": train_accuracy, "step": step, "epoch": 2}]
    return weak_result({"test": figures, "val": None}, history, recipe, images)


def test_a_better_result_is_not_weak(images: ImageSet) -> None:
    assert explained(images, labels=[0, 1] * 50, right=80) is None
    assert explained(images, labels=[0] * 50, right=10) is None  # one class: nothing to compare
    assert weak_result({"test": None, "val": None}, [], *_recipe(images)) is None


def _recipe(images: ImageSet) -> Any:
    return resolve_defaults({"source": "arrays"}, images)[0], images


@pytest.mark.parametrize(
    ("facts", "reason", "remedy"),
    [
        (
            {"right": 90, "labels": [0] * 90 + [1] * 10},
            "90.0 % of the images are 'ant'",
            "sampling=balanced",
        ),
        (
            {"right": 55, "labels": [0, 1] * 50, "train_accuracy": 0.6, "step": 20},
            "training ended after 20 steps, with 60.0 % of its training images right",
            "--epochs 20 or more",
        ),
        (
            {"right": 55, "labels": [0, 1] * 50, "train_accuracy": 0.6, "step": 2000},
            "did not learn: after 2,000 steps",
            "check the labels",
        ),
        (
            {"right": 7, "labels": [0, 1] * 5},
            "10 images are too few to tell",
            "measure more images",
        ),
        (
            {"right": 50, "labels": [0, 1] * 50},
            "learned 99.0 % of its 140 training images by heart",
            "--pretrained",
        ),
    ],
)
def test_the_likely_reason(
    images: ImageSet, facts: dict[str, Any], reason: str, remedy: str
) -> None:
    found = explained(images, **facts)
    assert found is not None
    assert "No better than guessing" in found["warning"]
    assert reason in found["reason"]
    assert remedy in found["remedy"]


def test_loaded_weights_are_not_advised_twice(images: ImageSet) -> None:
    model = {"name": "resnet18", "pretrained": True}
    found = explained(images, labels=[0, 1] * 50, right=50, model=model)
    assert found is not None
    assert found["remedy"] == "add images"
