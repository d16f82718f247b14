import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.core.settings import apply_setting, settings_in_text
from convlens.data import DataSettings, ImageSet, open_source
from convlens.recipe import Recipe, resolve_defaults

MakeSet = Callable[..., ImageSet]


def arrays(n: int, side: int, channels: int = 3) -> ImageSet:
    images = np.zeros((n, side, side, channels), np.uint8)
    images[:, 0, 0, 0] = np.arange(n) % 256
    images[:, 0, 1, 0] = np.arange(n) // 256
    return open_source((images, np.arange(n) % 2), reporter=Quiet())


def folder(path: Path, sizes: list[tuple[int, int]], mode: str = "RGB") -> ImageSet:
    for name in ("cat", "dog"):
        (path / name).mkdir(parents=True)
        for i, size in enumerate(sizes * 6):
            Image.new(
                mode, size, (i * 7) % 256 if mode == "L" else (i, len(name), ord(name[0]))
            ).save(path / name / f"{i}.png")
    return open_source(path, reporter=Quiet())


ASKED: dict[str, Any] = {"source": "here"}


def test_small_arrays_keep_their_size_and_get_a_small_network() -> None:
    recipe, reasons = resolve_defaults(ASKED, arrays(200, 28, 1))
    assert recipe.input.shape == (1, 28, 28)
    assert recipe.model.name == "standard"
    assert recipe.model.head == "published"
    assert any("28×28×1" in reason for reason in reasons.values())


def test_large_images_are_brought_down_and_get_a_residual_network(tmp_path: Path) -> None:
    recipe, reasons = resolve_defaults(ASKED, folder(tmp_path / "p", [(300, 200), (640, 480)]))
    assert recipe.input.shape == (3, 128, 128)
    assert recipe.model.name == "resnet18"
    assert recipe.model.head == "globalavgpool, dense"
    assert recipe.augment.crops
    assert any("resnet18" in reason for reason in reasons.values())


def test_small_files_of_one_size_keep_it_and_gray_stays_gray(tmp_path: Path) -> None:
    recipe, _ = resolve_defaults(ASKED, folder(tmp_path / "p", [(40, 24)], mode="L"))
    assert recipe.input.shape == (1, 24, 40)


def test_small_files_of_several_sizes_are_treated_as_photographs(tmp_path: Path) -> None:
    recipe, _ = resolve_defaults(ASKED, folder(tmp_path / "p", [(40, 24), (24, 40)]))
    assert recipe.input.shape == (3, 128, 128)


@pytest.mark.parametrize(
    ("n", "epochs", "batch_size"), [(30, 40, 8), (400, 40, 28), (40_000, 21, 64)]
)
def test_epochs_and_batch_follow_the_number_of_images(n: int, epochs: int, batch_size: int) -> None:
    recipe, _ = resolve_defaults(ASKED, arrays(n, 2))
    assert (recipe.training.epochs, recipe.training.batch_size) == (epochs, batch_size)


def test_what_is_asked_for_comes_first_and_is_not_explained() -> None:
    asked = {
        **ASKED,
        "seed": 4,
        "input": {"height": 96, "width": 64, "channels": 1},
        "model": {"name": "vgg11", "head": "globalavgpool, dense 32 relu, dense"},
        "augment": {"policy": "none"},
        "training": {"epochs": 3, "batch_size": 5},
    }
    recipe, reasons = resolve_defaults(asked, arrays(200, 28))
    assert recipe.input.shape == (1, 96, 64)
    assert recipe.model.head == "globalavgpool, dense 32 relu, dense"
    assert recipe.augment.margin == 0
    assert (recipe.seed, recipe.training.epochs, recipe.training.batch_size) == (4, 3, 5)
    assert reasons == {}


def test_a_policy_may_be_changed_in_part() -> None:
    asked = {**ASKED, "augment": {"policy": "light", "rotation_range": 15}}
    recipe, _ = resolve_defaults(asked, arrays(40, 16))
    assert recipe.augment.rotation_range == 15
    assert recipe.augment.pad_crop == 0.125


def test_digits_are_never_mirrored() -> None:
    recipe, reasons = resolve_defaults(ASKED, open_source("digits", reporter=Quiet()))
    assert not recipe.augment.horizontal_flip
    assert any("no horizontal flip" in reason for reason in reasons.values())


PRETRAINED: dict[str, Any] = {**ASKED, "model": {"name": "resnet18", "pretrained": True}}


def phases(asked: dict[str, Any], images: ImageSet) -> list[tuple[str, int, float]]:
    plan = resolve_defaults(asked, images)[0].training.plan
    return [(phase.train, phase.epochs, phase.optimizer.learning_rate) for phase in plan]


def test_loaded_weights_bring_their_normalization_and_two_phases() -> None:
    recipe, reasons = resolve_defaults(PRETRAINED, arrays(200, 28))
    assert recipe.input.mean == (0.485, 0.456, 0.406)
    assert phases(PRETRAINED, arrays(200, 28)) == [
        ("head", 10, 1e-3),
        ("last 3", 10, pytest.approx(1e-4)),
    ]
    assert [p.early_stopping and p.early_stopping.patience for p in recipe.training.plan] == [3, 3]
    assert any("the head alone at 0.001" in reason for reason in reasons.values())


