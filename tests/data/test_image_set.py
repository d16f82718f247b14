import hashlib
import shutil
from pathlib import Path
from struct import pack

import numpy as np
import pytest

from convlens.data import ImageSet, open_source


def made(**changes):
    values = {
        "name": "made",
        "classes": ("a", "b"),
        "labels": np.array([0, 1, 1]),
        "splits": {"train": np.array([0, 1]), "val": np.array([2]), "test": np.array([], int)},
        "arrays": np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1),
    }
    return ImageSet(**(values | changes))


def test_counts_are_per_split_and_class():
    assert made().counts() == {
        "train": {"a": 1, "b": 1},
        "val": {"a": 0, "b": 1},
        "test": {"a": 0, "b": 0},
    }
    assert len(made()) == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"paths": ["a", "b", "c"]},
        {"arrays": None},
        {"labels": np.array([0])},
        {"splits": {"train": np.array([0])}},
    ],
)
def test_an_image_set_that_does_not_fit_together(changes):
    with pytest.raises(ValueError, match="paths or arrays|labels"):
        made(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ("a", "c")},
        {"labels": np.array([0, 1, 0])},
        {"arrays": np.zeros((3, 2, 2, 1), np.uint8)},
        {"arrays": np.arange(12, dtype=np.uint8).reshape(3, 1, 4, 1)},
        {"splits": {"train": np.array([0]), "val": np.array([1, 2]), "test": np.array([], int)}},
    ],
)
def test_the_fingerprint_sees_every_part(changes):
    assert made(**changes).fingerprint() != made().fingerprint()


def test_the_fingerprint_is_the_same_on_every_machine():
    """Written out by hand: runs record it, and compare it with that of another machine."""
    numbers = {"train": [0, 1], "val": [2], "test": []}
    told = b"convlens image set 1\0" + b"a\0b\0" + pack("<3q", 0, 1, 1)
    for split, own in numbers.items():
        told += split.encode() + pack(f"<{len(own)}q", *own)
    told += b"(3, 2, 2, 1)" + bytes(range(12))
    assert made().fingerprint() == hashlib.sha256(told).hexdigest()


def test_the_fingerprint_of_files_that_are_gone(tmp_path):
    files = [str(tmp_path / name) for name in ("a", "b", "c")]
    gone = made(arrays=None, paths=files, root=str(tmp_path))
    before = gone.fingerprint()
    (tmp_path / "a").write_bytes(b"x")
    assert gone.fingerprint() != before


def test_the_fingerprint_is_that_of_the_content(tmp_path, write_classes, write_image, listener):
    prints = []
    for name in ("here", "there/deeper"):
        root = tmp_path / name / "plants"
        if prints:
            shutil.copytree(tmp_path / "here" / "plants", root)
        for label in () if prints else ("a", "b"):
            for number in range(6):
                write_image(root / label / f"{number}.bmp")
        images = open_source(root, reporter=listener)
        prints.append(images.fingerprint())
    assert prints[0] == prints[1]
    assert images.fingerprint() == prints[0]
    assert open_source(root, seed=1, reporter=listener).fingerprint() != prints[0]
    write_image(root / "a" / "7.bmp")
    assert open_source(root, reporter=listener).fingerprint() != prints[0]


def test_a_file_replaced_by_one_of_its_size_changes_the_fingerprint(tmp_path):
    files = [str(tmp_path / name) for name in ("a", "b", "c")]
    for number, file in enumerate(files):
        Path(file).write_bytes(bytes([number]) * 70_000)
    images = made(arrays=None, paths=files, root=str(tmp_path))
    before = images.fingerprint()
    assert images.is_as(before)
    Path(files[1]).write_bytes(b"\7" * 70_000)
    assert images.fingerprint() != before
    assert not images.is_as(before)


def test_a_fingerprint_of_an_earlier_version_is_still_understood(tmp_path):
    """Written out by hand, as runs have recorded it: names and sizes."""
    files = [str(tmp_path / name) for name in ("a", "b", "c")]
    for number, file in enumerate(files):
        Path(file).write_bytes(b"x" * number)
    images = made(arrays=None, paths=files, root=str(tmp_path))
    numbers = {"train": [0, 1], "val": [2], "test": []}
    told = b"convlens image set 1\0" + b"a\0b\0" + pack("<3q", 0, 1, 1)
    for split, own in numbers.items():
        told += split.encode() + pack(f"<{len(own)}q", *own)
    earlier = hashlib.sha256(told + b"a\0" + b"0\0b\0" + b"1\0c\0" + b"2\0").hexdigest()
    assert images.is_as(earlier)
    Path(files[0]).write_bytes(b"xxxx")
    assert not images.is_as(earlier)
    assert not images.is_as(None)
    assert made().is_as(made().fingerprint())
    assert not made().is_as(earlier)


def test_the_fingerprint_of_arrays_sees_every_byte(listener):
    images = np.zeros((12, 2, 2), np.uint8)
    labels = np.arange(12) % 2
    first = open_source((images, labels), reporter=listener).fingerprint()
    images[7, 1, 1] = 1
    assert open_source((images, labels), reporter=listener).fingerprint() != first
