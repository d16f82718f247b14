"""Ready recipes are found by name: in a clone, in a wheel, and from the command line."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import convlens
from convlens.api.ready_recipes import ready_recipes, recipe_file
from convlens.cli.main import main
from convlens.core.errors import ConvlensError
from convlens.core.settings import read_toml
from convlens.runs import Run

ROOT = Path(__file__).parents[2]
FILES = {path.stem: path for path in (ROOT / "recipes").glob("*.toml")}


def test_every_file_in_recipes_has_a_name() -> None:
    assert ready_recipes() == FILES
    assert {"chapter-cifar10", "chapter-transfer", "cifar10-sprint"} <= FILES.keys()


def test_a_file_comes_before_the_ready_recipe_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chapter-transfer").mkdir()  # a run's folder, say: no recipe
    assert recipe_file("chapter-transfer") == FILES["chapter-transfer"]
    (tmp_path / "cifar10-sprint").write_text("seed = 1\n")
    assert recipe_file("cifar10-sprint") == Path("cifar10-sprint")
    assert recipe_file(FILES["cifar10-sprint"]) == FILES["cifar10-sprint"]


@pytest.mark.parametrize(
    "slip", ["chaptr-transfer", "chapter-transfer.toml", Path("a/chapter.toml")]
)
def test_what_is_neither_file_nor_name_is_told_the_nearest_and_all(slip: str | Path) -> None:
    with pytest.raises(ConvlensError) as told:
        convlens.check("digits", recipe=slip, quiet=True)
    assert told.value.code == "unknown-recipe"
    assert f"{slip}; did you mean 'chapter-" in told.value.message
    assert told.value.message.endswith("one of: " + ", ".join(sorted(FILES)))


def test_a_name_that_is_like_no_other_gets_no_guess() -> None:
    with pytest.raises(ConvlensError, match=r"no such file or ready recipe: x; pass a TOML file"):
        recipe_file("x")


def test_train_and_check_begin_from_a_recipe_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["digits", "--recipe", "chapter-cifar10", "--epochs", "1"]
    with pytest.raises(SystemExit) as left:
        main(["train", *words, "--out", "run", "--json"])
    assert not left.value.code, capsys.readouterr().err
    said, kept = read_toml(FILES["chapter-cifar10"]), Run(tmp_path / "run").recipe
    assert kept.training.batch_size == said["training"]["batch_size"]
    assert kept.training.early_stopping is not None
    assert kept.training.early_stopping.patience == said["training"]["early_stopping"]["patience"]
    with pytest.raises(SystemExit) as left:
        main(["check", *words, "--no-estimate"])
    assert not left.value.code
    assert "patience-too-long" in capsys.readouterr().out  # of the recipe's helpers, in one epoch


def test_the_help_names_all_of_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    for verb in ("train", "check"):
        with pytest.raises(SystemExit):
            main([verb, "--help"])
        assert f"a ready recipe: {', '.join(sorted(FILES))}." in capsys.readouterr().out


def test_a_wheel_holds_them(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="part of the extra 'dev'")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    ask = (
        "from convlens.api.ready_recipes import ready_recipes\n"
        "for path in ready_recipes().values(): print(path)"
    )
    own = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", ask], cwd=tmp_path, env=own, check=True, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    found = [Path(line) for line in done.stdout.splitlines()]
    assert found == [site / "convlens" / "recipes" / FILES[name].name for name in sorted(FILES)]
    assert all(path.read_bytes() == FILES[path.stem].read_bytes() for path in found)
