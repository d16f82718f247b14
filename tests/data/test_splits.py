import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.data import (
    DataSettings,
    k_folds,
    open_source,
    read_splits,
    reopen_source,
    write_splits,
)
from convlens.data.labeled import UNSAID, Labeled
from convlens.data.splits import split


def labeled(labels, groups=None, given=None):
    labels = np.asarray(labels, np.int64)
    return Labeled(
        name="made",
        classes=tuple(map(str, range(int(labels.max()) + 1))),
        labels=labels,
        given=np.full(len(labels), UNSAID, np.int8) if given is None else given,
        paths=[f"{label}/{number}.jpg" for number, label in enumerate(labels)],
        groups=groups,
    )


def sides(images):
    names = images.names()
    return {names[i]: name for name, numbers in images.splits.items() for i in numbers}


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=4, max_size=80),
    st.floats(0, 0.4),
    st.floats(0, 0.4),
    st.integers(0, 9),
)
def test_every_image_is_in_one_split_and_the_numbers_are_sorted(labels, val, test, seed):
    labels = np.unique(labels, return_inverse=True)[1]
    found = labeled(labels)
    images = split(found, found.names(), seed=seed, settings=DataSettings(val=val, test=test))
    together = np.concatenate(list(images.splits.values()))
    assert sorted(together.tolist()) == list(range(len(labels)))
    for numbers in images.splits.values():
        assert (np.diff(numbers) > 0).all()
        assert numbers.dtype == np.int64
    counts = images.counts()
    for name, share in (("val", val), ("test", test)):
        for own, count in zip(images.classes, np.bincount(labels), strict=True):
            if share and count >= 3:
                assert counts[name][own] >= 1
            if not share:
                assert counts[name][own] == 0
            assert counts["train"][own] >= 1 or count == 0


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 40))
def test_groups_never_straddle(seed, n_groups):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, 150)
    found = labeled(rng.integers(0, 3, 150), groups=groups)
    images = split(found, found.names(), seed=seed % 7, settings=DataSettings())
    homes = [set(groups[numbers].tolist()) for numbers in images.splits.values()]
    assert not homes[0] & homes[1]
    assert not homes[0] & homes[2]
    assert not homes[1] & homes[2]


def test_shares_are_met_on_real_class_sizes():
    rng = np.random.default_rng(0)
    found = labeled(np.repeat(np.arange(6), [400, 300, 50, 20, 7, 3])[rng.permutation(780)])
    images = split(found, found.names(), seed=0, settings=DataSettings())
    counts = images.counts()
    assert [sum(counts[name].values()) for name in ("train", "val", "test")] == [544, 118, 118]
    assert [counts["test"][c] for c in images.classes] == [60, 45, 8, 3, 1, 1]


@pytest.fixture
def kept(tmp_path, write_classes):
    """A folder, and the splits that a first opening gave its images."""
    root = write_classes(tmp_path / "plants", a=30, b=20)
    images = open_source(root, reporter=Quiet())
    write_splits(images, tmp_path / "splits.csv")
    return root, tmp_path / "splits.csv", images


def test_a_file_of_splits_is_a_table(kept):
    _, path, images = kept
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 50
    assert {row["image"]: row["split"] for row in rows} == sides(images)
    assert rows[0]["label"] == "a"


def test_names_that_are_formulas_are_text_and_read_back(tmp_path, write_image):
    hard = ["=1+1.png", "+a.png", "-b.png", "@c.png", "'=d.png", "'e.png", "\tf.png", "g.png"]
    for label in ("=cmd()", "'-1"):
        for name in hard:
            write_image(tmp_path / "plants" / label / name)
    images = open_source(tmp_path / "plants", reporter=Quiet())
    write_splits(images, tmp_path / "splits.csv")
    with (tmp_path / "splits.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert not [row for row in rows if row["label"][0] in "=-" or row["image"][0] in "=-"]
    assert set(read_splits(tmp_path / "splits.csv").items()) == set(sides(images).items())


def test_labels_that_are_formulas_are_read_back(tmp_path, write_image, listener):
    for label in ("-ant", "=bee", "'-cow"):
        for number in range(4):
            write_image(tmp_path / "photos" / label / f"{number}.png")
    images = open_source(tmp_path / "photos", reporter=listener)
    path = tmp_path / "splits.csv"
    write_splits(images, path)
    found, changes = reopen_source(
        tmp_path / "photos", classes=images.classes, splits=path, reporter=listener
    )
    assert not changes, changes.lines()
    assert found.classes == images.classes


def test_kept_splits_stay_when_images_are_added_and_the_seed_changes(kept, write_image, listener):
    root, path, before = kept
    for number in range(40):
        write_image(root / "b" / f"new{number}.png")
    after = open_source(root, seed=5, settings=DataSettings(splits=path), reporter=listener)
    was, now = sides(before), sides(after)
    assert {name: now[name] for name in was} == was
    new = [now[name] for name in now if name not in was]
    assert len(new) == 40
    assert new.count("val") == 6
    assert new.count("test") == 6
    assert after.notes[1] == "splits kept from splits.csv: 50 images, 40 new, 0 gone"


def test_kept_splits_give_the_same_fingerprint(kept):
    root, path, before = kept
    after = open_source(root, seed=9, settings=DataSettings(splits=path), reporter=Quiet())
    assert after.fingerprint() == before.fingerprint()
    assert after.notes == ("every image 6x8", "splits kept from splits.csv: 50 images")


def test_a_copy_of_a_kept_image_joins_it(kept):
    root, path, before = kept
    was = sides(before)
    for name in was:
        source = root / name
        (source.parent / f"copy of {source.name}").write_bytes(source.read_bytes())
    after = sides(open_source(root, settings=DataSettings(splits=path), reporter=Quiet()))
    for name, side in was.items():
        assert after[name] == side
        assert after[name.replace("/", "/copy of ")] == side


def test_arrays_are_named_by_their_pixels(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (60, 4, 4), np.uint8), np.arange(60) % 3
    first = open_source((images, labels), reporter=Quiet())
    write_splits(first, tmp_path / "splits.csv")
    order = rng.permutation(60)
    chosen = DataSettings(splits=tmp_path / "splits.csv")
    again = open_source((images[order], labels[order]), seed=3, settings=chosen, reporter=Quiet())
    assert sides(again) == sides(first)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("image,split\n", "names none of the images"),
        ("image,split\nother.png,train\n", "names none of the images"),
        ("image,split\na/000.png,dev\n", "row 2 has the image 'a/000.png' and the split 'dev'"),
        ("file,split\na/000.png,train\n", "its columns are file, split"),
        ("image,split\na/0.png,train\na/0.png,test\n", "an earlier row elsewhere"),
        ('image,split\n"a/0.png,train\n', "cannot be read"),
    ],
)
def test_files_of_splits_that_cannot_be_used(kept, text, words):
    root, path, _ = kept
    path.unlink()
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConvlensError) as caught:
        open_source(root, settings=DataSettings(splits=path), reporter=Quiet())
    assert caught.value.code == "bad-splits"
    assert words in caught.value.message


