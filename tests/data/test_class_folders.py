import os
import shutil
import sys
import unicodedata
from pathlib import Path

import pytest

from convlens.core.errors import ConvlensError
from convlens.data import DataSettings
from convlens.data.archives import read_archive
from convlens.data.class_folders import read_class_folders
from convlens.data.image_set import SPLITS
from convlens.data.split_names import split_named

TEST = SPLITS.index("test")


def names(labeled):
    return [path.removeprefix(labeled.root + os.sep) for path in labeled.paths]


def by_split(labeled):
    return {name: len(labeled.in_split(name)) for name in SPLITS}


def archive_of(root):
    """The same folder, wrapped in one more, as a zip."""
    return Path(shutil.make_archive(str(root), "zip", root.parent, root.name))


def refusal(root, **options):
    with pytest.raises(ConvlensError) as caught:
        read_class_folders(root, **options)
    return caught.value


def test_flat_folder_has_sorted_classes_and_no_splits(tmp_path, write_classes):
    found = read_class_folders(write_classes(tmp_path / "plants", rose=2, daisy=3))
    assert found.name == "plants"
    assert found.classes == ("daisy", "rose")
    assert found.labels.tolist() == [0, 0, 0, 1, 1]
    assert by_split(found) == {"train": 0, "val": 0, "test": 0}
    assert names(found)[0] == str(Path("daisy", "000.png"))


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "val", "test"),
        ("Training", "VALIDATION", "Testing"),
        ("training_set", "valid", "test_set"),
        ("TrainSet", "dev_set", "testset"),
        ("seg_train", "seg_dev", "seg_test"),
        ("train-images", "val images", "test.images"),
        ("trn", "Validation Data", "evaluation"),
        ("data_train", "development", "holdout"),
        ("train_split", "valset", "hold-out"),
        ("TRAIN", "dev", "eval"),
    ],
)
def test_splits_above_class_folders(tmp_path, write_classes, train, val, test):
    for split, count in ((train, 4), (val, 2), (test, 1)):
        write_classes(tmp_path / split, a=count, b=count)
    found = read_class_folders(tmp_path)
    assert found.classes == ("a", "b")
    assert by_split(found) == {"train": 8, "val": 4, "test": 2}


def test_nested_folders_belong_to_their_class(tmp_path, write_classes, write_image):
    write_classes(tmp_path, a=1, b=1)
    write_image(tmp_path / "a" / "2021" / "may" / "x.png")
    assert read_class_folders(tmp_path).labels.tolist() == [0, 0, 1]


def test_two_folders_for_one_split_are_refused(tmp_path, write_classes):
    for split in ("train", "val", "valid"):
        write_classes(tmp_path / split, a=1, b=1)
    error = refusal(tmp_path)
    assert error.code == "split-twice"
    assert "val/" in error.message
    assert "valid/" in error.message


def test_classes_that_differ_between_splits_are_listed(tmp_path, write_classes):
    write_classes(tmp_path / "train", cat=1, dog=1, owl=1)
    write_classes(tmp_path / "val", cat=1, dogs=1)
    error = refusal(tmp_path)
    assert error.code == "classes-differ"
    assert "'dog' is only in train" in error.message
    assert "'owl' is only in train" in error.message
    assert "'dogs' is only in val" in error.message
    assert "cat" not in error.message


def test_a_class_without_training_images_is_refused(tmp_path, write_classes):
    write_classes(tmp_path / "train", cat=1, dog=1, owl=0)
    write_classes(tmp_path / "test", cat=1, dog=1, owl=1)
    assert "'owl' has no image in train" in refusal(tmp_path).message


def test_an_empty_class_folder_in_test_is_named_only(tmp_path, write_classes):
    write_classes(tmp_path / "train", cat=1, dog=1)
    write_classes(tmp_path / "test", cat=1, dog=0)
    found = read_class_folders(tmp_path)
    assert [(s.path, s.reason) for s in found.skipped] == [
        (str(tmp_path / "test" / "dog"), "a class folder without images")
    ]


