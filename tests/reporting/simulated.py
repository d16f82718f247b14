"""Facts of runs that never were, as large and as strange as wanted."""

from dataclasses import replace
from typing import Any

import numpy as np

from convlens.core.input_spec import InputSpec
from convlens.evaluation import measure
from convlens.inspection import trace
from convlens.models import ModelSpec, build
from convlens.recipe import Recipe
from convlens.reporting import Answer, Facts, Gallery, Sheet
from convlens.reporting.pictures import encode

_ESTIMATE = {"seconds": 9.5, "training_seconds": 9.5, "at_most": True, "memory_mb": 1100}
NASTY = '<script>alert("x")</script> & \' שלום Ωμέγα'


def figures(classes: tuple[str, ...], n: int, *, seed: int = 0, skill: float = 3.0) -> Any:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(classes), n)
    logits = rng.normal(size=(n, len(classes)))
    logits[np.arange(n), labels] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return measure(probabilities, labels, classes=classes, resamples=100).as_json()


def history(epochs: int, phases: tuple[str, ...] = ("all",)) -> list[dict[str, Any]]:
    return [
        {
            "phase": phases[(epoch - 1) * len(phases) // epochs],
            "epoch": epoch,
            "step": epoch * 10,
            "seconds": 1.0,
            "learning_rate": 1e-3 / epoch,
            "train_loss": 2 / epoch,
            "train_accuracy": 1 - 0.9 / epoch,
            "val_loss": 2.2 / epoch,
            "val_accuracy": 1 - 0.95 / epoch,
            "images_per_second": 100.0,
        }
        for epoch in range(1, epochs + 1)
    ]


def answer(name: str, true: str, predicted: str, side: int = 32) -> Answer:
    image = np.random.default_rng(len(name)).integers(0, 256, (side, side, 3), np.uint8)
    large = image.repeat(max(1, 360 // side), 0).repeat(max(1, 360 // side), 1)
    return Answer(
        name=name,
        true=true,
        predicted=predicted,
        probability=0.987,
        true_probability=0.004,
        image=encode(image),
        overlay=encode(large),
    )


def facts(
    classes: tuple[str, ...] = ("cat", "dog", "owl"),
    *,
    n: int = 300,
    side: int = 32,
    skill: float = 3.0,
    pictures: bool = True,
) -> Facts:
    spec = InputSpec(height=side, width=side)
    model = ModelSpec(name="simple")
    counts = {split: dict.fromkeys(classes, 7) for split in ("train", "val", "test")}
    own = figures(classes, n, skill=skill)
    wrong = tuple(answer(f"{k}/{classes[0]}.jpg", classes[0], classes[1], side) for k in range(12))
    right = tuple(answer(f"{k}.jpg", classes[1], classes[1], side) for k in range(12))
    mistakes = n - round(own["accuracy"] * n)
    return Facts(
        folder="runs/a run",
        recipe=Recipe(source="/somewhere/animals", input=spec, model=model),
        classes=classes,
        environment={
            "convlens": "0.1.0",
            "machine": {"processor": "a processor", "torch": "2.13.0", "threads": 2},
            "libraries": {"numpy": "2.4.0", "pillow": "12.0.1"},
            "data": {
                "name": "animals",
                "fingerprint": "0123abcd",
                "images": counts,
                "notes": ["a note"],
                "skipped": [],
            },
        },
        history=history(8),
        metrics={
            "model": "simple",
            "seconds": 8.0,
            "peak_memory_mb": 1205,
            "images_per_second": 100.0,
            "epochs": 8,
            "best_epoch": 6,
            "val": figures(classes, n, seed=1, skill=skill),
            "test": own,
        },
        provenance={"made": "2026-11-22T10:15:00+00:00"},
        network=trace(build(model, spec, classes=len(classes)), spec.shape),
        gallery=Gallery(worst=wrong, unsure=right, mistakes=max(mistakes, 12), n=n, layer="block3")
        if pictures
        else None,
        sheet=Sheet(
            name="a.jpg",
            original=wrong[0].image,
            epochs=tuple(right[k].image for k in range(9)),
            words=("turned 3° left",) * 9,
        )
        if pictures
        else None,
    )


def with_everything(made: Facts) -> Facts:
    """The same with a calibration, a rule for saying "not sure" and findings, two phases."""
    rng = np.random.default_rng(5)
    own = made.metrics["test"]
    names = (
        "n",
        "log_loss",
        "brier",
        "calibration_error",
        "calibration_error_interval",
        "reliability",
    )
    after = {name: own.get(name) for name in names}
    before = after | {"calibration_error": own["calibration_error"] + 0.05}
    selective = {
        "asked": {"coverage": 0.95},
        "reason": None,
        "rule": {"coverage": 0.95, "candidate_from": 0.1, "n": 100},
        "promise": "the classes named hold the true one for at least 95 % of images on average",
        "figures": {
            "n": own["n"],
            "coverage": 0.96,
            "coverage_interval": [0.93, 0.98],
            "answered": 0.83,
            "answered_interval": [0.79, 0.87],
            "error_rate": 0.02,
            "error_rate_interval": [0.01, 0.05],
            "candidates": 2.4,
        },
    }
    calibration = {
        "measured_on": "test",
        "temperature": 1.37,
        "images": 120,
        "n": own["n"],
        "before": before,
        "after": after,
    }
    findings = [
        {
            "code": "near-duplicates",
            "severity": "warning",
            "message": "7 test images look like training images",
            "evidence": {
                "images": {"test": 7},
                "count": 7,
                "distance": 0.125,
                "matrix": [[1, 2], [3, 4]] * 9,
            },
            "files": [f"test/cat/{k}.jpg" for k in rng.permutation(9)],
            "remedy": "pass --fix",
            "allowed": False,
        },
        {
            "code": "two-labels",
            "severity": "error",
            "message": "2 images have two labels",
            "evidence": {},
            "files": [],
            "remedy": "remove one",
            "allowed": True,
        },
    ]
    return replace(
        made,
        history=history(12, ("head", "last 3")),
        metrics={**made.metrics, "calibration": calibration, "selective": selective},
        preflight={"findings": findings, "estimate": _ESTIMATE},
    )
