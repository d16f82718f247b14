"""The simplest rule, always naming the commonest class, and whether it is beaten."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.evaluation import Metrics, measure, wilson_interval
from convlens.evaluation.majority import majority


def measured(right: int, wrong: int, *, k: int = 2) -> Metrics:
    """Figures of a classifier on as many images of each class as there can be."""
    labels = np.arange(right + wrong) % k
    predicted = np.where(np.arange(right + wrong) < right, labels, (labels + 1) % k)
    return measure(np.eye(k)[predicted], labels, classes=[f"class {n}" for n in range(k)])


@pytest.mark.parametrize(
    ("right", "wrong", "beaten"), [(100, 0, True), (62, 38, True), (55, 45, False), (10, 90, False)]
)
def test_it_is_beaten_where_the_whole_interval_is_above_it(
    right: int, wrong: int, beaten: bool
) -> None:
    found = measured(right, wrong).majority
    assert (found.name, found.share, found.beaten) == ("class 0", 0.5, beaten)
    assert (found.warning is None) == beaten


def test_images_of_one_class_alone_say_nothing() -> None:
    found = measure(np.array([[0.9, 0.1]] * 5), np.zeros(5, int), classes=("cat", "dog")).majority
    assert found.beaten is None
    assert found.warning is None


def test_a_small_majority_is_named_with_its_share() -> None:
    found = majority(np.array([30, 70, 0]), ("cat", "dog", "owl"), (0.6, 0.8))
    assert found.warning is not None
    assert "70.0 % of always answering 'dog'" in found.warning


@given(st.lists(st.integers(0, 50), min_size=2, max_size=5).filter(any))
def test_always_naming_one_class_never_beats_it(support: list[int]) -> None:
    counts = np.array(support)
    names, interval = list("abcde"), wilson_interval(max(support), sum(support))
    found = majority(counts, names, interval)
    assert found.beaten is not True


def test_json_says_it() -> None:
    assert measured(55, 45).as_json()["majority"] == {
        "name": "class 0",
        "share": 0.5,
        "beaten": False,
    }
