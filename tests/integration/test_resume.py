"""More epochs for a run, and a run whose images have moved."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convlens as package
from convlens.core.errors import ConvlensError
from convlens.runs import Run
from convlens.training import loop
from tests.integration.conftest import Convlens, fill

CONSTANT = ("training.schedule.name=constant", "training.schedule.warmup=0")
LAYERS = "conv 4 3 same relu, globalavgpool, dropout 0.2, dense"
TIMES = ("seconds", "images_per_second", "validation_seconds")


def trained(out: Path, epochs: int, *settings: str, seed: int = 0) -> Run:
    photos = out.parent / "photos"
    if not photos.exists():
        fill(photos, each=20)
    return package.train(
        photos, layers=LAYERS, epochs=epochs, seed=seed, settings=settings, out=out, quiet=True
    )


def history(run: Run) -> list[dict[str, Any]]:
    return [{k: v for k, v in own.items() if k not in TIMES} for own in run.history]


def weights(run: Run) -> bytes:
    return (run.bundle / "model.safetensors").read_bytes()


def interrupted(out: Path, epochs: int, *settings: str, step: int, patch: Any) -> None:
    """A run that is left in the middle of an epoch, as if killed there."""
    plain, taken = loop.train_step, iter(range(step))

    def dying(*arguments: Any) -> None:
        if next(taken, None) is None:
            raise RuntimeError("killed")
        plain(*arguments)

    with patch.context() as undone, pytest.raises(RuntimeError, match="killed"):
        undone.setattr(loop, "train_step", dying)
        trained(out, epochs, *settings, "training.checkpoint_seconds=1e-9")


def test_more_epochs_of_a_constant_schedule_are_those_of_a_longer_run(tmp_path: Path) -> None:
    longer = trained(tmp_path / "longer", 5, *CONSTANT)
    trained(tmp_path / "run", 2, *CONSTANT)
    run = package.resume(tmp_path / "run", epochs=5, quiet=True)
    assert weights(run) == weights(longer)
    assert history(run) == history(longer)
    assert run.recipe.training == longer.recipe.training
    assert run.metrics["epochs"] == 5
    (change,) = run.environment["extended"]
    assert (change["after_epoch"], change["epochs"]) == (2, 5)
    assert not list((tmp_path / "run").glob(".*"))


def test_from_there_the_schedule_is_that_of_so_many_epochs(
    tmp_path: Path, convlens: Convlens
) -> None:
    longer = trained(tmp_path / "longer", 6)
    trained(tmp_path / "run", 3)
    told = convlens("resume", tmp_path / "run", "--epochs", "6", "--json")
    assert told.status == 0
    said = " ".join(told.err.split())
    assert "now has 6 epochs" in said
    assert "'cosine' schedule spans all of them" in said
    assert "goes on at a learning rate of" in said
    rates = [record["learning_rate"] for record in Run(tmp_path / "run").history]
    assert rates[3:] == [record["learning_rate"] for record in longer.history][3:]
    assert max(rates[:3]) > rates[2] < rates[3], "what had fallen to nothing rises again"


def test_an_interrupted_run_takes_other_epochs_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of an epoch, to more and to fewer."""
    for name, epochs in (("more", 6), ("fewer", 3)):
        whole = trained(tmp_path / f"whole {name}", epochs, *CONSTANT)
        interrupted(tmp_path / name, 4, *CONSTANT, step=8, patch=monkeypatch)
        run = package.resume(tmp_path / name, epochs=epochs, quiet=True)
        assert weights(run) == weights(whole)
        assert history(run) == history(whole)


def test_an_extension_that_was_interrupted_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path / "run", 2)
    shutil.copytree(tmp_path / "run", tmp_path / "undisturbed")
    undisturbed = package.resume(tmp_path / "undisturbed", epochs=4, quiet=True)
    plain, taken = loop.train_step, iter(range(3))

    def dying(*arguments: Any) -> None:
        if next(taken, None) is None:
            raise RuntimeError("killed")
        plain(*arguments)

    with monkeypatch.context() as undone, pytest.raises(RuntimeError, match="killed"):
        undone.setattr(loop, "train_step", dying)
        package.resume(tmp_path / "run", epochs=4, quiet=True)
    assert not (tmp_path / "run" / "metrics.json").exists(), "it is no finished run any more"
    run = package.resume(tmp_path / "run", quiet=True)
    assert weights(run) == weights(undisturbed)
    assert history(run) == history(undisturbed)
    assert run.environment["extended"] == undisturbed.environment["extended"]


def test_the_last_phase_gets_the_epochs_and_a_budget_no_longer_decides(tmp_path: Path) -> None:
    phases = 'training.phases=[{train="head",epochs=1},{train="all",epochs=1}]'
    trained(tmp_path / "phases", 1, phases)
    run = package.resume(tmp_path / "phases", epochs=4, quiet=True)
    assert [phase.epochs for phase in run.recipe.training.plan] == [1, 3]
    assert [record["phase"] for record in run.history] == ["head", "all", "all", "all"]
    with pytest.raises(ConvlensError, match="has trained 4 already"):
        package.resume(tmp_path / "phases", epochs=4, quiet=True)

    trained(tmp_path / "budget", 1, "training.budget_seconds=0.2")
    done = len(Run(tmp_path / "budget").history)
    longer = package.resume(tmp_path / "budget", epochs=done + 2, quiet=True)
    assert len(longer.history) == done + 2
    assert longer.recipe.training.budget_seconds is None


