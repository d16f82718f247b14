from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec
from convlens.recipe import Recipe
from convlens.runs import Run, new_run_folder


def test_a_run_is_named_after_time_images_and_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [new_run_folder(None, name="My Plants!", model="resnet18").name for _ in range(3)]
    assert len(set(names)) == 3
    assert all("-my-plants-resnet18" in name for name in names)
    assert names[0][:8].isdecimal()


def test_an_own_network_names_a_run_by_its_file(tmp_path: Path) -> None:
    folder = new_run_folder(tmp_path / "x", name="a", model="b")
    assert folder == tmp_path / "x"
    assert folder.is_dir()


def test_a_folder_that_is_none_of_ours_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConvlensError, match="not a run"):
        _ = Run(tmp_path).recipe
    with pytest.raises(ConvlensError, match="cannot read"):
        _ = Run(tmp_path).metrics
    assert Run(tmp_path).history == []


def test_a_run_from_before_calibration_let_all_validation_images_decide(tmp_path: Path) -> None:
    spec = InputSpec(height=8, width=8, channels=1)
    recipe = Recipe(source="digits", input=spec, model=ModelSpec(name="standard"))
    assert recipe.data.calibration == 0.33
    recipe.save(tmp_path / "recipe.toml")
    assert Run(tmp_path).recipe == recipe
    old = recipe.to_toml().replace("calibration = 0.33\n", "")
    assert old != recipe.to_toml()
    (tmp_path / "recipe.toml").write_text(old, "utf-8")
    assert Run(tmp_path).recipe.data.calibration == 0