def test_an_empty_folder_beside_classes_is_no_class(tmp_path, write_classes):
    found = read_class_folders(write_classes(tmp_path, cat=1, dog=1, empty=0))
    assert found.classes == ("cat", "dog")
    assert [s.path for s in found.skipped] == [str(tmp_path / "empty")]


@pytest.mark.parametrize(("name", "content"), [("1.jxl", "x"), ("1.jpg", "")])
def test_a_class_of_which_no_file_is_an_image_does_not_vanish_unsaid(
    tmp_path, write_classes, name, content
):
    write_classes(tmp_path, cat=1, dog=1, owl=0)
    (tmp_path / "owl" / name).write_text(content)
    found = read_class_folders(tmp_path)
    assert found.classes == ("cat", "dog")
    assert found.notes == ("no class, since no image in it can be read: owl",)
    (tmp_path / "dog").rename(tmp_path / "cat" / "dog")
    assert refusal(tmp_path).message.endswith(f" ({found.notes[0]})")


@pytest.mark.skipif(sys.platform != "linux", reason="the file system may not tell case apart")
def test_classes_that_differ_only_in_case_are_refused(tmp_path, write_classes):
    error = refusal(write_classes(tmp_path, Cat=1, cat=1, dog=1))
    assert error.code == "case-twins"
    assert "'Cat' and 'cat'" in error.message


@pytest.mark.skipif(sys.platform != "linux", reason="the file system may normalize names")
def test_names_in_both_unicode_forms_are_one_class(tmp_path, write_classes):
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    write_classes(tmp_path / "train", **{composed: 1, "猫": 1})
    write_classes(tmp_path / "test", **{decomposed: 1, "猫": 1})
    found = read_class_folders(tmp_path)
    assert found.classes == (composed, "猫")
    assert found.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_class_name_that_is_not_utf8_is_refused(tmp_path, write_classes):
    write_classes(tmp_path, cat=1, dog=1)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).mkdir()
    error = refusal(tmp_path)
    assert error.code == "bad-class-name"
    error.message.encode()


def test_hidden_and_system_files_are_ignored(tmp_path, write_classes, write_image):
    write_classes(tmp_path, a=1, b=1, __MACOSX=1)
    for name in (".DS_Store", "Thumbs.db", "._000.png", "desktop.ini"):
        (tmp_path / "a" / name).write_bytes(b"x")
    write_image(tmp_path / ".cache" / "x.png")
    found = read_class_folders(tmp_path)
    assert len(found) == 2
    assert found.skipped == ()


