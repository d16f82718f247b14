import tomllib
from pathlib import Path

from convlens.augment import policy
from convlens.core.input_spec import InputSpec
from convlens.core.settings import read_toml, validated
from convlens.data import DataSettings
from convlens.models import ModelSpec
from convlens.recipe import Recipe
from convlens.training import OptimizerSettings, TrainingSettings

RECIPE = Recipe(
    source="фото/plants",
    seed=7,
    data=DataSettings(val=0.2),
    input=InputSpec(height=96, width=160, mean=(0.5, 0.4, 0.3), std=(0.2, 0.2, 0.2)),
    augment=policy("strong"),
    model=ModelSpec(layers="conv 16 3 same relu, maxpool 2, globalavgpool, dense"),
    training=TrainingSettings(epochs=9, optimizer=OptimizerSettings(name="sgd")),
)


def test_it_survives_the_file(tmp_path: Path) -> None:
    RECIPE.save(tmp_path / "recipe.toml")
    assert validated(Recipe, read_toml(tmp_path / "recipe.toml"), what="x") == RECIPE


def test_every_value_is_written_out() -> None:
    written = tomllib.loads(RECIPE.to_toml())
    assert written["training"]["loss"]["label_smoothing"] == 0.0
    assert written["training"]["schedule"]["name"] == "cosine"
    assert written["training"]["schedule"]["warmup"] == 0.1
    assert written["augment"]["horizontal_flip"] is True


def test_no_place_in_it_could_augment_validation_or_test_images() -> None:
    """Augmentation has one place, and nothing in the splits' settings speaks of it."""
    assert [name for name in Recipe.model_fields if "augment" in name] == ["augment"]
    assert not [name for name in DataSettings.model_fields if "augment" in name]
