"""No file runs code without the user's word: bundles, runs and recipes of others."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w

import convlens as package
from convlens.core.errors import ConvlensError
from convlens.models import is_known_code, remember_code
from tests.integration.conftest import Convlens, fill

NET = """\
from pathlib import Path
from torch import nn

Path({marker!r}).touch()


def build(classes):
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(4, classes))
"""


@pytest.fixture
def mine(tmp_path: Path) -> tuple[str, Path]:
    """A network in a file of the user's, and what it touches when it is run."""
    marker = tmp_path / "mine has run"
    (tmp_path / "mine.py").write_text(NET.format(marker=str(marker)), "utf-8")
    return f"{tmp_path / 'mine.py'}:build", marker


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fill(tmp_path_factory.mktemp("trust") / "photos", each=12)


@pytest.fixture(scope="module")
def finished(photos: Path) -> Path:
    """A run of another user's: what that user has trusted is in another cache."""
    root = photos.parent
    code = root / "net.py"
    code.write_text(NET.format(marker=str(root / "net has run")), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVLENS_CACHE", str(root / "cache"))
        package.train(photos, model=f"{code}:build", epochs=1, out=root / "run", quiet=True)
    code.unlink()
    return root / "run"


@pytest.fixture
def foreign(finished: Path, tmp_path: Path) -> Path:
    """A copy of that run, to be changed; the marker of its code taken away."""
    (finished.parent / "net has run").unlink(missing_ok=True)
    return Path(shutil.copytree(finished, tmp_path / "foreign"))


@pytest.fixture
def has_run(finished: Path) -> Callable[[], bool]:
    return (finished.parent / "net has run").exists


def change_json(path: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    content = json.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(json.dumps(content), "utf-8")


def change_toml(path: Path, change: Callable[[dict], object]) -> None:  # type: ignore[type-arg]
    content = tomllib.loads(path.read_text("utf-8"))
    change(content)
    path.write_text(tomli_w.dumps(content), "utf-8")


def uses(run: Path, image: Path, out: Path) -> dict[str, tuple[str | Path, ...]]:
    """Every command that opens a bundle."""
    return {
        "predict": ("predict", run, image),
        "evaluate": ("evaluate", run, image.parents[1]),
        "inspect": ("inspect", run),
        "compare": ("compare", run, "simple"),
        "visualize features": ("visualize", "features", run, image, "--out", out),
        "visualize filters": ("visualize", "filters", run, "--out", out),
        "visualize gradcam": ("visualize", "gradcam", run, image, "--out", out),
        "visualize shift": ("visualize", "shift", run, image, "--out", out),
        "embed": ("embed", run, image.parents[1], "--out", out / "e.npz"),
        "report": ("report", run),
    }


COMMANDS = tuple(uses(Path("r"), Path("a/b/c"), Path("o")))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bundle_never_names_code_outside_itself(
    *,
    command: str,
    foreign: Path,
    photos: Path,
    mine: tuple[str, Path],
    tmp_path: Path,
    convlens: Convlens,
) -> None:
    name, marker = mine

    def outside(content: dict) -> None:  # type: ignore[type-arg]
        content["model"] = {"name": name}

    change_json(foreign / "bundle" / "bundle.json", outside)
    image = next((photos / "red").iterdir())
    for word in ((), ("--trust-code",)):
        refused = convlens(*uses(foreign, image, tmp_path / "out")[command], *word)
        assert (refused.status, marker.exists()) == (2, False)
        assert "names code outside itself" in " ".join(refused.err.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_code_in_a_bundle_runs_only_when_trusted(
    *,
    command: str,
    foreign: Path,
    photos: Path,
    tmp_path: Path,
    has_run: Callable[[], bool],
    convlens: Convlens,
) -> None:
    words = uses(foreign, next((photos / "red").iterdir()), tmp_path / "out")[command]
    refused = convlens(*words)
    assert (refused.status, has_run()) == (2, False)
    assert "--trust-code" in refused.err


@pytest.mark.parametrize("part", ["model.safetensors", "bundle.json"])
def test_nothing_runs_before_the_checksums_were_read(
    part: str, foreign: Path, has_run: Callable[[], bool]
) -> None:
    path = foreign / "bundle" / part
    if part == "bundle.json":
        change_json(path, lambda c: c["model"].update(source=c["model"]["source"] + "\nimport os"))
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ConvlensError, match="restore (the bundle|it)"):
        package.load(foreign, trust_code=True)
    assert not has_run()


def test_the_run_of_another_user_resumes_only_when_trusted(
    foreign: Path, has_run: Callable[[], bool], convlens: Convlens
) -> None:
    refused = convlens("train", "--resume", foreign)
    assert (refused.status, has_run()) == (2, False)
    assert "--trust-code" in refused.err
    done = convlens("train", "--resume", foreign, "--trust-code")
    assert (done.status, has_run()) == (0, True)
    assert "from the code that" in " ".join(done.err.split())
    assert convlens("train", "--resume", foreign).status == 0, "it was trusted, on this machine"


def test_more_epochs_of_a_trusted_network_need_no_other_word(
    foreign: Path, has_run: Callable[[], bool], convlens: Convlens
) -> None:
    epochs = ("--epochs", "9")
    refused = convlens("resume", foreign, *epochs)
    assert (refused.status, has_run()) == (2, False)
    assert convlens("resume", foreign, *epochs, "--trust-code").status == 0
    assert len(package.Run(foreign).history) == 9


def test_a_run_never_names_code_outside_itself(
    foreign: Path, mine: tuple[str, Path], convlens: Convlens
) -> None:
    name, marker = mine
    remember_code(name, Path(name.rpartition(":")[0]).read_text("utf-8"))
    change_toml(foreign / "recipe.toml", lambda c: c.update(model={"name": name}))
    for word in ((), ("--trust-code",)):
        refused = convlens("train", "--resume", foreign, *word)
        assert (refused.status, marker.exists()) == (2, False)
        assert "names code outside the run" in " ".join(refused.err.split())


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("verb", ["train", "check", "visualize rate"])
def test_code_that_a_recipe_brings_runs_only_when_trusted(
    *,
    verb: str,
    carried: bool,
    photos: Path,
    mine: tuple[str, Path],
    tmp_path: Path,
    convlens: Convlens,
) -> None:
    name, marker = mine
    recipe = tmp_path / "recipe.toml"
    model = {"name": name}
    if carried:
        asked = package.api.options.build_config(
            None,
            model={"name": name, "layers": None},
            augment=None,
            epochs=None,
            size=None,
            seed=None,
            settings=(),
        )
        model = asked["model"]
        shutil.rmtree(tmp_path / "cache")  # the word was another user's
    recipe.write_text(tomli_w.dumps({"training": {"epochs": 1}, "model": model}), "utf-8")
    words = (*verb.split(), photos, "--recipe", recipe, "--no-cache")
    words += () if verb == "check" else ("--out", tmp_path / "out")
    refused = convlens(*words)
    assert (refused.status, marker.exists()) == (2, False)
    assert "--trust-code" in refused.err
    assert convlens(*words, "--trust-code").status == 0
    assert marker.exists()


def test_a_recipe_alone_is_checked_only_when_trusted(
    photos: Path, mine: tuple[str, Path], tmp_path: Path, convlens: Convlens
) -> None:
    name, marker = mine
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(tomli_w.dumps({"source": str(photos), "model": {"name": name}}), "utf-8")
    refused = convlens("check", recipe)
    assert (refused.status, marker.exists()) == (2, False)


def test_a_file_that_is_named_is_the_word_for_itself_and_for_no_other(
    photos: Path, foreign: Path, mine: tuple[str, Path], has_run: Callable[[], bool]
) -> None:
    """A recipe's code does not come in behind a network that the user names."""
    name, marker = mine
    for how in ({"model": name}, {"settings": [f"model.name={name}"]}):
        package.check(photos, recipe=foreign / "recipe.toml", measure=False, quiet=True, **how)
        assert (marker.exists(), has_run()) == (True, False)
        marker.unlink()


def test_a_users_own_run_resumes_without_a_word_on_the_code_that_it_began_with(
    photos: Path, mine: tuple[str, Path], tmp_path: Path, convlens: Convlens
) -> None:
    name, marker = mine
    run = tmp_path / "run"
    assert convlens("train", photos, "--model", name, "--epochs", "1", "--out", run).status == 0
    model = tomllib.loads((run / "recipe.toml").read_text("utf-8"))["model"]
    assert model["source"] == (tmp_path / "mine.py").read_text("utf-8")
    (tmp_path / "mine.py").write_text("raise SystemExit(3)")  # changed since: it plays no part
    marker.unlink()
    assert convlens("train", "--resume", run).status == 0
    assert marker.exists()

    def other_function(content: dict) -> None:  # type: ignore[type-arg]
        content["model"]["name"] = "mine.py:Path"

    change_toml(run / "recipe.toml", other_function)
    refused = convlens("train", "--resume", run)
    assert (refused.status, "--trust-code" in refused.err) == (2, True)


def test_trusted_code_is_known_by_its_text_and_function() -> None:
    assert not is_known_code("net.py:build", "x = 1")
    remember_code("net.py:build", "x = 1")
    remember_code("net.py:build", "x = 2")
    assert is_known_code("elsewhere/net.py:build", "x = 1")
    assert is_known_code("net.py:build", "x = 2")
    assert not is_known_code("net.py:other", "x = 1")
    assert not is_known_code("net.py:build", "x = 3")


@pytest.mark.skipif(os.name != "posix", reason="file permissions of the Unix kind")
def test_a_list_that_another_user_may_have_written_counts_for_nothing(tmp_path: Path) -> None:
    remember_code("net.py:build", "x = 1")
    (path,) = (tmp_path / "cache" / "code").iterdir()
    path.chmod(0o666)
    assert not is_known_code("net.py:build", "x = 1")
    path.chmod(0o600)
    kept = path.rename(tmp_path / "kept.txt")
    path.symlink_to(kept)
    assert not is_known_code("net.py:build", "x = 1")
    path.unlink()
    os.mkfifo(path)
    assert not is_known_code("net.py:build", "x = 1")


def test_nothing_is_imported_from_the_working_folder(tmp_path: Path) -> None:
    """``python -m`` looks there first, and so does matplotlib for its settings."""
    for module in ("typer", "rich", "torch", "numpy"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('from the working folder')")
    told = subprocess.run(
        [sys.executable, "-m", "convlens", "inspect", "simple", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, ""), told.stdout


def test_settings_of_matplotlib_in_the_working_folder_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\n")
    script = "import matplotlib, convlens.core.canvas; print(matplotlib.rcParams['text.usetex'])"
    told = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "False\n"
