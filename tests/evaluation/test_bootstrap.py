import numpy as np
import pytest
from scipy import stats

from convlens.evaluation.bootstrap import (
    affordable,
    bca_interval,
    resampled_means,
    stratified_weights,
)


def test_means_are_those_of_the_images_drawn() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    drawn = np.random.default_rng(7).integers(0, 50, (200, 50))
    ours = resampled_means(values, resamples=200, seed=7)
    np.testing.assert_allclose(ours, values[drawn].mean(axis=1), atol=1e-12)


def test_what_does_not_fit_in_memory_at_once_is_resampled_in_portions() -> None:
    values = np.ones((50_000, 1))
    means = resampled_means(values, resamples=100)
    assert means.shape == (100, 1)
    np.testing.assert_allclose(means, 1.0)


def test_a_stratum_keeps_its_size_in_every_resample() -> None:
    strata = np.array([2, 0, 0, 1, 2, 2, 0, 9])
    weights = stratified_weights(strata, resamples=300, seed=1)
    assert weights.shape == (300, 8)
    for stratum in np.unique(strata):
        own = weights[:, strata == stratum]
        assert (own.sum(axis=1) == own.shape[1]).all()
    assert weights[:, strata == 2].mean(axis=0) == pytest.approx([1, 1, 1], abs=0.15)
    assert weights[:, strata == 2].var(axis=0) == pytest.approx([2 / 3] * 3, abs=0.15)


def test_the_seed_decides() -> None:
    strata = np.zeros(20, np.int64)
    one, again, other = (stratified_weights(strata, resamples=9, seed=s) for s in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()


def test_very_many_images_are_resampled_less_often_but_never_too_rarely() -> None:
    assert affordable(1000, 10**6) == 1000
    assert affordable(1000, 4 * 10**6) == 500
    assert affordable(1000, 10**9) == 200
    assert affordable(50, 10**9) == 50


def test_the_interval_equals_scipys() -> None:
    """On a skewed sample, where the two corrections matter; scipy takes a true jackknife."""
    sample = np.random.default_rng(3).exponential(size=80)
    theirs = stats.bootstrap(
        (sample,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(0)
    ).confidence_interval
    means = resampled_means(sample[:, None], resamples=20_000)[:, 0]
    ours = bca_interval(float(sample.mean()), means, sample - sample.mean())
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.01)
    plain = np.quantile(means, [0.025, 0.975])
    assert abs(plain[1] - theirs.high) > 0.015


@pytest.mark.parametrize("kind", ["log loss", "brier"])
def test_the_interval_of_a_mean_holds_the_true_one_95_percent_often(kind: str) -> None:
    """A thousand data sets of 300 images at once, as columns under the same resamples."""
    rng = np.random.default_rng(11)
    confidence = rng.beta(3, 0.5, (300, 1000)).clip(0.01, 0.99)
    right = rng.random(confidence.shape) < confidence
    own = np.where(right, confidence, 1 - confidence)
    grid = np.linspace(0.0005, 0.9995, 1000)
    shares = stats.beta(3, 0.5).ppf(grid).clip(0.01, 0.99)
    if kind == "log loss":
        values = -np.log(own)
        truth = -(shares * np.log(shares) + (1 - shares) * np.log(1 - shares)).mean()
    else:
        values = 2 * (1 - own) ** 2
        truth = (2 * shares * (1 - shares)).mean()
    means = resampled_means(values, resamples=1000)
    held = 0
    for column, estimate in enumerate(values.mean(axis=0)):
        interval = bca_interval(estimate, means[:, column], values[:, column] - estimate)
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    assert held / 1000 == pytest.approx(0.95, abs=0.02)


def test_images_that_are_all_alike_tell_nothing() -> None:
    assert bca_interval(0.5, np.full(100, 0.5), np.zeros(7)) is None
