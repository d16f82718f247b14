import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from convlens.evaluation import wilson_interval


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_it_equals_scipys(counts: tuple[int, int]) -> None:
    successes, n = counts
    theirs = stats.binomtest(successes, n).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
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
