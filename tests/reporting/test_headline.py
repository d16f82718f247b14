"""The headline: what a newcomer is told of an interval."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.evaluation import wilson_interval
from convlens.reporting.headline import expected, headline
from tests.reporting.simulated import facts, figures

MADE = facts()


@settings(deadline=None)  # the machine may be busy
@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_expectation_is_the_interval_in_whole_images(counts: tuple[int, int]) -> None:
    right, n = counts
    own = dict(MADE.metrics["test"], n=n, accuracy=right / n, interval=wilson_interval(right, n))
    found = headline(replace(MADE, metrics=MADE.metrics | {"test": own}))
    assert found is not None
    low, high = wilson_interval(right, n)
    assert found.right == right
    assert abs(found.low - 100 * low) <= 0.5
    assert abs(found.high - 100 * high) <= 0.5
    assert found.low <= round(100 * right / n) <= found.high
    assert expected(found.low, found.high) in found.expectation


def test_guessing_is_the_share_of_the_commonest_class() -> None:
    made = facts()
    found = headline(made)
    assert found is not None
    most = max(made.metrics["test"]["classes"], key=lambda own: own["support"])
    assert (found.commonest, found.guessing) == (most["name"], most["support"] / 300)


def test_classes_that_were_hardly_measured_are_named() -> None:
    own = figures(("cat", "dog", "owl"), 100)
    own["classes"][1]["support"] = 3
    own["classes"][2]["support"] = 0
    made = facts()
    found = headline(replace(made, metrics=made.metrics | {"test": own}))
    assert found is not None
    told = " ".join(found.caveats)
    assert "Anything of owl: no image" in told
    assert "Much of dog: fewer than 10" in told


@pytest.mark.parametrize(("accuracy", "balanced", "told"), [(0.9, 0.5, True), (0.9, 0.89, False)])
def test_imbalance_is_told_where_it_matters(accuracy: float, balanced: float, told: bool) -> None:
    made = facts()
    own = dict(made.metrics["test"], accuracy=accuracy, balanced_accuracy=balanced)
    found = headline(replace(made, metrics=made.metrics | {"test": own}))
    assert found is not None
    assert any("every class counted alike" in caveat for caveat in found.caveats) == told


def test_without_figures_there_is_no_headline() -> None:
    assert headline(replace(facts(), metrics={"val": None, "test": None})) is None
