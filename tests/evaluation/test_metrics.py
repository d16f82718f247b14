import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.evaluation import measure, wilson_interval

CLASSES = ("cat", "dog", "owl")


def random_case(seed: int, n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(k), n).astype(np.float32)
    return probabilities, rng.integers(0, k, n)


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(2, 8))
def test_figures_follow_from_their_definitions(seed: int, n: int, k: int) -> None:
    probabilities, labels = random_case(seed, n, k)
    names = tuple("abcdefgh"[:k])
    figures = measure(probabilities, labels, classes=names)
    predicted = [max(range(k), key=lambda c, row=row: row[c]) for row in probabilities.tolist()]
    pairs = list(zip(labels.tolist(), predicted, strict=True))
    hits = sum(true == said for true, said in pairs)
    assert figures.accuracy == hits / n
    assert figures.interval == wilson_interval(hits, n)
    assert figures.confusion.tolist() == [
        [pairs.count((true, said)) for said in range(k)] for true in range(k)
    ]
    for number, own in enumerate(figures.classes):
        found = pairs.count((number, number))
        assert own.support == labels.tolist().count(number)
        assert own.predicted == predicted.count(number)
        assert own.recall == (pytest.approx(found / own.support) if own.support else None)
        assert own.precision == (pytest.approx(found / own.predicted) if own.predicted else None)
    own_probability = probabilities.astype(float)[np.arange(n), labels]
    assert figures.log_loss == pytest.approx(-np.log(own_probability).mean(), rel=1e-4)


def test_top5_counts_the_five_most_probable() -> None:
    probabilities = np.tile(np.array([[0.3, 0.25, 0.2, 0.15, 0.06, 0.04]], np.float32), (6, 1))
    figures = measure(probabilities, np.arange(6), classes=tuple("abcdef"))
    assert figures.accuracy == 1 / 6
    assert figures.top5 == 5 / 6


def test_top5_is_not_told_where_it_means_nothing() -> None:
    probabilities, labels = random_case(0, 20, 5)
    assert measure(probabilities, labels, classes=tuple("abcde")).top5 is None


def test_a_class_without_images_has_no_recall_and_one_never_said_no_precision() -> None:
    probabilities = np.array([[0.9, 0.1, 0.0], [0.8, 0.1, 0.1]], np.float32)
    cat, dog, owl = measure(probabilities, np.array([0, 1]), classes=CLASSES).classes
    assert (cat.recall, cat.precision) == (1.0, 0.5)
    assert (dog.recall, dog.precision) == (0.0, None)
    assert (owl.recall, owl.recall_interval) == (None, None)


def test_it_is_all_plain_json() -> None:
    probabilities, labels = random_case(3, 30, 8)
    figures = measure(probabilities, labels, classes=tuple("abcdefgh"))
    back = json.loads(json.dumps(figures.as_json(), allow_nan=False))
    assert back["accuracy"] == figures.accuracy
    assert back["interval"] == list(figures.interval)
    assert back["n"] == 30
    assert [own["name"] for own in back["classes"]] == list("abcdefgh")


@pytest.mark.parametrize(
    ("shape", "labels", "classes"),
    [((0, 3), 0, CLASSES), ((2, 3), 3, CLASSES), ((2, 3), 2, ("cat", "dog"))],
)
def test_what_does_not_fit_together_is_refused(
    shape: tuple[int, int], labels: int, classes: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match="expected N×K"):
        measure(np.full(shape, 1 / 3), np.zeros(labels, np.int64), classes=classes)
