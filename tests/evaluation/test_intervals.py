from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from convlens.evaluation import wilson_interval
from convlens.evaluation.intervals import (
    clopper_pearson_upper,
    f1_interval,
    mean_recall_interval,
)

COUNTS = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_it_equals_scipys(counts: tuple[int, int]) -> None:
    successes, n = counts
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(COUNTS)
def test_it_holds_the_proportion_and_stays_in_range(counts: tuple[int, int]) -> None:
    successes, n = counts
    low, high = wilson_interval(successes, n)
    assert 0 <= low <= successes / n <= high <= 1


def test_nothing_is_known_without_images() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize("n", [30, 100, 360, 1000])
def test_its_mean_coverage_is_95_percent(n: int) -> None:
    """Exactly, from the binomial: the mean over p of the chance that the interval holds p."""
    intervals = np.array([wilson_interval(k, n) for k in range(n + 1)])
    proportions = np.linspace(0.01, 0.99, 197)
    coverage = [
        stats.binom.pmf(np.flatnonzero((intervals[:, 0] <= p) & (p <= intervals[:, 1])), n, p).sum()
        for p in proportions
    ]
    assert np.mean(coverage) == pytest.approx(0.95, abs=0.01)


@settings(deadline=None)
@given(COUNTS, st.floats(0.5, 0.999))
def test_the_exact_upper_bound_equals_scipys(counts: tuple[int, int], confidence: float) -> None:
    errors, n = counts
    theirs = stats.binomtest(errors, n, alternative="less").proportion_ci(confidence, "exact")
    ours = clopper_pearson_upper(errors, n, confidence=confidence)
    assert float(ours) == pytest.approx(theirs.high, abs=1e-9)


def test_the_exact_upper_bound_is_never_too_low_too_often() -> None:
    """Exactly, from the binomial: at every true rate the bound is below it at most 5 % often."""
    bounds = clopper_pearson_upper(np.arange(201), 200, confidence=0.95)
    for rate in np.linspace(0.001, 0.5, 100):
        assert stats.binom.pmf(np.flatnonzero(bounds < rate), 200, rate).sum() <= 0.05


@given(COUNTS)
def test_the_interval_of_f1_holds_it(counts: tuple[int, int]) -> None:
    hits, involved = counts
    low, high = f1_interval(hits, involved)
    assert 0 <= low <= 2 * hits / (involved + hits) <= high + 1e-12
    assert high <= 1


def test_the_interval_of_f1_holds_the_true_one_95_percent_often() -> None:
    """Images fall at random to hits, false alarms, misses and all the others."""
    rng = np.random.default_rng(4)
    for shares in ((0.1, 0.02, 0.02), (0.1, 0.002, 0.003), (0.3, 0.1, 0.05)):
        drawn = rng.multinomial(360, [*shares, 1 - sum(shares)], 4000)[:, :3]
        truth = 2 * shares[0] / (2 * shares[0] + shares[1] + shares[2])
        ends = np.array([f1_interval(int(row[0]), int(row.sum())) for row in drawn])
        held = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
        assert held.mean() == pytest.approx(0.95, abs=0.02)


@given(st.integers(2, 12), st.integers(1, 50), st.data())
def test_with_equal_recalls_balanced_accuracy_is_a_plain_proportion(
    k: int, support: int, data: st.DataObject
) -> None:
    hits = data.draw(st.integers(0, support))
    ours = mean_recall_interval(np.full(k, hits), np.full(k, support))
    assert ours == pytest.approx(wilson_interval(k * hits, k * support), abs=1e-9)


@pytest.mark.parametrize(
    ("supports", "recalls"),
    [
        ((36,) * 10, (0.98,) * 10),
        ((36,) * 10, tuple(np.linspace(0.6, 1, 10))),
        ((50,) * 100, (0.8,) * 100),
        ((30, 300, 60), (0.9, 0.97, 0.8)),
    ],
)
def test_the_interval_of_balanced_accuracy_holds_the_true_one_95_percent_often(
    supports: tuple[int, ...], recalls: tuple[float, ...]
) -> None:
    rng = np.random.default_rng(5)
    support = np.array(supports)
    drawn = rng.binomial(support, recalls, (3000, len(supports)))
    ends = np.array([mean_recall_interval(hits, support) for hits in drawn])
    held = (ends[:, 0] <= np.mean(recalls)) & (np.mean(recalls) <= ends[:, 1])
    assert held.mean() == pytest.approx(0.95, abs=0.02)


def test_a_few_images_that_are_all_right_prove_no_perfection() -> None:
    low, high = mean_recall_interval(np.array([5, 5]), np.array([5, 5]))
    assert (low, high) == (pytest.approx(10 / (10 + 1.959964**2)), 1.0)
    assert f1_interval(5, 5)[0] < 1 - 1 / sqrt(36)
