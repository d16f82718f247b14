"""Folders with a table inside that says the classes, as Hugging Face's imagefolder has it."""

import json
import shutil
from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.data import DataSettings, open_source
from convlens.data.archives import read_archive
from convlens.data.folders import read_folder
from convlens.data.image_set import SPLITS
from convlens.data.tables import read_table


def images(write_image, folder, n=4):
    for number in range(n):
        write_image(folder / f"{number}.png")
    return folder


def metadata(folder, rows, name="metadata.csv"):
    if name.endswith(".jsonl"):
        lines = [json.dumps({"file_name": file, "label": label}) for file, label in rows]
        (folder / name).write_text("\n".join(lines))
    else:
        lines = ["file_name,label", *(f"{file},{label}" for file, label in rows)]
        (folder / name).write_text("\n".join(lines))


@pytest.mark.parametrize("name", ["metadata.csv", "metadata.jsonl"])
def test_a_metadata_table_says_the_classes(tmp_path, write_image, listener, name):
    root = images(write_image, tmp_path / "photos")
    metadata(root, [("0.png", "cat"), ("1.png", "dog"), ("2.png", "cat")], name)
    archive = Path(shutil.make_archive(str(root), "zip", tmp_path, "photos"))
    in_archive = read_archive(archive, for_training=True, reporter=listener)
    for found in (read_folder(root, DataSettings()), in_archive):
        assert found.name == "photos"
        assert found.classes == ("cat", "dog")
        assert found.names() == ["0.png", "1.png", "2.png"]
        assert f"labels read from {name}" in found.notes
        assert f"1 image in photos/ left out: not named in {name}" in found.notes


@pytest.mark.parametrize("absolute", [False, True])
def test_a_table_inside_names_no_image_outside(tmp_path, write_image, listener, absolute):
    root = images(write_image, tmp_path / "photos")
    private = write_image(tmp_path / "private" / "me.png")
    outside = str(private) if absolute else "../private/me.png"
    metadata(root, [("0.png", "cat"), ("1.png", "dog"), ("sub/../2.png", "cat"), (outside, "dog")])
    archive = Path(shutil.make_archive(str(root), "zip", tmp_path, "photos"))
    in_archive = read_archive(archive, for_training=True, reporter=listener)
    for found in (read_folder(root, DataSettings()), in_archive):
        assert found.names() == ["0.png", "1.png", "2.png"]
        assert [skipped.reason for skipped in found.skipped] == [
            "row 5: outside the folder of the table"
        ]
        assert any("pass the table itself" in note for note in found.notes)
    assert any("in photos.zip left out" in n or "in photos/ left" in n for n in in_archive.notes)
    assert len(read_table(root / "metadata.csv", DataSettings())) == 4, "named by the user: theirs"


def test_through_open_source(tmp_path, write_image, listener):
    root = images(write_image, tmp_path / "photos", 20)
    metadata(root, [(f"{n}.png", "cat" if n % 2 else "dog") for n in range(20)])
    found = open_source(root, reporter=listener)
    assert found.name == "photos"
    assert found.counts()["train"].keys() == {"cat", "dog"}
    assert sum(map(len, found.splits.values())) == 20


def test_a_table_in_each_split(tmp_path, write_image):
    for split, n in (("train", 4), ("validation", 2)):
        images(write_image, tmp_path / split, n)
        metadata(tmp_path / split, [(f"{i}.png", "ab"[i % 2]) for i in range(n)])
    found = read_folder(tmp_path, DataSettings())
    assert found.classes == ("a", "b")
    assert [SPLITS[i] for i in found.given] == ["train"] * 4 + ["val"] * 2
    assert found.names()[0] == "train/0.png"


def test_splits_are_read_from_the_folders_that_the_table_names(tmp_path, write_image):
    rows = []
    for split in ("train", "test"):
        images(write_image, tmp_path / split, 2)
        rows += [(f"{split}/{i}.png", "ab"[i]) for i in range(2)]
    metadata(tmp_path, rows)
    found = read_folder(tmp_path, DataSettings())
    assert [SPLITS[i] for i in found.given] == ["train", "train", "test", "test"]
    assert found.doubts == {}


def test_a_table_without_labels_leaves_the_class_folders(tmp_path, write_classes):
    write_classes(tmp_path, cat=1, dog=1)
    (tmp_path / "metadata.csv").write_text("file_name,text\ncat/000.png,a cat\n")
    assert read_folder(tmp_path, DataSettings()).classes == ("cat", "dog")
    (tmp_path / "metadata.csv").write_text("file_name,label\ncat/000.png,x\ndog/000.png,y\n")
    assert read_folder(tmp_path, DataSettings()).classes == ("x", "y")
    assert read_folder(tmp_path, DataSettings(class_level=1)).classes == ("cat", "dog")


def test_a_file_that_is_no_table_leaves_the_class_folders(tmp_path, write_classes):
    write_classes(tmp_path, cat=1, dog=1)
    (tmp_path / "metadata.csv").write_text("a,b\n1,2,3\n")
    assert read_folder(tmp_path, DataSettings()).classes == ("cat", "dog")
    (tmp_path / "metadata.csv").write_bytes(b"\xff\xfe\xff")
    assert read_folder(tmp_path, DataSettings()).classes == ("cat", "dog")


def test_a_table_with_labels_of_another_name(tmp_path, write_image):
    root = images(write_image, tmp_path / "photos")
    (root / "metadata.csv").write_text("file_name,species\n0.png,x\n1.png,y\n")
    with pytest.raises(ConvlensError, match=r"pass .*metadata\.csv"):
        read_folder(root, DataSettings())
    assert read_folder(root, DataSettings(label_column="species")).classes == ("x", "y")
