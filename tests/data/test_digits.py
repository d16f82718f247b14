import numpy as np

from convlens.data import open_for_evaluation, open_source


def test_the_digits(listener):
    images = open_source("digits", reporter=listener)
    assert {name: len(numbers) for name, numbers in images.splits.items()} == {
        "train": 1257,
        "val": 180,
        "test": 360,
    }
    assert images.arrays.shape == (1797, 8, 8, 1)
    assert images.arrays.max() == 255
    assert images.classes == tuple("0123456789")
    assert min(images.counts()["val"].values()) >= 17


def test_the_digits_keep_their_test_split_whatever_the_seed(listener):
    one, two = (open_source("digits", seed=seed, reporter=listener) for seed in (1, 2))
    assert (one.splits["test"] == two.splits["test"]).all()
    assert not np.array_equal(one.splits["val"], two.splits["val"])
    measured = open_for_evaluation("digits", classes=one.classes, reporter=listener)
    assert (measured.arrays == one.arrays[one.splits["test"]]).all()
