import numpy as np
import pytest
from pydantic import ValidationError

from convlens.evaluation import SelectiveSettings, fit_selective


def test_an_error_rate_takes_the_place_of_the_coverage() -> None:
    assert SelectiveSettings() == SelectiveSettings(coverage=0.95)
    asked = SelectiveSettings(error_rate=0.1)
    assert (asked.coverage, asked.error_rate) == (None, 0.1)
    kept = asked.model_dump(exclude_none=True)
    assert SelectiveSettings.model_validate(kept) == asked


@pytest.mark.parametrize(
    "asked",
    [
        {"coverage": 0.9, "error_rate": 0.1},
        {"coverage": None},
        {"coverage": 1.0},
        {"error_rate": 0.0},
        {"coverage": 95},
    ],
)
def test_what_is_no_request_is_refused(asked: dict[str, float | None]) -> None:
    with pytest.raises(ValidationError):
        SelectiveSettings.model_validate(asked)


def test_the_rule_is_the_one_for_what_is_asked_and_says_what_it_promises() -> None:
    probabilities = np.column_stack([np.linspace(0.5, 0.99, 100), np.linspace(0.5, 0.01, 100)])
    labels = np.zeros(100, np.int64)
    by_coverage = SelectiveSettings(coverage=0.9).fit(probabilities, labels)
    assert by_coverage == fit_selective(probabilities, labels, coverage=0.9)
    assert "at least 90 % of images" in by_coverage.promise
    assert "the 100 that calibrated it" in by_coverage.promise
    assert "exchangeable" in by_coverage.promise
    by_rate = SelectiveSettings(error_rate=0.05).fit(probabilities, labels)
    assert by_rate == fit_selective(probabilities, labels, error_rate=0.05)
    assert "at most 5 % of the sure answers are wrong, with 95 % confidence" in by_rate.promise
    assert "independently of one another" in by_rate.promise
    assert "less sure images too would not bring the share of errors back down" in by_rate.promise
