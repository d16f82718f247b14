import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from convlens.evaluation.bootstrap import Estimate, stratified_weights
from convlens.evaluation.intervals import wilson_interval
from convlens.evaluation.roc import _ranking, _weighted_areas, mean_auc


def binary(scores: np.ndarray, positive: np.ndarray, resamples: int = 1000) -> Estimate:
    return mean_auc(
        scores[:, None], positive[:, None], positive.astype(np.int64), resamples=resamples
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(3, 6), st.integers(1, 10))
def test_the_area_equals_scikit_learns(seed: int, k: int, levels: int) -> None:
    """With few levels, most scores are tied."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(k), rng.integers(0, k, 40)])
    scores = rng.integers(0, levels, (len(labels), k)) / 10 + 0.1
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    ours = mean_auc(probabilities, labels[:, None] == np.arange(k), labels, resamples=2)
    theirs = roc_auc_score(labels, probabilities, multi_class="ovr", average="macro")
    assert ours.value == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("levels", [3, 1000])
def test_the_area_on_a_resample_equals_scikit_learns_with_weights(levels: int) -> None:
    rng = np.random.default_rng(levels)
    scores = rng.integers(0, levels, 60) / levels
    positive = np.arange(60) < 20
    weights = stratified_weights(positive.astype(np.int64), resamples=25)
    ours = _weighted_areas(_ranking(scores, positive), weights)
    theirs = [roc_auc_score(positive, scores, sample_weight=row) for row in weights]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_the_interval_holds_the_true_area_95_percent_often() -> None:
    """Two normal distributions whose true area is known."""
    rng = np.random.default_rng(21)
    truth = 0.85
    apart = stats.norm.ppf(truth) * 2**0.5
    positive = np.arange(250) < 100
    held = 0
    for _ in range(500):
        area = binary(rng.normal(positive * apart, 1), positive, resamples=400)
        assert area.interval is not None
        held += area.interval[0] <= truth <= area.interval[1]
    assert held / 500 == pytest.approx(0.95, abs=0.02)


def test_a_perfect_ranking_of_few_images_is_not_taken_for_certain() -> None:
    positive = np.arange(50) < 20
    area = binary(positive.astype(float), positive)
    assert area == (1.0, pytest.approx(wilson_interval(20, 20)))


def test_scores_that_are_all_equal_are_chance() -> None:
    positive = np.arange(60) < 20
    area = binary(np.zeros(60), positive)
    assert area == (0.5, pytest.approx(wilson_interval(10, 20)))


def test_one_image_of_a_side_has_an_area_but_no_interval() -> None:
    area = binary(np.array([0.1, 0.4, 0.3]), np.array([False, False, True]))
    assert area == (0.5, None)
