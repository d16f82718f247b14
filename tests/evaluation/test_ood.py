import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score

from convlens.evaluation import measure_unknown, unknown_score, unknown_score_of_logits


@given(st.integers(0, 10**6), st.floats(0.01, 300))
def test_scores_follow_from_their_definitions(seed: int, scale: float) -> None:
    logits = scale * np.random.default_rng(seed).normal(size=(5, 4))
    np.testing.assert_allclose(unknown_score_of_logits(logits), -logsumexp(logits, axis=1))
    np.testing.assert_allclose(unknown_score_of_logits(logits, "max-logit"), -logits.max(axis=1))
    probabilities = softmax(logits, axis=1)
    np.testing.assert_allclose(
        unknown_score(probabilities), 1 - probabilities.max(axis=1), atol=1e-12
    )


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 30), st.integers(1, 50))
def test_auroc_equals_scikit_learns(seed: int, known: int, unknown: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = rng.integers(0, levels, known) / 50, rng.integers(0, levels, unknown) / 40
    figures = measure_unknown(ours, theirs, resamples=20)
    truth = np.repeat([0, 1], [known, unknown])
    assert figures.auroc == pytest.approx(roc_auc_score(truth, np.concatenate([ours, theirs])))
    assert (figures.interval is None) == (min(known, unknown) == 1)
    if figures.interval is not None:
        assert 0 <= figures.interval[0] <= figures.auroc <= figures.interval[1] <= 1


def test_images_that_the_network_is_less_sure_of_score_higher() -> None:
    rng = np.random.default_rng(0)
    known, unknown = softmax(rng.normal(0, 4, (300, 5)), 1), softmax(rng.normal(0, 1, (300, 5)), 1)
    figures = measure_unknown(unknown_score(known), unknown_score(unknown))
    assert figures.interval is not None
    assert figures.interval[0] > 0.8
    told = json.loads(json.dumps(figures.as_json(), allow_nan=False))
    assert (told["known"], told["unknown"], told["auroc"]) == (300, 300, figures.auroc)


@pytest.mark.parametrize(("known", "unknown"), [([], [0.5]), ([0.5], []), ([0.5], [np.nan])])
def test_what_cannot_be_ranked_is_refused(known: list[float], unknown: list[float]) -> None:
    with pytest.raises(ValueError, match="expected at least one of each"):
        measure_unknown(np.array(known), np.array(unknown))