def test_what_is_no_image_is_named(tmp_path, write_classes, write_image):
    write_classes(tmp_path, a=1, b=1)
    (tmp_path / "a" / "notes.txt").write_text("x")
    (tmp_path / "a" / "empty.jpg").write_bytes(b"")
    (tmp_path / "b" / "README").write_text("x")
    (tmp_path / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    write_image(tmp_path / "loose.png")
    found = read_class_folders(tmp_path)
    assert len(found) == 2
    reasons = {Path(s.path).name: s.reason for s in found.skipped}
    assert reasons == {
        "notes.txt": "not an image convlens reads (.txt)",
        "empty.jpg": "empty file (0 bytes)",
        "README": "not an image convlens reads (no suffix)",
        "gone.png": "cannot be read (No such file or directory)",
        "loose.png": "an image outside any class folder",
    }


def test_images_without_a_suffix_are_found(tmp_path, write_classes):
    write_classes(tmp_path, a=1, b=1)
    (tmp_path / "a" / "000.png").rename(tmp_path / "a" / "000")
    assert len(read_class_folders(tmp_path)) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_never_opened(tmp_path, write_classes):
    write_classes(tmp_path, a=1, b=1)
    os.mkfifo(tmp_path / "a" / "pipe.jpg")
    found = read_class_folders(tmp_path)
    assert [s.reason for s in found.skipped] == ["not a regular file"]


def test_loops_of_links_end(tmp_path, write_classes):
    root = write_classes(tmp_path / "data", a=2, b=1)
    (root / "a" / "loop").symlink_to(root)
    (root / "a" / "other").symlink_to(root / "b")
    (root / "b" / "up").symlink_to(tmp_path)
    found = read_class_folders(root)
    assert found.labels.tolist() == [0, 0, 1]
    assert {s.reason for s in found.skipped} == {"a link into its own source"}
    assert len(found.skipped) == 3


def test_links_to_folders_elsewhere_are_followed_once(tmp_path, write_classes):
    elsewhere = write_classes(tmp_path / "elsewhere", cats=2)
    (elsewhere / "cats" / "again").symlink_to(elsewhere / "cats")
    root = write_classes(tmp_path / "data", dog=1)
    (root / "cat").symlink_to(elsewhere / "cats")
    found = read_class_folders(root)
    assert found.classes == ("cat", "dog")
    assert len(found) == 3
    assert [s.reason for s in found.skipped] == [
        "a folder that was read already under another name"
    ]


def test_a_folder_that_cannot_be_read_is_named(tmp_path, write_classes, monkeypatch):
    write_classes(tmp_path, a=1, b=1)
    locked = tmp_path / "a" / "locked"
    locked.mkdir()
    scandir = os.scandir

    def guarded(folder):
        if str(folder) == str(locked):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    found = read_class_folders(tmp_path)
    assert [(s.path, s.reason) for s in found.skipped] == [
        (str(locked), "the folder cannot be read (Permission denied)")
    ]


def test_a_class_folder_that_cannot_be_read_is_named(tmp_path, write_classes, monkeypatch):
    write_classes(tmp_path, a=1, b=1, locked=1)
    scandir = os.scandir

    def guarded(folder):
        if Path(folder) == tmp_path / "locked":
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", guarded)
    found = read_class_folders(tmp_path)
    assert found.classes == ("a", "b")
    assert found.skipped[0].reason.startswith("the folder cannot be read")


def test_a_root_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert "Permission denied" in refusal(tmp_path).message


def test_empty_folder(tmp_path):
    error = refusal(tmp_path)
    assert error.code == "no-images"
    assert str(tmp_path) in error.message
    assert "empty" in error.message


def test_folders_without_a_single_image(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.txt").write_text("x")
    error = refusal(tmp_path)
    assert error.code == "no-images"
    assert "x.txt: not an image convlens reads (.txt)" in error.message


def test_images_without_class_folders(tmp_path, write_image):
    write_image(tmp_path / "x.png")
    error = refusal(tmp_path)
    assert error.code == "no-class-folders"
    assert "1 image but no class folders" in error.message


def test_one_class(tmp_path, write_classes):
    error = refusal(write_classes(tmp_path, cat=3))
    assert error.code == "one-class"
    assert "'cat'" in error.message
    assert len(read_class_folders(tmp_path, for_training=False)) == 3


def test_one_folder_around_the_class_folders(tmp_path, write_classes):
    write_classes(tmp_path / "wrapped", cat=1, dog=1)
    assert f"pass {tmp_path / 'wrapped'}" in refusal(tmp_path).message


def test_a_link_to_itself_beside_classes(tmp_path, write_classes):
    (write_classes(tmp_path, cat=1, dog=1) / "self").symlink_to(tmp_path / "self")
    found = read_class_folders(tmp_path)
    assert found.classes == ("cat", "dog")
    assert [Path(s.path).name for s in found.skipped] == ["self"]


def test_split_folders_with_images_directly_inside_are_refused(tmp_path, write_classes):
    error = refusal(write_classes(tmp_path, train=2, test=2))
    assert error.code == "no-class-folders"
    assert "--set data.class_level=1" in error.message
    assert read_class_folders(tmp_path, class_level=1).classes == ("test", "train")


def test_a_class_called_train_among_others_is_a_class(tmp_path, write_classes):
    found = read_class_folders(write_classes(tmp_path, train=2, plane=2))
    assert found.classes == ("plane", "train")
    assert found.notes == ("train/ holds no class folders: read as a class, not as a split",)


def test_a_split_without_labels_is_not_used(tmp_path, write_classes, write_image):
    write_classes(tmp_path / "train", a=1, b=1)
    write_image(tmp_path / "test" / "1.png")
    found = read_class_folders(tmp_path)
    assert by_split(found) == {"train": 2, "val": 0, "test": 0}
    assert [s.path for s in found.skipped] == [str(tmp_path / "test")]


def test_folders_beside_splits_are_named(tmp_path, write_classes):
    for split in ("train", "test"):
        write_classes(tmp_path / split, a=1, b=1)
    write_classes(tmp_path, unlabeled=1)
    found = read_class_folders(tmp_path)
    assert found.classes == ("a", "b")
    assert [s.reason for s in found.skipped] == ["a folder beside the splits"]


@pytest.mark.parametrize("name", ["train", "test"])
def test_a_split_with_folders_beside_classes_is_ambiguous(tmp_path, write_classes, name):
    write_classes(tmp_path / name, steam=1, diesel=1)
    write_classes(tmp_path, plane=1)
    error = refusal(tmp_path)
    assert error.code == "ambiguous-layout"
    assert f"{name}/ with folders inside, beside plane" in error.message


@pytest.mark.parametrize("name", ["crash test", "testimony", "blood_test", "valley", "train_car"])
def test_a_name_with_another_word_in_it_is_no_split(name):
    assert split_named(name) is None


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train/images", "test/images"),
        ("train/train/train", "test"),
        ("images/train", "images/test"),
        ("data/seg_train/seg_train", "data/seg_test/seg_test"),
    ],
)
def test_nested_roots_of_splits_are_entered_in_folders_and_archives(
    tmp_path, write_classes, listener, train, test
):
    root = tmp_path / "intel"
    write_classes(root / train, forest=3, sea=3)
    write_classes(root / test, forest=1, sea=1)
    (root / "labels" / "train").mkdir(parents=True)
    (root / "labels" / "train" / "1.txt").write_text("0 0.5 0.5 1 1")
    if not (root / "images").exists():
        shutil.rmtree(root / "labels")
    archive = read_archive(archive_of(root), for_training=True, reporter=listener)
    for found in (read_class_folders(root), archive):
        assert found.classes == ("forest", "sea")
        assert by_split(found) == {"train": 6, "val": 0, "test": 2}


