"""What a finding proposes answers it: each option of its remedy is applied, and it is gone."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.preflight.scenes import scene, source

from convlens.core.reporter import Quiet
from convlens.core.settings import apply_setting, merge, validated
from convlens.data import DataSettings, Source, open_source
from convlens.preflight import (
    CODES,
    Finding,
    check_data,
    check_recipe,
    look_for_faults,
    network_findings,
    plan_of,
)
from convlens.recipe import resolve_defaults

Arrays = tuple[np.ndarray, np.ndarray]
NORMALISED = {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
OPTION = re.compile(r'--(set|size|head|epochs) ("[^"]*"|[^\s;]+)')


def noise(
    n: int = 200, side: int = 32, channels: int = 3, *, names: tuple[str, ...] = ("cat", "dog")
) -> Arrays:
    pixels = np.random.default_rng(0).integers(0, 256, (n, side, side, channels), dtype=np.uint8)
    return pixels, np.array(names)[np.arange(n) % len(names)]


def few_of_a_class() -> Arrays:
    pixels, labels = noise()
    labels[: len(labels) - 12] = "cat"
    return pixels, labels


def some_gray() -> Arrays:
    pixels, labels = noise()
    pixels[::5] = pixels[::5, :, :, :1]
    return pixels, labels


def files_in_color(folder: Path) -> Path:
    return source(folder / "photos")


def files_some_gray(folder: Path) -> Path:
    photos = source(folder / "photos")
    scene(0).convert("L").save(photos / "train" / "daisy" / "000.png")
    return photos


def table_of(folder: Path, column: str, cells: list[str]) -> Path:
    """Sixty files in three classes, the last of which is called nan, with one more column."""
    rows = [f"image,label,{column}"]
    for number, cell in enumerate(cells):
        scene(number).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{('daisy', 'rose', 'nan')[number % 3]},{cell}")
    (folder / "plants.csv").write_text("\n".join(rows))
    return folder / "plants.csv"


def files_without_labels(folder: Path) -> Path:
    return table_of(folder, "camera", ["x"] * 60)


def files_in_folds(folder: Path) -> Path:
    return table_of(folder, "fold", [str(number % 20) for number in range(60)])


def found_in(asked: dict[str, Any], given: Source) -> dict[str, Finding]:
    settings = validated(DataSettings, asked.get("data", {}), what="[data]")
    images = open_source(given, settings=settings, reporter=Quiet())
    recipe, _ = resolve_defaults({"source": "here", **asked}, images)
    data = check_data(look_for_faults(images, Quiet(), recipe=recipe))
    return {own.code: own for own in (*data, *check_recipe(plan_of(recipe, images)))}


def ways(remedy: str) -> list[dict[str, Any]]:
    """What each of a remedy's alternatives asks for, where it has options."""
    return [asked_by(options) for part in remedy.split(" or ") if (options := OPTION.findall(part))]


def asked_by(options: list[tuple[str, str]]) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    for name, text in options:
        value = text.strip("\"',)")
        if name == "set":
            asked = apply_setting(asked, value)
        elif name == "size":
            asked = merge(asked, {"input": {"height": int(value), "width": int(value)}})
        elif name == "head":
            asked = merge(asked, {"model": {"head": value}})
        else:
            asked = merge(asked, {"training": {"epochs": int(value)}})
    return asked


