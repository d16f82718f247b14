import json
from pathlib import Path

import cv2  # noqa: F401 - its first import sets an environment variable
import numpy as np
import pytest
from PIL import Image

from convlens import api
from convlens.augment import make_transform, pictures
from convlens.cli.main import main
from convlens.core.reporter import Quiet
from convlens.data import PixelBatches, open_source, read_pixels
from convlens.recipe import resolve_defaults


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    rows, columns = np.mgrid[:90, :120]
    pixels = np.stack([rows * 2, columns * 2, (rows + columns)], axis=-1).astype(np.uint8)
    path = tmp_path / "葉 $1.png"
    Image.fromarray(pixels).save(path)
    return path


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as left:
        main(["visualize", "augment", *map(str, words)])
    return int(left.value.code or 0)


def test_an_image_becomes_a_sheet_and_words(photograph, tmp_path, capsys):
    out = tmp_path / "sheet.png"
    assert run(photograph, "--policy", "standard", "--out", out, "--size", "32x48") == 0
    told = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in told[:9]] == [f"epoch {n}" for n in range(1, 10)]
    assert "crop" in told[0]
    assert told[9] == f"written to {out}"
    with Image.open(out) as sheet:
        assert sheet.format == "PNG"


def test_json_is_one_object_on_stdout(photograph, tmp_path, capsys):
    assert run(photograph, "--policy", "none", "--out", tmp_path / "looks", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "epochs": [[] for _ in range(9)],
        "files": [str(tmp_path / "looks" / "augmentation.png")],
    }


def test_a_source_is_shown_as_training_would_see_it(tmp_path, capsys):
    out = tmp_path / "digits.png"
    assert run("digits", "--number", 3, "--seed", 2, "--out", out, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    again = api.visualize_augment("digits", number=3, seed=2, quiet=True)
    assert told["epochs"] == [list(phrases) for phrases in again.drawn]
    assert again.images.shape == (9, 8, 8, 1)
    assert not any("mirrored" in phrases for phrases in again.drawn)


def test_the_sheet_is_what_training_is_handed():
    seen = api.visualize_augment("digits", number=3, quiet=True)
    images = open_source("digits", reporter=Quiet())
    recipe, _ = resolve_defaults({"source": "digits"}, images)
    pixels = read_pixels(images, images.splits["train"], recipe.input, reporter=Quiet())
    batches = PixelBatches(pixels, images.labels, batch_size=100, seed=0)
    transform = make_transform(recipe.augment, seed=0, classes=10, height=8, width=8)
    index = images.splits["train"][3]
    for epoch, shown in enumerate(seen.images):
        handed = [transform(batch) for batch in batches.epoch(epoch)]
        found = [batch.pixels[batch.indices == index] for batch in handed]
        assert np.array_equal(np.concatenate(found)[0].transpose(1, 2, 0), shown)


def test_settings_of_the_recipe_are_taken(photograph):
    seen = api.visualize_augment(
        photograph, policy="none", settings=["augment.vertical_flip=true"], size=16, quiet=True
    )
    assert set(seen.drawn) == {(), ("upside down",)}
    for image, phrases in zip(seen.images, seen.drawn, strict=True):
        assert np.array_equal(image, seen.original[::-1] if phrases else seen.original)


def test_a_policy_is_chosen_where_none_is_named(photograph):
    small = api.visualize_augment(photograph, size=32, quiet=True)
    large = api.visualize_augment(photograph, size=96, quiet=True)
    assert not any("crop" in phrase for phrases in small.drawn for phrase in phrases)
    assert all(phrases[0].startswith("crop") for phrases in large.drawn)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["digits", "--number", "5000"], "give a number from 0 to 1256"),
        (["digits", "--policy", "standrad"], "did you mean 'standard'?"),
        (["digits", "--out", "sheet.jpg"], "name it sheet.png"),
        (["digits", "--set", "augment.rotation_range=200"], "rotation_range"),
        (["no-such.jpg"], "no such file, folder or dataset: no-such.jpg"),
    ],
)
def test_a_wrong_request_is_told_without_a_traceback(words, message, capsys):
    assert run(*words) == 2
    told = capsys.readouterr()
    assert message in " ".join(told.err.split())
    assert "Traceback" not in told.err
    assert not told.out


def test_a_file_that_is_no_image_is_told_so(tmp_path, capsys):
    path = tmp_path / "notes.txt"
    path.write_text("not an image", "utf-8")
    assert run(path) == 2
    assert "it is not an image" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({}, "augmentation light"),
        ({"policy": "strong"}, "policy strong; seed 0"),
        ({"settings": ["augment.policy=strong"]}, "policy strong; seed 0"),
        ({"settings": ["augment.cutmix=0.5"]}, ", changed as asked: "),
    ],
)
def test_the_sheet_says_where_its_augmentation_comes_from(asked, told, tmp_path, monkeypatch):
    said = []
    drawn = pictures.draw_sheet

    def draw(found, *, title, detail):
        said.append(detail)
        return drawn(found, title=title, detail=detail)

    monkeypatch.setattr(pictures, "draw_sheet", draw)
    api.visualize_augment("digits", out=tmp_path / "sheet.png", quiet=True, **asked)
    assert told in said[0]
