from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.recipe import Run, new_run_folder


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
