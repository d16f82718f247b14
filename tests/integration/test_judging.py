"""A trained network judged: calibrated, allowed to say "not sure", compared, asked about views."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import convlens as package
from convlens.core.reporter import Quiet
from convlens.data import open_source, split_calibration
from convlens.runs import Run
from tests.integration.conftest import Convlens, fill

NET = "conv 8 3 same relu, maxpool 2, conv 16 3 same relu, globalavgpool, dense"


def digits(out: Path, epochs: int, seed: int = 0) -> Run:
    return package.train(
        "digits",
        layers=NET,
        epochs=epochs,
        seed=seed,
        out=out,
        settings=["training.optimizer.learning_rate=0.01"],
        quiet=True,
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """One that has learned much, one that has learned little: not to be changed."""
    folder = tmp_path_factory.mktemp("runs")
    return digits(folder / "good", 8), digits(folder / "weak", 1)


def forget_training_images(bundle: Path) -> None:
    """Leave a bundle as an earlier version wrote it."""
    (bundle / "training_images.bin").unlink()
    manifest = json.loads((bundle / "bundle.json").read_text("utf-8"))
    del manifest["training_images"]
    (bundle / "bundle.json").write_text(json.dumps(manifest), "utf-8")


def copied(run: Run, folder: Path) -> Run:
    return Run(Path(shutil.copytree(run.folder, folder)))


def test_what_validation_decides_and_what_calibrates(runs: tuple[Run, Run]) -> None:
    metrics = runs[0].metrics
    calibration = runs[0].predictor().bundle.calibration
    assert metrics["val"]["n"] == calibration.fitted_on == 120
    assert calibration.images == 60
    assert calibration.temperature == metrics["calibration"]["temperature"] != 1
    assert metrics["calibration"]["measured_on"] == "test"
    assert metrics["calibration"]["after"]["log_loss"] == metrics["test"]["log_loss"]
    assert metrics["calibration"]["before"]["log_loss"] != metrics["test"]["log_loss"]
    assert runs[0].recipe.data.calibration == 0.33
    assert runs[0].recipe.selective.coverage == 0.95
    assert metrics["selective"]["figures"]["n"] == 360
    assert metrics["selective"]["figures"]["coverage_interval"][1] > 0.95


def test_the_history_is_that_of_the_deciding_images(runs: tuple[Run, Run]) -> None:
    """The calibrating ones move no decision: the kept epoch's accuracy is the deciding ones'."""
    run = runs[0]
    best = run.history[run.metrics["best_epoch"] - 1]
    assert best["val_accuracy"] == pytest.approx(run.metrics["val"]["accuracy"])
    images = open_source("digits", reporter=Quiet())
    deciding, calibrating = split_calibration(images, share=0.33, seed=0)
    predictor = run.predictor()
    assert images.arrays is not None
    right = [
        (predictor.probabilities(images.arrays[part]).argmax(axis=1) == images.labels[part]).mean()
        for part in (deciding, calibrating)
    ]
    assert right[0] == pytest.approx(run.metrics["val"]["accuracy"])


def test_probabilities_are_calibrated_everywhere_alike(
    runs: tuple[Run, Run], convlens: Convlens, tmp_path: Path
) -> None:
    run = runs[0]
    measured = convlens("evaluate", run.folder, "--json").json
    kept = run.metrics
    for name in ("accuracy", "log_loss", "calibration_error", "roc_auc"):
        assert measured[name] == kept["test"][name]
    assert measured["calibration"]["before"] == kept["calibration"]["before"]
    assert measured["selective"]["figures"] == kept["selective"]["figures"]
    images = open_source("digits", reporter=Quiet())
    assert images.arrays is not None
    shown = images.arrays[images.splits["test"]]
    predictor = run.predictor()
    rows = predictor.probabilities(shown)
    own = rows[np.arange(360), images.labels[images.splits["test"]]].astype(float)
    assert -np.log(own).mean() == pytest.approx(kept["test"]["log_loss"], rel=1e-4)
    first = predictor.predict(shown[:3])
    assert [p.top[0].probability for p in first] == pytest.approx(rows[:3].max(axis=1).tolist())


def test_it_says_not_sure_as_often_as_was_measured(
    runs: tuple[Run, Run], convlens: Convlens, tmp_path: Path
) -> None:
    from PIL import Image

    run = runs[1]
    images = open_source("digits", reporter=Quiet())
    assert images.arrays is not None
    for number, index in enumerate(images.splits["test"][:40].tolist()):
        Image.fromarray(images.arrays[index, :, :, 0]).save(tmp_path / f"{number:02}.png")
    told = convlens("predict", run.folder, tmp_path, "--json").json["predictions"]
    answered = run.metrics["selective"]["figures"]["answered"]
    assert answered < 0.7
    assert np.mean([own["sure"] for own in told]) == pytest.approx(answered, abs=0.25)
    for own in told:
        assert own["sure"] == (len(own["candidates"]) == 1)
        assert own["candidates"][0] == own["top"][0]
        assert np.isfinite(own["unknown"])
    lines = convlens("predict", run.folder, tmp_path, "--top", "2").out
    assert lines.count("not sure:") == sum(not own["sure"] for own in told) > 0
    assert "more" in lines
    assert "not sure" not in convlens("predict", run.folder, tmp_path, "--tta", "crops").out


def test_another_promise_is_kept_by_the_bundle(
    runs: tuple[Run, Run], convlens: Convlens, tmp_path: Path
) -> None:
    run = copied(runs[0], tmp_path / "run")
    weights = (run.bundle / "model.safetensors").read_bytes()
    before = run.metrics
    done = convlens("evaluate", run.folder, "--set", "selective.coverage=0.98", "--json")
    assert done.json["selective"]["rule"]["coverage"] == 0.98
    assert "kept in" in done.err
    rule = run.predictor().bundle.calibration.selective
    assert rule is not None
    assert rule.coverage == 0.98
    assert (run.bundle / "model.safetensors").read_bytes() == weights
    after = run.metrics
    assert after["selective"]["asked"] == {"coverage": 0.98}
    assert after["selective"]["figures"] == done.json["selective"]["figures"]
    assert after["selective"]["figures"]["answered"] <= before["selective"]["figures"]["answered"]
    assert {**after, "selective": 0} == {**before, "selective": 0}
    bundled = json.loads((run.bundle / "bundle.json").read_text())
    assert bundled["metrics"] == after
    words = " ".join(done.err.split())
    assert "its report still has the promise of before; write it again by convlens report" in words
    assert convlens("report", run.folder).status == 0
    report = (run.folder / "report.html").read_text("utf-8")
    assert "at least 98 % of images" in report
    assert "at least 95 % of images" not in report
    refused = convlens("evaluate", run.folder, "--set", "selective.error_rate=0.01")
    assert refused.status == 2
    assert "it takes 299" in " ".join(refused.err.split())
    assert run.metrics == after
    (run.folder / "report.html").unlink()
    without = convlens("evaluate", run.folder, "--set", "selective.coverage=0.9")
    assert "its report" not in without.err


def test_a_promise_at_training_and_one_that_cannot_be_kept(
    tmp_path: Path, convlens: Convlens
) -> None:
    words = ("train", "digits", "--layers", NET, "--epochs", "1", "--out")
    asked = convlens(*words, tmp_path / "one", "--set", "selective.coverage=0.8")
    assert asked.status == 0
    assert Run(tmp_path / "one").metrics["selective"]["rule"]["coverage"] == 0.8
    refused = convlens(*words, tmp_path / "two", "--set", "selective.error_rate=0.02")
    assert refused.status == 0
    assert "nothing is promised" in refused.err
    selective = Run(tmp_path / "two").metrics["selective"]
    assert (selective["rule"], selective["asked"]) == (None, {"error_rate": 0.02})
    assert "it takes 149" in selective["reason"]
    again = ("--recipe", tmp_path / "one" / "recipe.toml", "--set", "selective.error_rate=0.5")
    assert convlens(*words, tmp_path / "again", *again).status == 0
    assert Run(tmp_path / "again").recipe.selective.coverage is None
    both = convlens(
        *words,
        tmp_path / "three",
        *("--set", "selective.error_rate=0.02", "--set", "selective.coverage=0.9"),
    )
    assert both.status == 2
    assert not (tmp_path / "three").exists()


def test_few_validation_images_all_decide_and_nothing_is_promised(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=20)
    done = convlens("train", photos, "--epochs", "1", "--out", tmp_path / "run")
    assert "too few to keep some apart" in " ".join(done.err.split())
    run = Run(tmp_path / "run")
    assert run.metrics["val"]["n"] == 6
    assert run.metrics["selective"]["rule"] is None
    image = next((photos / "red").iterdir())
    assert run.predictor().predict(image)[0].sure is None
    refused = convlens("evaluate", run.folder, "--set", "selective.coverage=0.5")
    assert refused.status == 2
    assert "kept no validation images apart" in " ".join(refused.err.split())


def test_better_worse_and_cannot_tell(
    runs: tuple[Run, Run], convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, weak = (run.folder for run in runs)
    better = convlens("evaluate", good, "--baseline", weak, "--json").json["baseline"]
    assert (better["verdict"], better["n"], better["left_out"]) == ("better", 360, 0)
    worse = convlens("evaluate", weak, "--baseline", good, "--json").json["baseline"]
    assert worse["verdict"] == "worse"
    assert worse["interval"] == pytest.approx([-end for end in reversed(better["interval"])])
    assert (worse["first"], worse["second"]) == (better["second"], better["first"])
    monkeypatch.setenv("COLUMNS", "80")
    same = convlens("evaluate", good, "--baseline", good)
    assert "cannot tell with 360 images" in " ".join(same.out.split())
    assert max(map(len, same.out.splitlines())) <= 80


def test_images_that_the_other_has_learned_from_are_left_out(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=40)
    one, other = tmp_path / "one", tmp_path / "other"
    for out, seed in ((one, "0"), (other, "1")):
        convlens("train", photos, "--layers", NET, "--epochs", "1", "--seed", seed, "--out", out)
    tests = []
    for out in (one, other):
        rows = list(csv.DictReader((out / "splits.csv").read_text("utf-8").splitlines()))
        tests.append({row["image"] for row in rows if row["split"] == "test"})
    shared = len(tests[0] & tests[1])
    assert 0 < shared < len(tests[0])
    done = convlens("evaluate", one, "--baseline", other, "--json")
    assert done.json["baseline"]["n"] == shared
    assert done.json["baseline"]["left_out"] == len(tests[0]) - shared
    assert done.json["n"] == len(tests[0])
    assert "has learned from" in " ".join(done.err.split())

    moved = Path(shutil.copytree(photos, tmp_path / "renamed"))
    for number, file in enumerate(sorted(moved.rglob("*.png"))):
        file.rename(file.with_name(f"{number}.png"))
    elsewhere = convlens("evaluate", one, moved, "--baseline", other, "--json")
    assert elsewhere.json["baseline"]["n"] == shared
    assert "these figures flatter it" in " ".join(elsewhere.err.split())

    learned = tmp_path / "learned"
    for file in sorted(photos.rglob("*.png")):
        if file.relative_to(photos).as_posix() not in tests[1]:
            (learned / file.parent.name).mkdir(parents=True, exist_ok=True)
            shutil.copy(file, learned / file.parent.name)
    refused = convlens("evaluate", one, learned, "--baseline", other)
    assert refused.status == 2
    assert "--splits" in refused.err
    alone = convlens("evaluate", one, "--baseline", other / "bundle", "--json")
    assert alone.json["baseline"]["n"] == shared  # the bundle knows them by itself
    forget_training_images(other / "bundle")
    older = convlens("evaluate", one, "--baseline", other / "bundle", "--json")
    assert "cannot tell whether" in " ".join(older.err.split())


def test_training_images_are_known_wherever_they_lie(tmp_path: Path, convlens: Convlens) -> None:
    photos = fill(tmp_path / "photos", each=20)
    run = tmp_path / "run"
    convlens("train", photos, "--layers", NET, "--epochs", "1", "--out", run)
    learned = sum(
        row["split"] != "test"
        for row in csv.DictReader((run / "splits.csv").read_text("utf-8").splitlines())
    )
    words = f"{learned} of 40 images are among those"
    moved = photos.rename(tmp_path / "elsewhere")
    for number, file in enumerate(sorted(moved.rglob("*.png"))):
        file.rename(file.with_name(f"{number}.png"))
    assert words in " ".join(convlens("evaluate", run, moved).err.split())
    alone = Path(shutil.copytree(run / "bundle", tmp_path / "alone"))
    assert words in " ".join(convlens("evaluate", alone, moved).err.split())
    others = fill(tmp_path / "others", each=5)
    told = " ".join(convlens("evaluate", alone, others).err.split())
    assert "flatter" not in told
    assert "cannot tell" not in told
    pixels = np.zeros((4, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "arrays.npz", X=pixels, y=np.array(["red", "grün"] * 2))
    told = " ".join(convlens("evaluate", run, tmp_path / "arrays.npz").err.split())
    assert "cannot tell whether" in told
    assert "trained on files, these are arrays" in told


def test_of_an_earlier_bundle_it_is_said_that_it_cannot_be_known(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=20)
    run = tmp_path / "run"
    convlens("train", photos, "--layers", NET, "--epochs", "1", "--out", run)
    forget_training_images(run / "bundle")
    copy = Path(shutil.copytree(photos, tmp_path / "copy"))
    assert "flatter" in " ".join(convlens("evaluate", run, copy).err.split())
    shutil.rmtree(photos)
    told = " ".join(convlens("evaluate", run, copy).err.split())
    assert "cannot tell whether" in told
    assert "no longer where they were" in told
    alone = " ".join(convlens("evaluate", run / "bundle", copy).err.split())
    assert "cannot tell whether" in alone


def test_a_test_image_that_was_replaced_by_a_training_image_is_noticed(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=20)
    run = tmp_path / "run"
    convlens("train", photos, "--layers", NET, "--epochs", "1", "--out", run)
    rows = list(csv.DictReader((run / "splits.csv").read_text("utf-8").splitlines()))
    train, test = (
        next(photos / row["image"] for row in rows if row["split"] == split)
        for split in ("train", "test")
    )
    assert "not as it was" not in " ".join(convlens("evaluate", run).err.split())
    shutil.copy(train, test)
    assert "it was trained on 1 test image" in " ".join(convlens("evaluate", run).err.split())


def test_networks_for_other_classes_are_not_compared(
    runs: tuple[Run, Run], tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", each=12)
    convlens("train", photos, "--layers", NET, "--epochs", "1", "--out", tmp_path / "run")
    refused = convlens("evaluate", runs[0].folder, "--baseline", tmp_path / "run")
    assert refused.status == 2
    assert "different classes" in " ".join(refused.err.split())


def test_networks_of_other_sizes_see_the_same_images_each_in_its_way(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", classes=3, each=20)
    one, other = tmp_path / "one", tmp_path / "other"
    words = ("train", photos, "--layers", NET, "--epochs", "4", "--out")
    convlens(*words, one)
    convlens(*words, other, "--size", "20x24", "--set", "input.channels=1")
    done = convlens("evaluate", one, "--baseline", other, "--json").json
    alone = convlens("evaluate", other, "--json").json
    assert done["baseline"]["n"] == 9
    assert done["baseline"]["first"] == done["accuracy"]
    assert done["baseline"]["second"] == alone["accuracy"]


def test_views_their_gain_and_their_cost(runs: tuple[Run, Run], convlens: Convlens) -> None:
    plain = convlens("evaluate", runs[0].folder, "--json").json
    done = convlens("evaluate", runs[0].folder, "--tta", "crops", "--json").json
    views = done["tta"]
    assert (views["views"], views["count"]) == (["crops"], 5)
    assert views["gain"]["first"] == done["accuracy"]
    assert views["gain"]["second"] == plain["accuracy"]
    assert views["milliseconds"] > 1.5 * views["milliseconds_without"] > 0
    assert (plain["tta"], done["selective"]["rule"]) == (None, None)
    told = convlens("evaluate", runs[0].folder, "--tta", "flip")
    assert "With 2 views an image (flip)" in told.out
    assert "worse by" in told.out  # digits are not what they are when mirrored
    refused = convlens("evaluate", runs[0].folder, "--tta", "rotate")
    assert refused.status == 2
    assert "expected flip, crops" in " ".join(refused.err.split())


def test_a_run_that_is_resumed_is_calibrated_to_the_same_bits(
    runs: tuple[Run, Run], tmp_path: Path
) -> None:
    run = copied(runs[0], tmp_path / "run")
    before = run.metrics
    shutil.rmtree(run.bundle)
    (run.folder / "metrics.json").unlink()
    again = package.train(resume=run.folder, quiet=True)
    for part in ("val", "test", "calibration", "selective"):
        assert again.metrics[part] == before[part]


def test_a_binary_network_is_calibrated_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(500) % 2
    x = np.clip(rng.normal(100 + 12 * y[:, None, None], 60, (500, 8, 8)), 0, 255).astype(np.uint8)
    run = package.train(
        (x, y),
        layers="conv 8 3 relu, globalavgpool, dense",
        epochs=3,
        out=tmp_path / "run",
        settings=["training.loss.name='binary'", "data.val=0.3"],
        quiet=True,
    )
    calibration = run.predictor().bundle.calibration
    assert calibration.fitted_on > 0
    assert calibration.temperature != 1
    assert calibration.selective is not None
    assert run.metrics["selective"]["figures"]["coverage"] > 0.85
    (found,) = run.predictor().predict(x[:1])
    assert len(found.top) == 2
    assert sum(guess.probability for guess in found.top) == pytest.approx(1)


def test_all_figures_are_printed_in_80_columns(
    runs: tuple[Run, Run], convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = convlens("evaluate", runs[1].folder).out
    assert max(map(len, out.splitlines())) <= 80
    words = " ".join(out.split())
    for name in (
        "accuracy",
        "top-5 accuracy",
        "balanced accuracy",
        "log loss",
        "Brier score",
        "calibration error",
        "ROC AUC",
        "Temperature",
        "Not sure of",
        "Promised: the classes named hold the true one for at least 95 %",
        "exchangeable",
        "Confused most:",
        "recall, %",
    ):
        assert name in words, name
