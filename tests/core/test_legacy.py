"""Names of version 0.1: accepted, with a warning that names the new one."""

from pathlib import Path
from typing import Any

import pytest

import convlens
from convlens.api.options import build_config, model_options
from convlens.cli.main import main
from convlens.core.legacy import RECIPE_KEYS, renamed_arguments, upgrade_keys, upgrade_words

NO_MODEL: dict[str, Any] = model_options(model=None, layers=None, pretrained=False, weights=None)
OLD = """
[training]
clip_norm = 1.0
optimiser = { name = "muon", normalise_kernels = true, orthogonalisation_steps = 4 }
reduce_on_plateau = { min_rate = 1e-5 }
average = { decay = 0.9 }
phases = [{ train = "head", optimiser = { learning_rate = 0.01 } }]
[augment]
grey = 0.1
[model]
one_output = true
[abstaining]
coverage = 0.9
"""
NEW = {
    "training": {
        "grad_clip_norm": 1.0,
        "optimizer": {
            "name": "muon",
            "normalize_kernels": True,
            "orthogonalization_steps": 4,
        },
        "reduce_on_plateau": {"min_lr": 1e-5},
        "ema": {"decay": 0.9},
        "phases": [{"train": "head", "optimizer": {"learning_rate": 0.01}}],
    },
    "augment": {"gray": 0.1},
    "model": {"binary_output": True},
    "selective": {"coverage": 0.9},
}


def config(recipe: Path | None = None, settings: Any = ()) -> dict[str, Any]:
    return build_config(
        recipe, model=NO_MODEL, augment=None, epochs=None, size=None, seed=None, settings=settings
    )


def test_a_recipe_with_old_keys_means_what_it_meant(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text(OLD, "utf-8")
    with pytest.warns(FutureWarning) as caught:
        assert config(tmp_path / "old.toml") == NEW
    said = " ".join(str(one.message) for one in caught)
    for old, new in RECIPE_KEYS.items():
        name = old.rpartition(".")[2]
        if f"'{old}'" in said:
            assert f"{new}'" in said, name
    assert "'training.optimiser' is now 'training.optimizer'" in said
    assert "'abstaining' is now 'selective'" in said


def test_a_setting_with_an_old_key_overrides_the_new_one_of_a_recipe(tmp_path: Path) -> None:
    (tmp_path / "new.toml").write_text("[training.optimizer]\nlearning_rate = 0.1\n", "utf-8")
    with pytest.warns(FutureWarning, match=r"training\.optimizer"):
        found = config(tmp_path / "new.toml", ["training.optimiser.learning_rate=0.2"])
    assert found["training"] == {"optimizer": {"learning_rate": 0.2}}


def test_a_class_named_like_an_old_key_keeps_its_name() -> None:
    weights = {"training": {"loss": {"class_weights": {"grey": 2, "optimiser": 1}}}}
    assert upgrade_keys(weights, RECIPE_KEYS, warn=True) == weights


@pytest.mark.parametrize(
    ("words", "upgraded"),
    [
        (["look", "filters", "simple"], ["visualize", "filters", "simple"]),
        (["evaluate", "run", "--views", "flip"], ["evaluate", "run", "--tta", "flip"]),
        (["evaluate", "look", "--against=b"], ["evaluate", "look", "--baseline=b"]),
    ],
)
def test_old_words_of_the_command_line(words: list[str], upgraded: list[str]) -> None:
    with pytest.warns(FutureWarning, match="will be removed"):
        assert upgrade_words(words) == upgraded


def test_an_old_verb_runs_and_names_its_new_name(tmp_path: Path) -> None:
    with (
        pytest.warns(FutureWarning, match="'look' is now 'visualize'"),
        pytest.raises(SystemExit) as left,
    ):
        main(["look", "pooling", "--out", str(tmp_path / "out")])
    assert left.value.code == 0
    assert (tmp_path / "out").is_dir()


def test_old_names_of_python() -> None:
    for old, new in (("look", "visualize"), ("look_rate", "visualize_lr")):
        with pytest.warns(FutureWarning, match=f"convlens.{new}"):
            assert getattr(convlens, old) is getattr(convlens, new)
    with pytest.raises(AttributeError):
        convlens.looked  # noqa: B018


def test_old_keywords_of_a_function() -> None:
    @renamed_arguments(views="tta")
    def predict(run: str, *, tta: str = "") -> str:
        return run + tta

    with pytest.warns(FutureWarning, match="'views' is now 'tta'"):
        assert predict("run", views="flip") == "runflip"  # type: ignore[call-arg]
    assert predict("run", tta="flip") == "runflip"
