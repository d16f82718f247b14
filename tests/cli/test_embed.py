"""``convlens embed``."""

import json
from pathlib import Path

import cv2  # noqa: F401 - its first import sets an environment variable
import numpy as np
import pytest
from PIL import Image

from convlens import api
from convlens.cli.main import main


@pytest.fixture
def plants(tmp_path: Path) -> Path:
    numbers = np.random.default_rng(0)
    for name in ("rose", "tulpe"):
        for number in range(6):
            path = tmp_path / "plants" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(numbers.integers(0, 256, (30, 30, 3), np.uint8)).save(path)
    return tmp_path / "plants"


def _run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["embed", *map(str, words)])
    return int(left.value.code or 0)


def test_every_image_is_a_row(
    plants: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.npz"
    assert _run("simple", plants, "--out", out, "--json") == 0
    told = capsys.readouterr()
    assert json.loads(told.out) == {
        "path": str(out),
        "layer": "before the head",
        "shape": [12, 64],
        "skipped": [],
    }
    assert "random weights" in told.err
    with np.load(out, allow_pickle=False) as found:
        assert found["features"].shape == (12, 64)
        assert sorted(found["names"]) == sorted(
            f"{name}/{number}.png" for name in ("rose", "tulpe") for number in range(6)
        )
        named = [found["classes"][label] for label in found["labels"]]
        assert named == [name.split("/")[0] for name in found["names"]]


def test_a_layer_and_a_whole_map(
    plants: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.npz"
    assert _run("simple", plants, "--out", out, "--layer", "head.dense1") == 0
    assert "12 images, 128 features each (head.dense1)" in capsys.readouterr().out
    assert _run("simple", plants, "--out", out, "--no-pool") == 0
    assert "12 images, 64×3×3 features each" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simple", "nowhere", "--out", "{out}.npz"), "nowhere"),
        (("simpel", "{plants}", "--out", "{out}.npz"), "did you mean 'simple'"),
        (("simple", "{plants}", "--out", "{out}.npz", "--layer", "blok"), "unknown layer 'blok'"),
        (("simple", "{plants}", "--out", "{out}.csv"), ".npz"),
        (("simple", "{plants}"), "--out"),
    ],
)
def test_a_wrong_request_is_an_error_in_words(
    plants: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    out = tmp_path / "out"
    assert _run(*(word.format(plants=plants, out=out) for word in words)) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("out")]


def test_python_has_the_same_words(plants: Path, tmp_path: Path) -> None:
    written = api.embed("simple", plants, out=tmp_path / "f.npz", quiet=True)
    assert written.shape == (12, 64)
    arrays = (np.zeros((4, 28, 28), np.uint8), [0, 1, 0, 1])
    assert api.embed("simple", arrays, out=tmp_path / "g.npz", quiet=True).shape == (4, 64)


def test_images_without_classes_and_of_one_class(
    plants: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.npz"
    (plants / "rose" / "broken.png").write_bytes(b"no image")
    assert _run("simple", plants / "rose", "--out", out) == 0
    told = capsys.readouterr()
    assert "6 images, 64 features each" in told.out
    assert "without classes" in told.err
    assert "broken.png" in told.err.replace("\n", "")
    with np.load(out, allow_pickle=False) as found:
        assert found["names"].tolist() == [f"{number}.png" for number in range(6)]
        assert found["labels"].tolist() == [-1] * 6
        assert found["classes"].tolist() == []

    for file in (plants / "tulpe").iterdir():
        file.unlink()
    assert _run("simple", plants, "--out", out) == 0
    assert "6 images of one class, 'rose'" in capsys.readouterr().err
    with np.load(out, allow_pickle=False) as found:
        assert [found["classes"][label] for label in found["labels"]] == ["rose"] * 6

    assert _run("simple", plants / "rose" / "0.png", "--out", out) == 0
    assert "1 image, 64 features each" in capsys.readouterr().out
