"""Images in, a trained network, figures with intervals, a bundle, predictions out."""

import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convlens as package
from convlens.core.input_spec import InputSpec
from convlens.data import decode
from tests.integration.conftest import Convlens, fill


def test_digits_from_the_command_line(tmp_path: Path, convlens: Convlens) -> None:
    out = tmp_path / "run"
    done = convlens("train", "digits", "--epochs", "6", "--out", out, "--json")
    assert done.status == 0
    assert set(done.json) == {
        "run",
        "bundle",
        "model",
        "seconds",
        "images_per_second",
        "test",
        "weak_result",
    }
    assert done.json["weak_result"] is None
    assert set(done.json["test"]) == {"accuracy", "interval", "n"}
    assert done.json["test"]["n"] == 360
    low, high = done.json["test"]["interval"]
    assert low < done.json["test"]["accuracy"] < high
    assert done.json["test"]["accuracy"] > 0.5
    assert {entry.name for entry in out.iterdir()} >= {
        "recipe.toml",
        "environment.json",
        "history.jsonl",
        "checkpoint",
        "metrics.json",
        "bundle",
    }
    assert {f.name for f in (out / "bundle").iterdir()} == {
        "bundle.json",
        "model.safetensors",
        "training_images.bin",
    }
    assert len((out / "history.jsonl").read_text().splitlines()) == 6
    assert tomllib.loads((out / "recipe.toml").read_text())["training"]["epochs"] == 6

    again = convlens("evaluate", out, "--json")
    assert again.status == 0
    assert {k: again.json[k] for k in ("accuracy", "interval", "n")} == done.json["test"]


def test_the_words_of_a_run(
    tmp_path: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = tmp_path / "run"
    done = convlens("train", "digits", "--epochs", "1", "--out", out)
    assert done.status == 0
    assert "test accuracy" in done.out
    assert "95 % interval" in done.out
    words = " ".join(done.out.split())
    share = r"\d+\.\d % \(\d+\.\d to \d+\.\d\)"
    assert re.search(rf"weakest class .*: {share} of \d+ found", words)
    assert re.search(rf"not sure of {share}; the true class is .* for {share}", words)
    assert "--trust-code" not in done.out
    assert done.out.rstrip().splitlines()[-1].strip().startswith("convlens ")
    assert str(out) in done.out
    measured = convlens("evaluate", out)
    assert "accuracy" in measured.out
    words = " ".join(measured.out.split())
    assert re.search(rf"log loss \S+ \(\S+ to \S+\), calibration error {share}\.", words)
    assert max(map(len, measured.out.splitlines())) <= 80


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_class_folders(tmp_path: Path, convlens: Convlens, suffix: str) -> None:
    photos = fill(tmp_path / "photos", each=20, suffix=suffix)
    done = convlens("train", photos, "--epochs", "4", "--out", tmp_path / "run", "--json")
    assert done.status == 0
    assert done.json["test"]["n"] == 6
    facts = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert {s: sum(c.values()) for s, c in facts["data"]["images"].items()} == {
        "train": 28,
        "val": 6,
        "test": 6,
    }

    image = next((photos / "red").iterdir())
    guessed = convlens("predict", tmp_path / "run", image, photos / "grün", "--top", "1", "--json")
    assert guessed.status == 0
    assert len(guessed.json["predictions"]) == 21
    assert guessed.json["predictions"][0]["path"] == str(image)
    (best,) = guessed.json["predictions"][0]["top"]
    assert set(best) == {"class", "probability"}
    assert best["class"] in {"red", "grün"}


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_folders_that_give_their_splits(tmp_path: Path, convlens: Convlens, name: str) -> None:
    source = tmp_path / "photos"
    for split, each in (("train", 12), (name, 4), ("test", 5)):
        fill(source / split, each=each)
    done = convlens("train", source, "--epochs", "1", "--out", tmp_path / "run", "--json")
    assert done.json["test"]["n"] == 10
    facts = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert {s: sum(c.values()) for s, c in facts["data"]["images"].items()} == {
        "train": 24,
        "val": 8,
        "test": 10,
    }


def test_without_a_validation_folder_one_is_cut_from_train_never_from_test(
    tmp_path: Path, convlens: Convlens
) -> None:
    source = tmp_path / "photos"
    fill(source / "train", each=20)
    fill(source / "test", each=5)
    done = convlens("train", source, "--epochs", "1", "--out", tmp_path / "run", "--json")
    assert done.json["test"]["n"] == 10
    facts = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert {s: sum(c.values()) for s, c in facts["data"]["images"].items()} == {
        "train": 36,
        "val": 4,
        "test": 10,
    }
    assert "cut from train" in done.err


def test_arrays_in_python_and_in_a_file(tmp_path: Path, convlens: Convlens) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60)[:, None] % 2
    images = rng.integers(0, 100, (60, 12, 12)) + 100 * y[:, :, None]
    x = (images / 255).astype(np.float32)
    run = package.train((x, y), epochs=3, out=tmp_path / "one", quiet=True)
    assert run.metrics["test"]["n"] == 9
    assert any("12x12x1" in note for note in run.environment["data"]["notes"])
    np.savez(tmp_path / "photos.npz", X=images.astype(np.uint8), y=y)
    done = convlens("train", tmp_path / "photos.npz", "--epochs", "1", "--out", tmp_path / "two")
    assert done.status == 0
    assert "12x12x1" in done.err
    measured = package.evaluate(run.folder, tmp_path / "photos.npz", quiet=True)
    assert measured.n == 60