def test_images_without_labels_in_a_nested_test_folder_are_not_used(
    tmp_path, write_classes, write_image
):
    write_classes(tmp_path / "train", a=1, b=1)
    write_image(tmp_path / "test" / "test" / "1.png")
    found = read_class_folders(tmp_path)
    assert found.classes == ("a", "b")
    assert [s.path for s in found.skipped] == [str(tmp_path / "test")]


@pytest.mark.parametrize(
    "tops",
    [
        ("batch1", "batch2"),
        ("fold_0", "fold_1", "fold_2"),
        ("2023", "2024"),
        ("first/first", "second/second"),
        ("camera a/images", "camera b/images"),
    ],
)
def test_classes_that_hold_the_same_folders_are_a_question(tmp_path, write_classes, listener, tops):
    root = tmp_path / "cams"
    for number, top in enumerate(tops):
        write_classes(root / top, cat=1, dog=1, **({"owl": 1} if number == 0 else {}))
    (root / "README.txt").write_text("x")
    level = len(Path(tops[0]).parts) + 1
    error = refusal(root)
    assert error.code == "ambiguous-classes"
    first = root / Path(tops[0]).parts[0]
    for word in ("cat, dog", f"pass {first}", f"class_level={level} if", "class_level=1 if"):
        assert word in error.message
    inner = read_class_folders(root, class_level=level)
    assert inner.classes == ("cat", "dog", "owl")
    assert len(inner) == 2 * len(tops) + 1
    assert (inner.given == -1).all()
    outer = read_class_folders(root, class_level=1)
    assert outer.classes == tuple(sorted(Path(top).parts[0] for top in tops))
    with pytest.raises(ConvlensError) as caught:
        read_archive(archive_of(root), for_training=True, reporter=listener)
    assert caught.value.code == "ambiguous-classes"
    assert str(tmp_path / "cams.zip") in caught.value.message
    assert f"unpack the archive and pass cams/{first.name}" in caught.value.message
    read = read_archive(
        tmp_path / "cams.zip", DataSettings(class_level=level), for_training=True, reporter=listener
    )
    assert read.classes == inner.classes