@given(st.integers(2, 6), st.integers(0, 5))
@settings(deadline=None)
def test_folds_partition_what_is_not_test(k, seed):
    found = labeled(np.repeat([0, 1, 2], [40, 25, 12]))
    images = split(found, found.names(), seed=0, settings=DataSettings())
    folds = k_folds(images, k, seed=seed)
    pool = np.sort(np.concatenate([images.splits["train"], images.splits["val"]]))
    validated = np.sort(np.concatenate([fold.splits["val"] for fold in folds]))
    assert validated.tolist() == pool.tolist()
    for fold in folds:
        assert (fold.splits["test"] == images.splits["test"]).all()
        assert not set(fold.splits["train"]) & set(fold.splits["val"])
        assert len(fold.splits["train"]) + len(fold.splits["val"]) == len(pool)
    per_class = np.array([list(fold.counts()["val"].values()) for fold in folds])
    assert (np.ptp(per_class, axis=0) <= 1).all()
    assert np.ptp(per_class.sum(axis=1)) <= 1


def test_a_fold_that_is_written_down_is_what_is_opened(tmp_path, write_classes):
    root = write_classes(tmp_path / "in", cat=9, dog=9)
    for number, fold in enumerate(k_folds(open_source(root, reporter=Quiet()), 3)):
        path = tmp_path / f"fold-{number}.csv"
        write_splits(fold, path)
        opened = open_source(root, seed=7, settings=DataSettings(splits=path), reporter=Quiet())
        for name in ("train", "val", "test"):
            assert opened.splits[name].tolist() == fold.splits[name].tolist()


def test_folds_keep_groups_together():
    groups = np.repeat(np.arange(20), 5)
    found = labeled(np.arange(100) % 2, groups=groups)
    images = split(found, found.names(), seed=0, settings=DataSettings(val=0, test=0))
    homes = [set(groups[fold.splits["val"]].tolist()) for fold in k_folds(images, 4)]
    assert sum(map(len, homes)) == 20
    assert all(len(home) == 5 for home in homes)


@pytest.mark.parametrize("k", [0, 1, 11])
def test_a_number_of_folds_that_cannot_be(k):
    found = labeled(np.arange(10) % 2)
    images = split(found, found.names(), seed=0, settings=DataSettings(val=0, test=0))
    with pytest.raises(ConvlensError, match="expected from 2 to 10"):
        k_folds(images, k)


def test_a_class_without_training_images_is_refused(listener):
    images, labels = np.zeros((4, 2, 2), np.uint8), ["a", "b", "a", "b"]
    with pytest.raises(ConvlensError) as caught:
        open_source(((images, labels), (images[:2], ["a", "wolf"])), reporter=listener)
    assert caught.value.code == "class-without-images"
    assert "no training image of wolf" in caught.value.message


def test_a_class_that_a_split_lacks_is_said():
    labels = np.tile([0, 1], 20)
    given = np.full(40, 0, np.int8)
    given[::4] = 2  # all of class 0
    found = labeled(labels, given=given)
    images = split(found, found.names(), seed=0, settings=DataSettings())
    assert "no test images of: 1" in images.notes


def test_a_class_in_two_groups_cannot_be_on_every_side():
    labels = np.repeat([0, 1], [40, 10])
    groups = np.concatenate([np.arange(40), np.repeat([40, 41], 5)])
    found = labeled(labels, groups=groups)
    images = split(found, found.names(), seed=0, settings=DataSettings())
    sides_with_it = [name for name, counts in images.counts().items() if counts["1"]]
    assert "train" in sides_with_it
    assert len(sides_with_it) == 2
    (absent,) = {"val", "test"} - set(sides_with_it)
    words = {"val": "validation", "test": "test"}
    assert f"no {words[absent]} images of: 1" in images.notes
