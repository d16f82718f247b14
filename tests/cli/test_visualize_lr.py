import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convlens.cli.main import main
from convlens.core.settings import apply_setting

LAYERS = "conv 6 3 same relu, maxpool 2, globalavgpool, dense"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a look leaves behind would be found here."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Dark images and bright ones; by their name no formula."""
    labels = np.arange(60) % 2
    pixels = np.random.default_rng(0).integers(0, 100, (60, 8, 8, 1), np.uint8)
    pixels += (120 * labels).astype(np.uint8)[:, None, None, None]
    path = tmp_path / "葉 $1.npz"
    np.savez(path, X=pixels, y=labels)
    return path


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["visualize", "rate", *map(str, words)])
    return int(left.value.code or 0)


def test_the_rate_and_the_option_to_pass_are_told(source, capsys):
    assert run(source, "--layers", LAYERS, "--out", "rate.png") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("learning rate 0.")
    rate = told[0].split()[2]
    assert told[-3:] == [
        "to train at it, pass to convlens train:",
        f"  --set training.optimizer.learning_rate={rate}",
        "written to rate.png",
    ]
    assert all(len(line) <= 80 for line in told)
    with Image.open("rate.png") as picture:
        assert picture.format == "PNG"
    assert [entry.name for entry in Path().iterdir()] == ["rate.png"]


def test_json_is_one_object_on_stdout(source, capsys):
    assert run(source, "--layers", LAYERS, "--seed", 2, "--out", "looks", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == [str(Path("looks") / "rate.png")]
    assert Path(told["files"][0]).is_file()
    assert len(told["rates"]) == len(told["losses"])
    assert told["rates"] == sorted(told["rates"])
    asked = apply_setting({}, told["setting"])
    assert asked == {"training": {"optimizer": {"learning_rate": told["suggestion"]}}}
    assert told["rates"][0] < told["suggestion"] < told["rates"][-1]


def test_a_phase_with_a_rate_of_its_own_is_to_be_mended_there(source, tmp_path, capsys):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f"source = '{source}'\nmodel.layers = '{LAYERS}'\n"
        "[[training.phases]]\ntrain = 'head'\noptimizer.learning_rate = 0.05\n",
        "utf-8",
    )
    assert run("--recipe", recipe, "--size", 8, "--out", "rate.png") == 0
    told = capsys.readouterr().out
    assert "train takes 0.05" in " ".join(told.split())
    assert "write in the recipe's first phase:\n  optimizer.learning_rate = " in told
    assert "--set" not in told


def test_where_the_loss_does_not_fall_it_says_so_and_what_to_do(source, tmp_path, capsys):
    (tmp_path / "net.py").write_text(
        "from torch import nn\n"
        "class Deaf(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return 0 * x\n"
        "def make(classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes), Deaf())\n"
    )
    own = f"{tmp_path / 'net.py'}:make"
    assert run(source, "--model", own, "--out", "rate.png") == 0
    told = capsys.readouterr().out
    assert all(len(line) <= 80 for line in told.splitlines())
    words = " ".join(told.split())
    assert "no learning rate to suggest: the loss did not fall at any of 100 rates" in words
    assert "(--set training.batch_size=16)" in words
    assert Path("rate.png").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no source of images was given"),
        (["no-such"], "no such file, folder or dataset: no-such"),
        (["digits", "--out", "rate.jpg"], "name it rate.png"),
        (["digits", "--model", "resnet81"], "did you mean"),
        (["digits", "--set", "training.optimizer.name=adamx"], "training.optimizer.name"),
        (["digits", "--recipe", "none.toml"], "no such file or ready recipe: none.toml"),
        (["digits", "--device", "abacus"], "abacus"),
    ],
)
def test_a_wrong_request_is_told_without_a_traceback(words, message, capsys):
    assert run(*words) == 2
    told = capsys.readouterr()
    assert message in " ".join(told.err.split())
    assert "Traceback" not in told.err
    assert not told.out
    assert not list(Path().iterdir())