def test_what_is_said_of_epochs_and_rate_holds_for_both_phases() -> None:
    said = {"training": {"epochs": 2, "optimizer": {"name": "sgd", "learning_rate": 0.1}}}
    found = phases({**PRETRAINED, **said}, arrays(200, 28))
    assert found == [("head", 2, 0.1), ("last 3", 2, pytest.approx(0.01))]
    recipe, _ = resolve_defaults({**PRETRAINED, **said}, arrays(200, 28))
    assert {phase.optimizer.name for phase in recipe.training.plan} == {"sgd"}
    assert {phase.early_stopping for phase in recipe.training.plan} == {None}, "2 epochs are few"


@pytest.mark.parametrize(("epochs", "patience"), [(1, None), (3, None), (4, 3)])
def test_phases_are_stopped_early_where_they_are_long_enough(
    epochs: int, patience: int | None
) -> None:
    recipe, _ = resolve_defaults({**PRETRAINED, "training": {"epochs": epochs}}, arrays(200, 28))
    found = {
        phase.early_stopping and phase.early_stopping.patience for phase in recipe.training.plan
    }
    assert found == {patience}


def test_phases_that_are_asked_for_are_those_there_are() -> None:
    said = {"training": {"phases": [{"train": "stage:layer4"}], "epochs": 4}}
    assert phases({**PRETRAINED, **said}, arrays(200, 28)) == [("stage:layer4", 4, 2e-3)]


def test_nothing_is_stopped_early_where_there_is_nothing_to_validate_on() -> None:
    images = (np.random.default_rng(0).integers(0, 256, (40, 28, 28, 3), np.uint8), [0, 1] * 20)
    settings = DataSettings(val=0)
    recipe, _ = resolve_defaults(
        PRETRAINED, open_source(images, settings=settings, reporter=Quiet())
    )
    assert {phase.early_stopping for phase in recipe.training.plan} == {None}


def test_a_binary_loss_and_a_single_output_ask_for_each_other() -> None:
    for asked in ({"training": {"loss": {"name": "binary"}}}, {"model": {"binary_output": True}}):
        recipe, _ = resolve_defaults({**ASKED, **asked}, arrays(100, 28))
        assert recipe.model.binary_output
        assert recipe.training.loss.name == "binary"
    wrong = {"model": {"binary_output": True}, "training": {"loss": {"name": "focal"}}}
    with pytest.raises(ConvlensError, match="'binary' is for one output"):
        resolve_defaults({**ASKED, **wrong}, arrays(100, 28))


def test_a_network_of_the_users_own_is_remembered_by_its_whole_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe, _ = resolve_defaults({**ASKED, "model": {"name": "mine.py:build"}}, arrays(40, 16))
    assert recipe.model.name == f"{tmp_path}/mine.py:build"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"model": {"name": "resnet81"}}, "did you mean 'resnet18'"),
        ({"augment": {"policy": "lihgt"}}, "did you mean 'light'"),
        ({"training": {"epoch": 3}}, "did you mean 'epochs'"),
        ({"trainin": {}}, "did you mean 'training'"),
        ({"training": {"optimizer": {"learning_rate": -1}}}, "greater than 0"),
        ({"validation": {"augment": "light"}}, "unknown key 'validation'"),
    ],
)
def test_what_does_not_hold_is_told_in_words(asked: dict[str, Any], told: str) -> None:
    with pytest.raises(ConvlensError, match=told):
        resolve_defaults({**ASKED, **asked}, arrays(40, 16))


def test_a_budget_is_not_cut_short_by_rule() -> None:
    recipe, _ = resolve_defaults(
        {**PRETRAINED, "training": {"budget_seconds": 60.0}}, arrays(200, 28)
    )
    assert {phase.early_stopping for phase in recipe.training.plan} == {None}


def test_no_phases_at_all_train_loaded_weights_whole_and_gently() -> None:
    recipe, reasons = resolve_defaults({**PRETRAINED, "training": {"phases": []}}, arrays(200, 28))
    (phase,) = recipe.training.plan
    assert (phase.train, phase.optimizer.learning_rate) == ("all", 1e-4)
    assert "training.phases" not in reasons


def test_class_weights_by_name_are_checked_against_the_images() -> None:
    setting = "training.loss.class_weights={{{}}}"
    images = arrays(40, 16)
    every = ", ".join(f"{name} = {number + 1}" for number, name in enumerate(images.classes))
    asked = apply_setting(ASKED, setting.format(every))
    recipe, _ = resolve_defaults(asked, images)
    named = {name: float(number + 1) for number, name in enumerate(images.classes)}
    assert recipe.training.loss.class_weights == named
    again = Recipe.model_validate(tomllib.loads(recipe.to_toml()))
    assert again.training.loss == recipe.training.loss
    (as_python,) = settings_in_text({"training.loss.class_weights": named})
    assert resolve_defaults(apply_setting(ASKED, as_python), images)[0] == recipe
    with pytest.raises(ConvlensError, match=r"class_weights 'grün name'.*Known: "):
        resolve_defaults(apply_setting(ASKED, setting.format('"grün name" = 2')), images)
