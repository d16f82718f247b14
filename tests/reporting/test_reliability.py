"""Whether probabilities are honest: of which images that is said, and with what certainty."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from convlens.evaluation import measure, reliability_curve
from convlens.reporting import Facts
from convlens.reporting.reliability import gap_interval, reliability
from tests.reporting.simulated import facts, with_everything

MADE = with_everything(facts())


def of_two_classes(first: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    """Figures of answers given with so much confidence, of which these are right."""
    probabilities = np.stack([first, 1 - first], axis=1)
    labels = (~right).astype(np.int64)
    return measure(probabilities, labels, classes=("a", "b"), resamples=100).as_json()


def told(made: Facts) -> str:
    found = reliability(made)
    assert found is not None
    return " ".join(found.told).replace("\xa0", " ")


def with_calibration(temperature: float, *, on: str, figures: dict[str, Any]) -> Facts:
    own = {"measured_on": on, "temperature": temperature, "images": 120, "n": figures["n"]}
    calibration = own | {"before": figures, "after": figures}
    return replace(MADE, metrics=MADE.metrics | {"test": None, "calibration": calibration})


def test_all_of_it_is_of_the_images_that_the_calibration_was_measured_on() -> None:
    """Without a test split: those kept apart, where the run's other figures are of the deciding."""
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 60)
    made = with_calibration(1.4, on="calibration", figures=of_two_classes(sure, sure > 0.7))
    found = reliability(made)
    assert found is not None
    assert sum(own["count"] for own in found.rows) == 60 != made.metrics["val"]["n"]
    assert "Measured on 60 images of the validation split that were kept apart" in told(made)
    assert len(found.charts) == 2
    assert "Measured on 300 images of the test split" in told(MADE)


def test_without_a_temperature_there_is_one_diagram() -> None:
    sure = np.full(50, 0.9)
    made = with_calibration(1.0, on="val", figures=of_two_classes(sure, np.arange(50) % 10 > 0))
    found = reliability(made)
    assert found is not None
    assert len(found.charts) == 1
    assert "which also decided: that flatters it" in told(made)
    plain = reliability(facts())
    assert plain is not None
    assert len(plain.charts) == 1


@pytest.mark.parametrize(
    ("confidence", "right", "n", "said"),
    [
        (0.93, 0.91, 300, "these 300 images cannot tell it from honest"),
        (0.93, 0.91, 30_000, "it is too sure of itself"),
        (0.913, 0.91, 300_000, "it is a little too sure of itself"),
        (0.9, 0.95, 30_000, "it is right more often than it says"),
        (0.97, 1.0, 30, "these 30 images cannot tell it from honest"),
        (0.97, 1.0, 300, "it is right more often than it says"),
    ],
)
def test_it_leans_only_where_the_images_can_tell(
    confidence: float, right: float, n: int, said: str
) -> None:
    figures = of_two_classes(np.full(n, confidence), np.arange(n) < round(right * n))
    assert said in told(with_calibration(1.0, on="test", figures=figures))


def test_both_calibration_errors_have_their_intervals() -> None:
    after = MADE.metrics["calibration"]["after"]
    low, high = after["calibration_error_interval"]
    assert f"(95 % interval {100 * low:.1f} to {100 * high:.1f} %) after" in told(MADE)


def test_an_honest_network_is_called_so_95_times_of_100() -> None:
    rng = np.random.default_rng(3)
    held = []
    for _ in range(600):
        sure = rng.beta(6, 1, 150) / 2 + 0.5
        wrong = (rng.random(150) > sure).astype(np.int64)
        bins = reliability_curve(np.stack([sure, 1 - sure], axis=1), wrong)
        low, high = gap_interval([vars(own) for own in bins if own.count])
        held.append(low <= 0 <= high)
    assert 0.93 <= np.mean(held) <= 0.97


def test_certainty_itself_has_an_interval() -> None:
    alike = {"count": 20, "confidence": 1.0}
    assert gap_interval([alike | {"accuracy": 1.0}])[0] == 0
    assert gap_interval([alike | {"accuracy": 0.5}])[0] > 0
