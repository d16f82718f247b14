"""The recipes in `recipes/` hold, whole, for images such as they are for."""

from pathlib import Path

import numpy as np
import pytest

from convlens.core.reporter import Quiet
from convlens.core.settings import read_toml, validated
from convlens.data import DataSettings, open_source
from convlens.recipe import Recipe, resolve_defaults

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_ready_recipe_is_complete_and_comes_back_from_its_file(
    path: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (200, 32, 32, 3), np.uint8)
    asked = read_toml(path)
    settings = validated(DataSettings, asked.get("data", {}), what="[data]")
    images = open_source((pixels, np.arange(200) % 2), settings=settings, reporter=Quiet())
    recipe, _ = resolve_defaults({**asked, "source": "arrays"}, images)
    recipe.save(tmp_path / "recipe.toml")
    assert validated(Recipe, read_toml(tmp_path / "recipe.toml"), what="it") == recipe