def test_evaluation_and_prediction_see_the_same_pixels_and_agree(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", classes=3, each=9, suffix="jpg")
    big = photos / "red" / "bild 0.jpg"
    Image.open(big).resize((90, 70)).save(big)
    run = package.train(photos, size="24x20", epochs=1, out=tmp_path / "run", quiet=True)
    predictor = run.predictor()
    files = sorted(str(f) for f in photos.rglob("*.jpg"))
    spec = predictor.bundle.input_spec
    assert spec == InputSpec.model_validate(run.recipe.input)
    together = predictor.probabilities(np.stack([decode(f, spec) for f in files]))
    predicted = {p.path: {g.name: g.probability for g in p.top} for p in predictor.predict(files)}
    for file, row in zip(files, together, strict=True):
        alone = predictor.predict(file)[0]
        for name, probability in zip(predictor.classes, row.tolist(), strict=True):
            assert predicted[file][name] == pytest.approx(probability, abs=1e-5)
            assert {g.name: g.probability for g in alone.top}[name] == pytest.approx(
                probability, abs=1e-5
            )


def test_evaluate_matches_classes_by_name(tmp_path: Path, convlens: Convlens) -> None:
    fill(tmp_path / "photos", classes=3, each=12)
    convlens("train", tmp_path / "photos", "--epochs", "1", "--out", tmp_path / "run")
    fill(tmp_path / "fewer", classes=2, each=4)
    measured = convlens("evaluate", tmp_path / "run" / "bundle", tmp_path / "fewer", "--json")
    assert measured.status == 0
    assert measured.json["n"] == 8
    support = {own["name"]: own["support"] for own in measured.json["classes"]}
    assert support == {"blue": 0, "grün": 4, "red": 4}


def test_a_recipe_runs_again_to_the_same_weights(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", each=12)
    first = package.train(photos, epochs=2, seed=5, out=tmp_path / "one", quiet=True)
    again = package.train(recipe=first.folder / "recipe.toml", out=tmp_path / "two", quiet=True)
    assert again.recipe == first.recipe
    ours, theirs = ((run.bundle / "model.safetensors").read_bytes() for run in (first, again))
    assert ours == theirs


def test_a_finished_run_that_is_resumed_stays_as_it_is(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "photos", each=12)
    run = package.train(photos, epochs=2, out=tmp_path / "run", quiet=True)
    before = (run.bundle / "model.safetensors").read_bytes()
    done = convlens("train", "--resume", run.folder)
    assert done.status == 0
    assert (run.bundle / "model.safetensors").read_bytes() == before


def test_resume_alone_means_the_newest_unfinished_run(
    tmp_path: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    none = convlens("train", "--resume")
    assert none.status == 2
    assert "no unfinished run" in " ".join(none.err.split())
    photos = fill(tmp_path / "photos", each=12)
    runs = [package.train(photos, epochs=1, out=Path("runs") / name, quiet=True) for name in "abc"]
    for run in runs[:2]:
        (run.folder / "metrics.json").unlink()
    (runs[0].folder / "history.jsonl").touch()  # begun before, and worked on last
    told = convlens("train", "--resume")
    assert told.status == 0
    assert "going on with runs/a" in told.err
    assert (runs[0].folder / "metrics.json").is_file()
    assert not (runs[1].folder / "metrics.json").is_file()


def test_a_run_goes_on_only_with_the_images_it_began_with(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=12)
    run = package.train(photos, epochs=1, out=tmp_path / "run", quiet=True)
    next((photos / "red").iterdir()).unlink()
    refused = convlens("train", "--resume", run.folder)
    assert refused.status == 2
    assert "changed since" in " ".join(refused.err.split())


def test_an_own_network_is_trained_and_shipped_with_its_code(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=12)
    code = tmp_path / "mine.py"
    code.write_text(
        "from torch import nn\n"
        "def build(classes, channels):\n"
        "    return nn.Sequential(nn.Conv2d(channels, 4, 3), nn.ReLU(),\n"
        "        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, classes))\n"
    )
    out = tmp_path / "run"
    done = convlens("train", photos, "--model", f"{code}:build", "--epochs", "1", "--out", out)
    assert done.status == 0
    assert done.out.count("--trust-code") == 2
    assert "--trust-code" in (out / "report.html").read_text("utf-8")
    image = next((photos / "red").iterdir())
    refused = convlens("predict", out, image)
    assert refused.status == 2
    assert "--trust-code" in refused.err
    assert convlens("predict", out, image, "--trust-code").status == 0


def test_the_assignment_to_splits_is_kept_when_images_are_added(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos", each=20)
    first = package.train(photos, epochs=1, out=tmp_path / "one", quiet=True)
    kept = (first.folder / "splits.csv").read_text("utf-8").splitlines()
    for folder in list(photos.iterdir()):
        for i in range(6):
            Image.new("RGB", (16, 16), (i, len(folder.name), 7)).save(folder / f"new {i}.png")
    again = package.train(
        photos, epochs=1, splits=first.folder / "splits.csv", out=tmp_path / "two", quiet=True
    )
    now = (again.folder / "splits.csv").read_text("utf-8").splitlines()
    assert set(kept) <= set(now)
    assert len(now) == len(kept) + 12


def test_without_the_cache_no_pixels_are_left_on_disk(
    tmp_path: Path, convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))
    photos = fill(tmp_path / "photos")
    words = "train", photos, "--model", "simple", "--size", "32", "--epochs", "1", "--json", "--out"
    without = convlens(*words, tmp_path / "without", "--no-cache")
    assert convlens("evaluate", tmp_path / "without", "--no-cache").status == 0
    assert convlens("train", "--resume", tmp_path / "without", "--no-cache").status == 0
    assert not (tmp_path / "cache" / "pixels").exists()
    kept = convlens(*words, tmp_path / "kept")
    assert (tmp_path / "cache" / "pixels").is_dir()
    assert without.json["test"] == kept.json["test"]


def test_a_table_with_columns_of_its_own_names_is_evaluated(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=12)
    convlens("train", photos, "--epochs", "1", "--out", tmp_path / "run")
    rows = [f"{f.relative_to(tmp_path)},{f.parent.name}" for f in sorted(photos.rglob("*.png"))]
    table = tmp_path / "plants.csv"
    table.write_text("\n".join(["image,species", *rows]), "utf-8")
    refused = convlens("evaluate", tmp_path / "run", table)
    assert refused.status == 2
    words = ("evaluate", tmp_path / "run", table, "--set", "data.label_column=species", "--json")
    assert convlens(*words).json["n"] == 24


def test_a_result_no_better_than_guessing_is_said_everywhere(
    tmp_path: Path, convlens: Convlens
) -> None:
    out = tmp_path / "run"
    still = ("--epochs", "1", "--set", "training.optimizer.learning_rate=1e-9")
    done = convlens("train", "digits", *still, "--out", out)
    said = " ".join(done.out.split())
    assert "No better than guessing: always answering" in said
    assert "Likely reason: training ended after 20 steps" in said
    assert "What to do: train longer: --epochs 10 or more." in said
    weak = json.loads((out / "metrics.json").read_text("utf-8"))["weak_result"]
    assert weak["warning"] in (out / "report.html").read_text("utf-8").replace("&#39;", "'")
    measured = convlens("evaluate", out)
    assert "No better than guessing" in measured.out
