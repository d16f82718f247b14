import json
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from convlens.evaluation import Comparison, compare_answers
from convlens.evaluation.paired import images_to_tell, mcnemar_exact, tango_interval

TABLES = st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 300)).filter(any)


def compared(only_first: int, only_second: int, n: int, both: int = 0) -> Comparison:
    """Two sets of answers with so many images on which only one is right."""
    labels = np.zeros(n, np.int64)
    first, second = np.ones(n, np.int64), np.ones(n, np.int64)
    first[: both + only_first] = 0
    second[:both] = 0
    second[both + only_first : both + only_first + only_second] = 0
    return compare_answers(first, second, labels)


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(0, 200))
def test_the_test_equals_scipys(only_first: int, only_second: int) -> None:
    ours = mcnemar_exact(only_first, only_second)
    told = only_first + only_second
    theirs = stats.binomtest(only_first, told, 0.5).pvalue if told else 1.0
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_the_published_example() -> None:
    """Airway hyper-responsiveness of 21 children before and after a transplantation.

    Fagerland, Lydersen and Laake, "Recommended tests and confidence intervals for paired binomial
    proportions", Statistics in Medicine 33 (2014), 2850-2875.
    """
    found = compared(1, 7, 21, both=1)
    assert (found.first, found.second) == (2 / 21, 8 / 21)
    assert found.p_value == pytest.approx(0.0703, abs=5e-5)
    assert found.interval == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_the_interval_equals_another_implementations() -> None:
    """R's PropCIs, scoreci.mp(25, 28, 618), at 90 %."""
    assert tango_interval(28, 25, 618, level=0.9) == pytest.approx((-0.0148, 0.0247), abs=5e-5)


def likeliest_deviance(only_first: int, only_second: int, n: int, difference: float) -> float:
    """z² at a difference, with the likeliest shares found by a search instead of a formula."""

    def negative(share: float) -> float:
        shares = np.array([share + difference, share, 1 - 2 * share - difference])
        counts = np.array([only_first, only_second, n - only_first - only_second])
        return -float((counts * np.log(np.maximum(shares, 1e-300))).sum())

    found = optimize.minimize_scalar(
        negative,
        bounds=(max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12),
        method="bounded",
        options={"xatol": 1e-12},
    )
    variance = (2 * found.x + difference - difference**2) / n
    return float(((only_first - only_second) / n - difference) ** 2 / variance)


@pytest.mark.parametrize(
    ("only_first", "only_second", "n"), [(12, 5, 100), (3, 1, 40), (40, 60, 500)]
)
def test_at_its_ends_the_score_test_is_at_its_level(
    only_first: int, only_second: int, n: int
) -> None:
    for end in tango_interval(only_first, only_second, n):
        z = sqrt(likeliest_deviance(only_first, only_second, n, end))
        assert z == pytest.approx(1.959964, abs=2e-3)


@settings(deadline=None)
@given(TABLES)
def test_the_interval_is_sound(table: tuple[int, int, int]) -> None:
    only_first, only_second = table[:2]
    n = sum(table)
    low, high = tango_interval(only_first, only_second, n)
    assert -1 <= low <= (only_first - only_second) / n <= high <= 1
    assert low < high
    turned = tango_interval(only_second, only_first, n)
    assert (low, high) == pytest.approx((-turned[1], -turned[0]), abs=1e-9)


@settings(deadline=None)
@given(TABLES)
def test_a_verdict_is_never_against_the_interval(table: tuple[int, int, int]) -> None:
    found = compared(table[0], table[1], sum(table))
    if found.verdict == "better":
        assert found.interval[0] > 0
    if found.verdict == "worse":
        assert found.interval[1] < 0
    if found.interval[0] <= 0 <= found.interval[1]:
        assert found.verdict == "cannot tell"
        assert found.images_needed is None or found.images_needed > found.n


def test_the_interval_holds_the_true_difference_95_percent_often() -> None:
    rng = np.random.default_rng(9)
    for a, b in ((0.05, 0.02), (0.02, 0.02), (0.2, 0.05)):
        drawn = rng.multinomial(300, [a, b, 1 - a - b], 3000)
        ends = {row: tango_interval(*row, 300) for row in {tuple(r) for r in drawn[:, :2].tolist()}}
        held = [ends[a_, b_][0] <= a - b <= ends[a_, b_][1] for a_, b_ in drawn[:, :2].tolist()]
        assert np.mean(held) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(("a", "b"), [(0.06, 0.03), (0.02, 0.01), (0.15, 0.1), (0.03, 0.0)])
def test_so_many_images_tell_four_times_in_five(a: float, b: float) -> None:
    """Exactly: over the number of images on which one is right, and how they divide."""
    n = images_to_tell(a, b)
    assert n is not None
    power = 0.0
    for told in range(n + 1):
        chance = stats.binom.pmf(told, n, a + b)
        if chance < 1e-9:
            continue
        firsts = np.arange(told + 1)
        p_values = np.minimum(1, 2 * stats.binom.cdf(np.minimum(firsts, told - firsts), told, 0.5))
        power += chance * stats.binom.pmf(firsts[p_values <= 0.05], told, a / (a + b)).sum()
    assert 0.77 <= power <= 0.9  # the test's steps are coarse where they are few


def test_verdicts_in_words() -> None:
    assert compared(20, 4, 1000, both=900).describe().startswith("better by 1.6 percentage points")
    assert compared(4, 20, 1000, both=900).describe().startswith("worse by 1.6 percentage points")
    unsure = compared(9, 6, 360, both=340)
    assert unsure.verdict == "cannot tell"
    low, high = (100 * end for end in unsure.interval)
    assert unsure.describe().startswith(
        "cannot tell with 360 images (difference +0.8 percentage points, 95 % interval "
        f"{low:+.1f} to {high:+.1f}, p = 0.61); if it is truly 0.83, about "
    )
    assert f"about {unsure.images_needed:,} would do" in unsure.describe()
    equal = compared(5, 5, 100)
    needed = images_to_tell(0.055, 0.045)
    assert equal.describe() == (
        "cannot tell with 100 images: both are right on equally many of them (95 % interval of the "
        f"difference {100 * equal.interval[0]:+.1f} to {100 * equal.interval[1]:+.1f} percentage "
        "points); if only one of them is right on 10 % of images, as here, about "
        f"{needed:,} would tell 1 point apart"
    )
    assert compared(0, 0, 100, both=90).describe().endswith("percentage points)")
    json.dumps(unsure.as_json(), allow_nan=False)


def test_the_counts() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2])
    found = compare_answers(np.array([0, 1, 2, 1, 0, 2]), np.array([0, 2, 1, 0, 0, 2]), labels)
    assert (found.n, found.both, found.only_first, found.only_second) == (6, 2, 2, 1)
    assert found.difference == pytest.approx(1 / 6)


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="three times"):
        compare_answers(np.zeros(3, int), np.zeros(4, int), np.zeros(3, int))
    with pytest.raises(ValueError, match="N at least 1"):
        compare_answers(np.zeros(0, int), np.zeros(0, int), np.zeros(0, int))
