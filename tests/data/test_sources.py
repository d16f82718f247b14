import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.data import DataSettings, open_for_evaluation, open_source


def sizes(images):
    return {name: len(numbers) for name, numbers in images.splits.items()}


def refusal(call, *arguments, **options):
    with pytest.raises(ConvlensError) as caught:
        call(*arguments, **options)
    return caught.value


def test_a_flat_folder_is_cut_into_three(tmp_path, write_classes, listener):
    images = open_source(write_classes(tmp_path / "plants", a=20, b=40), reporter=listener)
    assert sizes(images) == {"train": 42, "val": 9, "test": 9}
    assert images.counts()["test"] == {"a": 3, "b": 6}
    assert sorted(np.concatenate(list(images.splits.values())).tolist()) == list(range(60))
    assert listener.said[0] == "found 60 images in 2 classes: 42 train, 9 val, 9 test"
    assert images.notes == (
        "every image 6x8",
        "no validation split in plants: 9 images cut from train",
        "no test split in plants: 9 images cut from train",
    )
    assert listener.said[1:] == list(images.notes)


@pytest.mark.parametrize(
    ("given", "asked", "expected"),
    [
        (["train", "test"], {}, {"train": 36, "val": 4, "test": 40}),
        (["train", "val"], {}, {"train": 36, "val": 40, "test": 4}),
        (["train"], {}, {"train": 28, "val": 6, "test": 6}),
        (["train", "val", "test"], {}, {"train": 40, "val": 40, "test": 40}),
        (["train", "val"], {"test": 0}, {"train": 40, "val": 40, "test": 0}),
        (["train", "test"], {"val": 0}, {"train": 40, "val": 0, "test": 40}),
        (["train", "test"], {"val": 0.25}, {"train": 30, "val": 10, "test": 40}),
        (["train"], {"val": 0, "test": 0.5}, {"train": 20, "val": 0, "test": 20}),
    ],
)
def test_missing_splits_are_cut_from_train(tmp_path, write_classes, given, asked, expected):
    for split in given:
        write_classes(tmp_path / split, a=20, b=20)
    images = open_source(tmp_path, settings=DataSettings(**asked), reporter=Quiet())
    assert sizes(images) == expected
    for name in set(given) - {"train"}:
        inside = {Path(images.paths[i]).relative_to(tmp_path).parts[0] for i in images.splits[name]}
        assert inside == {name}


def test_without_training_images_there_is_nothing_to_train_on(tmp_path, write_classes, listener):
    write_classes(tmp_path / "test", a=2, b=2)
    error = refusal(open_source, tmp_path, reporter=listener)
    assert error.code == "no-train-split"
    assert "images in test only" in error.message


def test_too_few_images_are_said(tmp_path, write_classes, listener):
    images = open_source(write_classes(tmp_path, a=20, b=2, c=1), reporter=listener)
    assert "too few images to be in every split (fewer than 3): b (2), c (1)" in images.notes
    assert images.counts()["train"] == {"a": 14, "b": 1, "c": 1}


def test_a_folder_named_like_a_dataset(tmp_path, write_classes, listener):
    write_classes(tmp_path / "digits", a=5, b=5)
    with chdir(tmp_path):
        assert len(open_source("digits", reporter=listener)) == 1797
        assert any("write ./digits for the folder" in line for line in listener.said)
        assert len(open_source("./digits", reporter=listener)) == 10
        assert len(open_source(Path("digits"), reporter=listener)) == 10


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("digist", "no-such-source", ["digist", "did you mean 'digits'?", "a folder of"]),
        ("nowhere/plants", "no-such-source", ["nowhere/plants"]),
        (__file__, "unknown-source", ["is a file", ".npz"]),
        ((1, 2, 3), "bad-arrays", ["tuple of 3", "(X, y)"]),
    ],
)
def test_what_cannot_be_opened(listener, source, code, words):
    for error in (
        refusal(open_source, source, reporter=listener),
        refusal(open_for_evaluation, source, classes=["a"], reporter=listener),
    ):
        assert error.code == code
        assert error.exit_status == 2
        for word in words:
            assert word in error.message


def test_a_url_is_called_one(listener):
    for source in ("https://example.org/a.zip", "s3://bucket/photos"):
        with pytest.raises(ConvlensError, match=r"is a URL; expected .*; download it"):
            open_source(source, reporter=listener)


def test_arrays_of_one_class(listener):
    arrays = np.zeros((4, 2, 2), np.uint8), np.zeros(4, int)
    assert refusal(open_source, arrays, reporter=listener).code == "one-class"
    assert len(open_for_evaluation(arrays, classes=["1", "0"], reporter=listener)) == 4


def test_a_spreadsheet_is_called_one(tmp_path, listener):
    (tmp_path / "plants.xlsx").write_bytes(b"PK")
    error = refusal(open_source, tmp_path / "plants.xlsx", reporter=listener)
    assert error.code == "unknown-source"
    assert "save it as CSV UTF-8" in error.message


def test_evaluation_matches_classes_by_name(tmp_path, write_classes, listener):
    write_classes(tmp_path, b=2, c=1)
    images = open_for_evaluation(tmp_path, classes=["c", "a", "b"], reporter=listener)
    assert images.classes == ("c", "a", "b")
    assert images.labels.tolist() == [2, 2, 0]
    assert sizes(images) == {"train": 0, "val": 0, "test": 3}
    assert images.notes == ("no images of 1 of 3 classes: a",)


def test_evaluation_refuses_classes_the_network_does_not_know(tmp_path, write_classes, listener):
    write_classes(tmp_path, b=2, wolf=1)
    error = refusal(open_for_evaluation, tmp_path, classes=["a", "b"], reporter=listener)
    assert error.code == "unknown-classes"
    assert "wolf" in error.message
    assert "a, b" in error.message


def test_evaluation_takes_the_source_s_own_test_split(listener):
    train = np.zeros((4, 2, 2), np.uint8), np.arange(4)
    test = np.ones((2, 2, 2), np.uint8), np.array([1, 3])
    images = open_for_evaluation((train, test), classes=tuple("0123"), reporter=listener)
    assert images.labels.tolist() == [1, 3]
    assert (images.arrays == 1).all()


def test_skipped_files_are_counted_and_named_once(tmp_path, write_classes, listener):
    write_classes(tmp_path, a=5, b=5)
    for number in range(5):
        (tmp_path / "a" / f"{number}.txt").write_text("x")
    images = open_source(tmp_path, reporter=listener)
    assert len(images.skipped) == 5
    (warning,) = listener.warned
    assert warning.startswith("skipped 5: ")
    assert "0.txt" in warning
    assert warning.endswith("and 2 more")


def test_opening_a_folder_loads_neither_torch_nor_scikit_learn():
    code = (
        "import sys, convlens.data as d\n"
        "from convlens.core.reporter import Quiet\n"
        "try: d.open_source('no-such-folder', reporter=Quiet())\n"
        "except Exception as e: print(type(e).__name__)\n"
        "print([m for m in ('torch', 'sklearn', 'scipy', 'pyarrow') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert result.stdout.split("\n")[:2] == ["ConvlensError", "[]"]


def test_settings_are_validated():
    with pytest.raises(ValueError, match="together"):
        DataSettings(val=0.5, test=0.5)
    with pytest.raises(ValueError, match="val"):
        DataSettings(val=-0.1)
    with pytest.raises(ValueError, match="extra"):
        DataSettings(validation=0.1)
