"""``convlens visualize``, from words to files, figures and exit status."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2  # noqa: F401 - its first import sets an environment variable
import numpy as np
import pytest
import torch
from PIL import Image

from convlens import api
from convlens.cli.main import main
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build
from convlens.prediction import Bundle, Calibration, load_bundle, save_bundle

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``convlens visualize``; returns its exit status, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["visualize", *map(str, words)])
        told = capsys.readouterr()
        return int(left.value.code or 0), told.out, told.err

    return call


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    spec, model = InputSpec(height=16, width=16), ModelSpec(name="standard")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build(model, spec, classes=3)
    folder = tmp_path_factory.mktemp("runs") / "plants"
    save_bundle(
        Bundle(classifier=net, model=model, classes=("daisy", "rose", "tulip")), folder / "bundle"
    )
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "leaf 葉 $1$.png"
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def places(trained: Path, photo: Path, tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and then nothing")
    empty, broken = tmp_path / "empty", tmp_path / "broken.png"
    return {"trained": trained, "photo": photo, "empty": empty, "broken": broken}


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_features_of_a_run(run: Run, trained: Path, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, told, said = run("features", trained, photo, photo, "--out", out, "--layer", "block2")
    assert (status, said) == (0, "")
    assert told.splitlines()[0].startswith("block2  4×4×64  ")
    assert _names(out) == {"features-block2.png", "features-block2.npz"}
    status, told, _ = run("features", trained, photo, "--out", out, "--json", "--scale", "shared")
    found = json.loads(told)
    assert status == 0
    assert [row["shape"] for row in found["layers"]] == [[8, 8, 32], [4, 4, 64], [2, 2, 128]]
    assert found["network"] == "plants"
    assert all(Path(path).is_file() for path in found["files"])


def test_filters_of_a_named_network_say_that_the_weights_are_random(
    run: Run, tmp_path: Path
) -> None:
    status, told, said = run("filters", "simple", "--out", tmp_path / "out")
    assert status == 0
    assert told.startswith("block1.conv1  16 filters of 3×3×1; the strongest is ")
    assert "simple has random weights" in said
    assert _names(tmp_path / "out") == {"filters-block1.conv1.png", "filters-block1.conv1.npz"}


def test_gradcam_of_a_chosen_class(run: Run, trained: Path, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    status, told, _ = run("gradcam", trained, photo, "--class", "tulip", "--out", out)
    assert status == 0
    assert told.startswith("leaf 葉 $1$.png  tulip ")
    assert _names(out) == {"gradcam-block3.png", "gradcam-block3.npz"}
    status, told, _ = run("gradcam", trained, photo, "--out", out, "--json", "--layer", "block1")
    (row,) = json.loads(told)["images"]
    assert row["class"] in {"daisy", "rose", "tulip"}
    assert 1 / 3 <= row["probability"] <= 1


def test_probabilities_are_those_that_predict_gives(
    run: Run, trained: Path, photo: Path, tmp_path: Path
) -> None:
    """Of a calibrated network: at its temperature."""
    bundle = load_bundle(trained)
    calibrated = tmp_path / "calibrated"
    save_bundle(replace(bundle, calibration=Calibration(temperature=0.25)), calibrated)
    (predicted,) = api.predict(calibrated, photo, top=3, quiet=True)
    (raw,) = api.predict(trained, photo, top=3, quiet=True)
    assert abs(predicted.top[0].probability - raw.top[0].probability) > 0.001
    for guess in predicted.top:
        words = ("--class", guess.name, "--json", "--out", tmp_path / "out")
        (row,) = json.loads(run("gradcam", calibrated, photo, *words)[1])["images"]
        assert row["probability"] == pytest.approx(guess.probability, abs=1e-5)
    _, told, _ = run("shift", calibrated, photo, "--by", 1, "--json", "--out", tmp_path / "out")
    moved = json.loads(told)
    assert moved["lowest_probability"] <= predicted.top[0].probability + 1e-5
    assert moved["highest_probability"] >= predicted.top[0].probability - 1e-5
    with np.load(tmp_path / "out" / "shift.npz") as arrays:
        unmoved = arrays["probabilities"][1]
    assert unmoved.max() == pytest.approx(predicted.top[0].probability, abs=1e-5)


def test_shift(run: Run, trained: Path, photo: Path, tmp_path: Path) -> None:
    status, told, _ = run("shift", trained, photo, "--by", 2, "--axis", "y", "--out", tmp_path)
    assert status == 0
    assert "of 5 offsets" in told
    assert {"shift.png", "shift.npz"} <= _names(tmp_path)


def test_convolution_shows_the_numbers(run: Run, tmp_path: Path) -> None:
    status, told, _ = run("convolution", "--kernel", "vertical-edge", "--out", tmp_path)
    assert status == 0
    lines = told.splitlines()
    assert lines[0] == "vertical edge, 5×5 → 3×3: (5 − 3 + 2·0)/1 + 1 = 3"
    assert lines[2:7] == ["  1 2 0 1 3", "  0 1 2 3 1", "  1 0 1 0 2", "  2 1 0 1 0", "  0 3 2 1 1"]
    terms = "1·(-1) + 2·0 + 0·1 + 0·(-1) + 1·0 + 2·1 + 1·(-1) + 0·0 + 1·1"
    assert f"at (0, 0): {terms} = 1" in lines
    assert lines[-5:-2] == ["   1  1  3", "   0  2  0", "   0 -2  0"]
    with np.load(tmp_path / "convolution.npz") as arrays:
        assert arrays["feature_map"][0, 0] == 1


def test_convolution_of_an_image_and_of_typed_numbers(
    run: Run, photo: Path, tmp_path: Path
) -> None:
    words = ("--kernel", "-1 0 1; -1 0 1; -1 0 1", "--padding", "same", "--stride", 2, "--json")
    status, told, _ = run("convolution", photo, *words, "--out", tmp_path)
    found = json.loads(told)
    assert (status, found["image"], found["output"]) == (0, [20, 30], [10, 15])
    assert (found["kernel"], "numbers" in found) == ("your kernel", False)
    typed = ("--numbers", "1 2; 3 4", "--kernel", "1 1; 1 1", "--at", "0,0")
    _, told, _ = run("convolution", *typed, "--json", "--out", tmp_path)
    assert json.loads(told)["sum"] == 10


def test_pooling_moves(run: Run, tmp_path: Path) -> None:
    words = ("--window", 2, "--animate", "--format", "webp", "--at", "1 1")
    status, told, _ = run("pooling", *words, "--out", tmp_path)
    assert status == 0
    assert "at (1, 1): largest 1, mean 0.5" in told.splitlines()
    assert _names(tmp_path) == {"pooling.png", "pooling.npz", "pooling.webp"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("features", "vgg61", "{photo}"), "did you mean"),
        (("features", "{photo}", "{photo}"), "not a network"),
        (("features", "runs/nowhere", "{photo}"), "runs/nowhere does not exist"),
        (("features", "{trained}", "nope.jpg"), "nope.jpg"),
        (("features", "{trained}", "{photo}", "--layer", "blok2"), "did you mean block2"),
        (("features", "{trained}", "{photo}", "--pretrained"), "leave it out"),
        (("features", "{empty}", "{photo}"), "holds no bundle"),
        (("features", "{trained}", "{broken}"), "cannot read"),
        (("features", "{trained}"), "Missing argument"),
        (("features", "simple", "{photo}", "--input", "28x28"), "lacks its channels"),
        (("features", "simple", "{photo}", "--weights", "{broken}"), "broken.png"),
        (("features", "simple", "{photo}", "--pretrained"), "no published weights"),
        (("filters", "{trained}", "--layer", "head"), "holds no convolution"),
        (("filters", "simple", "--scale", "both"), "Invalid value"),
        (("gradcam", "{trained}", "{photo}", "--class", "tulp"), "did you mean 'tulip'"),
        (("gradcam", "{trained}", "{photo}", "--layer", "head"), "gives 2 axes"),
        (("shift", "{trained}", "{photo}", "--by", "16"), "expected 1 to 15"),
        (("convolution", "--kernel", "blurr"), "did you mean 'blur'"),
        (("convolution", "--kernel", "1 2; 3"), "rows of 2, 1 numbers"),
        (("convolution", "--padding", "some"), "same or valid"),
        (("convolution", "--at", "a"), "row and column"),
        (("convolution", "--at", "9,9"), "rows 0 to 2"),
        (("convolution", "--numbers", "1 x"), "'x'"),
        (("convolution", "{photo}", "--numbers", "1"), "give one"),
        (("convolution", "{broken}"), "cannot read"),
        (("pooling", "--window", "6"), "spans 6 pixels"),
        (("pooling", "--padding", "2"), "at most half its side"),
    ],
)
def test_a_wrong_request_is_an_error_in_words_and_leaves_no_file(
    run: Run, places: dict[str, Path], tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    out = tmp_path / "out"
    status, told, errors = run(*(word.format(**places) for word in words), "--out", out)
    assert (status, told) == (2, "")
    assert said in errors
    assert "Traceback" not in errors
    assert not out.exists()


def test_a_folder_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, told, _ = run("convolution", "--out", tmp_path / "file" / "out", "--json")
    assert status == 2
    assert json.loads(told)["error"]["code"] == "not-writable"


def test_python_has_the_same_words(trained: Path, photo: Path) -> None:
    looker = api.visualize(trained, quiet=True)
    look = looker.gradcam(str(photo), class_name="rose")
    assert look.summary["images"][0]["class"] == "rose"
    again = api.visualize(looker.subject.classifier, quiet=True).gradcam([photo], class_name=1)
    np.testing.assert_array_equal(
        again.arrays["gradcam-block3"]["heat"], look.arrays["gradcam-block3"]["heat"]
    )