def test_most_folders_that_hold_the_same_folders_are_enough_for_a_question(
    tmp_path, write_classes, write_image
):
    for batch in ("batch1", "batch2"):
        write_classes(tmp_path / batch, Cat=1, dog=1)
    write_classes(tmp_path / "rest", owl=1)
    write_image(tmp_path / "batch1" / "overview.png")
    error = refusal(tmp_path)
    assert error.code == "ambiguous-classes"
    assert "batch1/, batch2/ in" in error.message
    assert "(Cat, dog)" in error.message
    for number in range(5):
        write_image(tmp_path / "batch1" / f"{number}.png")
    assert read_class_folders(tmp_path).classes == ("batch1", "batch2", "rest")


def test_splits_below_the_classes_are_a_question(tmp_path, write_classes):
    for name in ("cat", "dog"):
        write_classes(tmp_path / name, train=2, test=1)
    error = refusal(tmp_path)
    assert error.code == "ambiguous-classes"
    assert f"{tmp_path}/train/<class>/<image>" in error.message
    assert read_class_folders(tmp_path, class_level=1).classes == ("cat", "dog")


def test_folders_inside_a_class_that_others_lack_are_no_question(tmp_path, write_classes):
    write_classes(tmp_path / "cat", indoors=1, outdoors=1)
    write_classes(tmp_path / "dog", meadow=1, street=1)
    assert read_class_folders(tmp_path).classes == ("cat", "dog")
    for name in ("owl", "fox"):
        write_classes(tmp_path / "wild" / name, images=1)
    assert read_class_folders(tmp_path / "wild").classes == ("fox", "owl")


@pytest.mark.parametrize("inside", ["", "2021"])
def test_a_class_called_test_can_be_used(tmp_path, write_classes, write_image, inside):
    write_classes(tmp_path, engine=2, brake=2)
    write_image(tmp_path / "test" / inside / "x.png")
    if inside:
        assert "--set data.class_level=1" in refusal(tmp_path).message
    found = read_class_folders(tmp_path, class_level=1)
    assert found.classes == ("brake", "engine", "test")
    assert (found.given == -1).all()


def test_a_class_level_names_what_it_does_not_read(tmp_path, write_classes, write_image):
    write_classes(tmp_path / "train", a=1, b=1)
    write_classes(tmp_path / "test", a=1, b=1)
    write_image(tmp_path / "loose.png")
    found = read_class_folders(tmp_path, class_level=2)
    assert by_split(found) == {"train": 2, "val": 0, "test": 2}
    assert [Path(s.path).name for s in found.skipped] == ["loose.png"]
    assert refusal(tmp_path, class_level=4).code == "no-class-folders"
    write_classes(tmp_path / "batch2", a=1, b=1)
    assert "which is a split, beside batch2" in refusal(tmp_path, class_level=2).message


def test_a_table_beside_loose_images_is_named(tmp_path, write_image):
    write_image(tmp_path / "x.png")
    (tmp_path / "labels.csv").write_text("image,label\nx.png,a\n")
    assert f"pass {tmp_path / 'labels.csv'}" in refusal(tmp_path).message


def test_evaluation_reads_the_test_split_alone(tmp_path, write_classes):
    write_classes(tmp_path / "train", a=2, b=2, c=2)
    write_classes(tmp_path / "test", a=1, b=1)
    found = read_class_folders(tmp_path, for_training=False)
    assert found.classes == ("a", "b")
    assert (found.given == TEST).all()
