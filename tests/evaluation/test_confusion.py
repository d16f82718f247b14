import numpy as np

from convlens.core.json_text import json_text
from convlens.evaluation import confusion_json, confusion_matrix, measure
from convlens.evaluation.confusion import LARGEST_MATRIX, MOST_CELLS


def test_few_classes_have_every_count_and_many_those_that_are_not_0() -> None:
    rng = np.random.default_rng(0)
    for k, kind in ((LARGEST_MATRIX, list), (LARGEST_MATRIX + 1, dict)):
        counts = rng.poisson(0.1, (k, k)) + 5 * np.eye(k, dtype=np.int64)
        written = confusion_json(counts)
        assert isinstance(written, kind)
        assert (confusion_matrix(written, k) == counts).all()


def test_the_rarest_mistakes_are_left_out_and_counted() -> None:
    k = 300
    counts = np.ones((k, k), np.int64)
    counts[3, 7] = 9
    written = confusion_json(counts)
    assert isinstance(written, dict)
    kept = confusion_matrix(written, k)
    assert len(written["count"]) == k + MOST_CELLS
    assert kept.sum() + written["left_out"] == counts.sum()
    assert (np.diag(kept) == 1).all()
    assert kept[3, 7] == 9


def test_figures_of_1200_classes_take_less_than_two_megabytes_in_a_run() -> None:
    """Of two splits, each with as many kinds of mistake as are written."""
    k, n = 1200, 24_000
    rng = np.random.default_rng(0)
    labels = np.arange(n) % k
    probabilities = rng.random((n, k), dtype=np.float32) ** 8
    probabilities[np.arange(n), labels] += 0.9
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    names = [f"species number {number}" for number in range(k)]
    figures = measure(probabilities, labels, classes=names, resamples=10)
    assert 0.1 < figures.accuracy < 0.9
    written = figures.as_json()
    assert sum(written["confusion"]["count"]) + written["confusion"]["left_out"] == n
    assert len(json_text({"val": written, "test": written}).encode()) < 2_000_000
