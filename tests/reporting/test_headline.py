"""The headline: what a newcomer is told of an interval."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.evaluation import wilson_interval
from convlens.reporting import render
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


def test_the_interval_is_said_to_be_that_of_the_long_run_and_not_of_the_next_hundred() -> None:
    """A hundred images at 90 % hold 84 to 96 right ones, however many were measured before."""
    own = dict(MADE.metrics["test"], n=10_000, accuracy=0.9, interval=wilson_interval(9000, 10_000))
    made = replace(MADE, metrics=MADE.metrics | {"test": own})
    found = headline(made)
    assert found is not None
    said = "In the long run, 89 to 91 of every 100 images like these are answered right."
    assert found.expectation == said
    assert any(caveat.startswith("What the next hundred images bring") for caveat in found.caveats)
    assert f'aria-label="{said}"' in render(made)


def finding(code: str, severity: str = "warning", **evidence: object) -> dict[str, object]:
    return {"code": code, "severity": severity, "message": "", "evidence": evidence, "remedy": ""}


@pytest.mark.parametrize(
    ("found", "told", "new"),
    [
        (
            finding(
                "copies-across-splits", "error", images={"test": 12, "val": 3}, share={"test": 0.04}
            ),
            "images that are new to it: 12 test images (4.0\xa0% of them) have an exact copy in",
            False,
        ),
        (
            finding("near-duplicates", images={"test": 1}, share={"test": 0.0033}),
            "1 test image (0.3\xa0% of them) has a near duplicate in another split",
            False,
        ),
        (finding("near-duplicates"), "some test images have a near duplicate", False),
        (finding("group-straddles", "error", groups=3), "3 groups have images in several", True),
        (finding("name-leakage"), "file names tell the class", True),
        (finding("two-labels", "error", count=5), "5 files stand under two classes", True),
    ],
    ids=lambda own: own["code"] if isinstance(own, dict) else "",
)
def test_what_was_found_and_flatters_the_figure_is_said_beside_it(
    found: dict[str, object], told: str, new: bool
) -> None:
    """Allowed or too small to stop the run, it is no less true."""
    made = replace(MADE, preflight={"findings": [found | {"allowed": True}], "estimate": None})
    own = headline(made)
    assert own is not None
    (caveat,) = (caveat for caveat in own.caveats if told in caveat)
    assert '<a href="#preflight">' in caveat
    assert (own.new == "it never saw before") == new
    page = render(made)
    assert '<a href="#preflight">what was found before training</a>' in page
    assert ("that it never saw before" in page) == new


def test_copies_that_touch_validation_alone_are_no_matter_of_a_test_figure() -> None:
    found = finding("copies-across-splits", images={"val": 3}, share={"val": 0.01})
    made = replace(MADE, preflight={"findings": [found], "estimate": None})
    own = headline(made)
    assert own is not None
    assert own.new == "it never saw before"
    assert not any("exact copy" in caveat for caveat in own.caveats)
    measured = headline(replace(made, metrics=made.metrics | {"test": None}))
    assert measured is not None
    assert any("3 validation images (1.0\xa0% of them)" in caveat for caveat in measured.caveats)
