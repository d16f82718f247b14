import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.data.stratify import TEST, TRAIN, VAL, deal, draws, even_shares, shares

counts = st.lists(st.integers(0, 60), min_size=1, max_size=8).map(lambda c: np.array(c, np.int64))
labels = st.lists(st.integers(0, 4), min_size=1, max_size=120)


def names(n):
    return [f"class/{i:05}.jpg" for i in range(n)]


def parts(seed, y, test=0.15, val=0.15, units=None):
    y = np.asarray(y, np.int64)
    targets = shares(np.bincount(y), test=test, val=val)
    return deal(y, targets, draws(names(len(y)), seed), units)


@given(counts, st.floats(0, 0.6), st.floats(0, 0.39))
def test_shares_are_near_their_fraction_and_leave_something_to_train_on(count, test, val):
    dealt = shares(count, test=test, val=val)
    assert (dealt >= 0).all()
    assert (dealt.sum(axis=1) == count).all()
    assert (dealt[count > 0, TRAIN] >= 1).all()
    large = count >= 3
    for side, share in ((TEST, test), (VAL, val)):
        if share == 0:
            assert (dealt[:, side] == 0).all()
        else:
            assert (dealt[large, side] >= 1).all()
            assert (np.abs(dealt[:, side] - count * share) < 2).all()


@given(counts)
def test_even_shares_differ_by_one_at_most(count):
    dealt = even_shares(count, 5)
    assert (dealt.sum(axis=1) == count).all()
    assert (dealt.max(axis=1) - dealt.min(axis=1) <= 1).all()
    assert np.ptp(dealt.sum(axis=0)) <= 1


def test_totals_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    y = load_digits(return_X_y=True)[1]
    _, reference = train_test_split(y, test_size=0.2, stratify=y, random_state=0)
    dealt = shares(np.bincount(y), test=0.2, val=0.0)
    assert dealt[:, TEST].sum() == len(reference) == 360
    assert np.abs(dealt[:, TEST] - np.bincount(reference)).max() <= 1


@given(labels, st.integers(0, 2**63))
def test_every_image_is_dealt_as_its_class_should_be(y, seed):
    side = parts(seed, y)
    for label in set(y):
        expected = shares(np.bincount(y), test=0.15, val=0.15)[label]
        assert np.bincount(side[np.array(y) == label], minlength=3).tolist() == expected.tolist()


def test_the_same_seed_deals_alike_and_another_differs():
    y = np.arange(300) % 3
    assert (parts(1, y) == parts(1, y)).all()
    assert (parts(1, y) != parts(2, y)).any()


def test_the_order_of_the_images_does_not_matter():
    y = np.arange(90) % 3
    order = np.random.default_rng(0).permutation(90)
    targets = shares(np.bincount(y), test=0.2, val=0.2)
    draw = draws(names(90), 0)
    assert (deal(y, targets, draw)[order] == deal(y[order], targets, draw[order])).all()


def test_almost_all_stay_where_they_were_when_images_are_added():
    before = parts(0, np.zeros(1000, np.int64))
    after = parts(0, np.zeros(1020, np.int64))[:1000]
    assert (before != after).mean() < 0.02


@settings(deadline=None)
@given(labels, st.integers(1, 30), st.integers(0, 2**32))
def test_units_never_straddle_sides(y, n_units, seed):
    units = np.random.default_rng(seed).integers(0, n_units, len(y))
    side = parts(seed, y, units=units)
    for unit in set(units.tolist()):
        assert len(set(side[units == unit].tolist())) == 1
    assert set(side.tolist()) <= {TEST, VAL, TRAIN}


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 9), min_size=3, max_size=12), min_size=1, max_size=4))
def test_a_class_with_three_units_is_on_every_side(sizes):
    y = np.repeat(np.arange(len(sizes)), [sum(s) for s in sizes])
    flat = [size for s in sizes for size in s]
    units = np.repeat(np.arange(len(flat)), flat)
    side = parts(0, y, units=units)
    for label in range(len(sizes)):
        assert set(side[y == label].tolist()) == {TEST, VAL, TRAIN}


def test_groups_of_equal_size_come_near_the_shares():
    rng = np.random.default_rng(0)
    units = np.repeat(np.arange(200), 10)
    y = rng.integers(0, 3, 2000)
    side = parts(0, y, test=0.2, val=0.1, units=units)
    for chosen, share in ((TEST, 0.2), (VAL, 0.1)):
        for label in range(3):
            assert (side[y == label] == chosen).mean() == pytest.approx(share, abs=0.02)


def test_units_of_one_image_are_as_no_units():
    y = np.arange(60) % 3
    assert (parts(0, y) == parts(0, y, units=np.arange(60))).all()
