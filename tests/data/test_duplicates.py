import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.reporter import Quiet
from convlens.data import duplicates, open_source
from convlens.data.duplicates import joined, same_arrays, same_files


def test_copies_are_found_by_content_alone(tmp_path):
    contents = [b"a" * 10_000, b"b" * 10_000, b"a" * 10_000, b"a" * 9_999, b"", b"", b"x"]
    paths = []
    for number, content in enumerate(contents):
        paths.append(str(tmp_path / f"{number}.jpg"))
        (tmp_path / f"{number}.jpg").write_bytes(content)
    assert same_files(paths, Quiet()).tolist() == [0, 1, 0, 3, 4, 4, 6]


def test_files_that_differ_only_at_the_start_are_no_copies(tmp_path):
    for name, first in (("a", b"1"), ("b", b"2"), ("c", b"1")):
        (tmp_path / name).write_bytes(first + b"." * 20_000)
    paths = [str(tmp_path / name) for name in "abc"]
    assert same_files(paths, Quiet()).tolist() == [0, 1, 0]


def test_a_file_that_cannot_be_read_is_a_copy_of_none(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    paths = [str(tmp_path / name) for name in ("a", "gone", "also gone")]
    assert same_files(paths, Quiet()).tolist() == [0, 1, 2]
    assert same_files([], Quiet()).tolist() == []


def test_only_files_of_equal_size_are_opened(tmp_path, monkeypatch):
    for size in range(1, 6):
        (tmp_path / str(size)).write_bytes(b"x" * size)

    monkeypatch.setattr(duplicates, "_tail", None)  # reading would fail
    paths = [str(tmp_path / str(size)) for size in range(1, 6)]
    assert same_files(paths, Quiet()).tolist() == [0, 1, 2, 3, 4]


@given(st.lists(st.sampled_from("abc"), max_size=12))
def test_the_first_of_equal_names_stands_for_all(names):
    assert same_arrays(names).tolist() == [names.index(name) for name in names]


@given(st.data(), st.integers(1, 25))
def test_joined_is_the_finest_grouping_that_keeps_both(data, n):
    numbers = st.lists(st.integers(0, 8), min_size=n, max_size=n)
    one, other = (np.array(data.draw(numbers)) for _ in "ab")
    unit = joined(one, other)
    # Reference: reachability by repeated squaring of the relation "together in either".
    together = (one[:, None] == one) | (other[:, None] == other)
    for _ in range(6):
        together = (together.astype(int) @ together.astype(int)) > 0
    assert ((unit[:, None] == unit) == together).all()


def test_copies_stay_on_one_side_and_are_said(tmp_path, write_classes, listener):
    root = write_classes(tmp_path / "plants", a=40, b=40)
    for number in range(0, 40, 2):
        shutil.copy(root / "a" / f"{number:03}.png", root / "a" / f"copy{number:03}.png")
    images = open_source(root, reporter=listener)
    side = {int(i): name for name, numbers in images.splits.items() for i in numbers}
    sides = {name: side[number] for number, name in enumerate(images.names())}
    for number in range(0, 40, 2):
        assert sides[f"a/{number:03}.png"] == sides[f"a/copy{number:03}.png"]
    assert "exact copies of other images: 20, kept on the side of those" in images.notes
    assert set(side.values()) == {"train", "val", "test"}


def test_copies_with_different_classes_are_named(tmp_path, write_classes, listener):
    root = write_classes(tmp_path / "plants", a=5, b=5)
    shutil.copy(root / "a" / "000.png", root / "b" / "other.png")
    notes = open_source(root, reporter=listener).notes
    assert "exact copies have different classes: a/000.png and b/other.png" in notes


def test_copies_across_given_splits_are_named(tmp_path, write_classes, listener):
    for split in ("train", "test"):
        write_classes(tmp_path / split, a=9, b=9)
    shutil.copy(tmp_path / "train" / "a" / "001.png", tmp_path / "test" / "a" / "x.png")
    images = open_source(tmp_path, reporter=listener)
    said = [note for note in images.notes if "different splits" in note]
    assert said == [
        "exact copies are in different splits of the source: test/a/x.png and train/a/001.png"
    ]
    assert len(images.splits["test"]) == 19


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_equal_arrays_stay_on_one_side(kind, listener):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 2, (60, 4, 4)).astype(kind)
    images[30:] = images[:30]
    labels = np.tile(np.arange(30) % 2, 2)
    found = open_source((images, labels), reporter=listener)
    for numbers in found.splits.values():
        assert {int(i) % 30 for i in numbers if i >= 30} == {int(i) for i in numbers if i < 30}