def test_a_run_that_stopped_early_goes_on_and_waits_again(tmp_path: Path) -> None:
    stopping = ("training.early_stopping.patience=2", "training.early_stopping.min_delta=10")
    run = trained(tmp_path / "run", 9, *stopping)
    assert len(run.history) == 3
    with pytest.raises(ConvlensError, match="stopped after 3: early stopping"):
        package.resume(run.folder, epochs=9, quiet=True)
    assert run.metrics["epochs"] == 3, "what is refused changes nothing"
    assert len(package.resume(run.folder, epochs=10, quiet=True).history) == 5


def test_resume_beside_train_means_the_same(tmp_path: Path, convlens: Convlens) -> None:
    run = trained(tmp_path / "run", 1)
    before = weights(run)
    for words in (("resume", run.folder), ("train", "--resume", run.folder)):
        assert convlens(*words, "--json").json["run"] == str(run.folder)
        assert weights(run) == before
    refused = convlens("resume", tmp_path / "photos")
    assert refused.status == 2
    assert "is not a run" in " ".join(refused.err.split())
    assert not (tmp_path / "photos" / ".lock").exists()


def test_images_that_have_moved_are_found_where_they_are(
    tmp_path: Path, convlens: Convlens
) -> None:
    run = trained(tmp_path / "run", 1)
    before = weights(run)
    moved = (tmp_path / "photos").rename(tmp_path / "elsewhere")
    assert convlens("evaluate", run.folder).status == 2
    measured = convlens("evaluate", run.folder, "--source", moved, "--json")
    assert measured.json["accuracy"] == run.metrics["test"]["accuracy"]
    assert "warning" not in measured.err
    assert convlens("report", run.folder, "--source", moved).status == 0
    assert "cannot be shown" not in (run.folder / "report.html").read_text("utf-8")
    assert convlens("resume", run.folder, "--source", moved).status == 0
    assert weights(run) == before
    assert run.recipe.source == str(moved)
    assert convlens("evaluate", run.folder).status == 0, "from now on it knows"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("gone", "1 image of this run missing (red/bild 0.png)"),
        ("new", "1 image added since training, left out (red/other.png)"),
        ("size", "files of the same names have other contents"),
        ("content", "files of the same names have other contents"),
        ("nothing alike", "none of the images that the run was trained on"),
    ],
)
def test_other_images_are_refused_with_what_differs(
    tmp_path: Path, convlens: Convlens, change: str, told: str
) -> None:
    run = trained(tmp_path / "run", 1)
    other = Path(shutil.copytree(tmp_path / "photos", tmp_path / "other"))
    first = other / "red" / "bild 0.png"
    content = first.read_bytes()
    match change:
        case "gone":
            first.unlink()
        case "new":
            shutil.copy(first, other / "red" / "other.png")
        case "size":
            first.write_bytes(content + b"\0")
        case "content":
            # Behind the end of the picture the bytes do not count: it still can be read.
            first.write_bytes(content[:-4] + bytes(255 - byte for byte in content[-4:]))
        case _:
            for file in sorted(other.rglob("*.png")):
                file.rename(file.with_name(f"another {file.name}"))
    kept = (run.folder / "recipe.toml").read_bytes()
    for words in (("resume",), ("evaluate",), ("evaluate", "--set", "selective.coverage=0.5")):
        refused = convlens(words[0], run.folder, *words[1:], "--source", other)
        assert refused.status == 2
        assert told in " ".join(refused.err.split())
    assert (run.folder / "recipe.toml").read_bytes() == kept
    assert run.metrics["epochs"] == 1


def test_arrays_are_handed_over_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (40, 8, 8), np.uint8), ["a", "b"] * 20
    run = package.train((x, y), layers=LAYERS, epochs=1, out=tmp_path / "run", quiet=True)
    with pytest.raises(ConvlensError, match="arrays in memory"):
        package.resume(run.folder, epochs=2, quiet=True)
    assert len(package.resume(run.folder, epochs=2, source=(x, y), quiet=True).history) == 2
    with pytest.raises(ConvlensError, match="none of the images"):
        package.resume(run.folder, epochs=3, source=(x // 2, y), quiet=True)
    assert json.loads((run.folder / "metrics.json").read_text("utf-8"))["epochs"] == 2


def test_a_run_without_its_checkpoint_says_that_it_starts_again(
    tmp_path: Path, convlens: Convlens
) -> None:
    run = trained(tmp_path / "run", 1)
    shutil.rmtree(run.folder / "checkpoint")
    resumed = convlens("resume", run.folder)
    assert resumed.status == 0
    assert "has no checkpoint: it trains from the first epoch again" in resumed.err


def test_two_sources_for_one_evaluation_are_refused(tmp_path: Path, convlens: Convlens) -> None:
    run = trained(tmp_path / "run", 1)
    photos = tmp_path / "photos"
    refused = convlens("evaluate", run.folder, photos, "--source", photos)
    assert refused.status == 2
    assert "both SOURCE and --source were passed" in refused.err


def test_a_bundle_without_the_digests_of_its_images_still_predicts(
    tmp_path: Path, convlens: Convlens
) -> None:
    run = trained(tmp_path / "run", 1)
    (run.folder / "bundle" / "training_images.bin").unlink()
    assert convlens("predict", run.folder, tmp_path / "photos").status == 0
    moved = shutil.move(tmp_path / "photos", tmp_path / "moved")
    measured = convlens("evaluate", run.folder, moved)
    assert measured.status == 0
    assert "cannot tell whether" in measured.err