VGG = {"name": "vgg11", "weights": "weights.safetensors"}
FAULTS: list[tuple[str, dict[str, Any], Callable[..., Any]]] = [
    ("imbalance", {}, few_of_a_class),
    ("labels-missing", {}, files_without_labels),
    ("split-unused", {}, files_in_folds),
    ("validation-small", {}, lambda: noise(18_000, 8, 1)),
    ("validation-small", {"data": {"test": 0.05}}, lambda: noise(18_000, 8, 1)),
    ("mixed-color", {}, some_gray),
    ("mixed-color", {"input": {"height": 64, "width": 64}}, files_some_gray),
    ("small-images", {"input": {"height": 64, "width": 64}}, lambda: noise(side=24)),
    ("channel-axis", {"input": {"channels": 1}}, noise),
    ("channel-axis", {"input": {"channels": 3}}, lambda: noise(channels=1)),
    ("channel-axis", {"input": {"height": 64, "width": 64, "channels": 1}}, files_in_color),
    (
        "fine-tuning-rate",
        {"model": VGG, "training": {"optimizer": {"learning_rate": 0.1}}},
        noise,
    ),
    (
        "fine-tuning-rate",
        {
            "model": {"name": "lenet5", "weights": "weights.safetensors"},
            "training": {"optimizer": {"learning_rate": 0.1}},
        },
        lambda: noise(channels=1),
    ),
    (
        "flatten-head",
        {
            "model": {**VGG, "head": "flatten, dense 4096 relu, dense"},
            "input": {"height": 64, "width": 64},
        },
        lambda: noise(4000, 8),
    ),
    ("network-refuses", {"model": {"name": "alexnet"}}, noise),
    ("scaled-twice", {"input": {"mean": [123.7] * 3, "std": [58.4] * 3}}, noise),
    ("not-scaled", {"input": {"std": [1 / 255] * 3}}, noise),
    (
        "backbone-normalization",
        {
            "model": {"name": "resnet18", "pretrained": True},
            "input": {"height": 64, "width": 64, "mean": [0.5] * 3},
        },
        noise,
    ),
    ("backbone-normalization", {"model": VGG, "input": {"std": [0.5] * 3}}, noise),
    ("tiny-batches", {"model": {"name": "resnet18"}, "training": {"batch_size": 4}}, noise),
    ("flip-changes-class", {"augment": {"horizontal_flip": True}}, lambda: noise(names=("2", "5"))),
    (
        "input-below-stride",
        {
            "model": {"name": "resnet18", "small_stem": False},
            "input": {"height": 16, "width": 16},
        },
        lambda: noise(side=48),
    ),
    ("memory", {"model": {"name": "resnet18"}, "training": {"batch_size": 64}}, noise),
    (
        "large-head",
        {"model": {"name": "vgg11", "head": "globalavgpool, dense 4096 relu, dense"}},
        noise,
    ),
    ("patience-too-long", {"training": {"epochs": 5, "early_stopping": {"patience": 5}}}, noise),
    ("patience-too-long", {"training": {"epochs": 1, "early_stopping": {"patience": 1}}}, noise),
    ("patience-too-long", {"training": {"epochs": 1, "reduce_on_plateau": {"patience": 4}}}, noise),
    (
        "patience-too-long",
        {
            "model": VGG,
            "training": {
                "early_stopping": {"patience": 9},
                "phases": [{"train": "head", "epochs": 9}, {"train": "last 1", "epochs": 2}],
            },
        },
        noise,
    ),
    ("batch-too-large", {"training": {"batch_size": 500}}, noise),
    (
        "batch-too-large",
        {"model": {"name": "resnet18"}, "training": {"batch_size": 64}},
        lambda: noise(40),
    ),
]


@pytest.mark.parametrize(
    ("code", "asked", "given"), FAULTS, ids=[f"{n}-{fault[0]}" for n, fault in enumerate(FAULTS)]
)
def test_what_a_remedy_proposes_answers_the_finding(
    code: str,
    asked: dict[str, Any],
    given: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if code == "memory":
        monkeypatch.setattr(network_findings, "available_memory", lambda: 400_000_000)
    shown = given(tmp_path) if given.__name__.startswith("files") else given()
    before = found_in(asked, shown)
    remedy = before[code].remedy
    assert ways(remedy), remedy
    for way in ways(remedy):
        after = found_in(merge(asked, way), shown)
        assert code not in after, (remedy, way)
        fresh = {own.code for own in after.values() if own.severity != "note"} - before.keys()
        assert not fresh, (remedy, way)


def test_every_code_that_proposes_an_option_is_among_them() -> None:
    proposing = {code for code, own in CODES.items() if re.search(r"--(set|size|head)", own.remedy)}
    assert {code for code, *_ in FAULTS} == proposing
