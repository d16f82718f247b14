"""The ``[selective]`` part of a recipe: what a network's "not sure" should promise."""

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from convlens.evaluation.arrays import Floats, Labels
from convlens.evaluation.selective import SelectiveRule, Share, fit_selective


class SelectiveSettings(BaseModel):
    """What is asked of a network that may say "not sure": a coverage, or an error rate.

    Attributes:
        coverage: how often the true class should be among those that are named; 0.95 unless an
            error rate is asked for.
        error_rate: how often an answer that is sure may be wrong, in place of a coverage.

    Raises:
        pydantic.ValidationError: both are given, or one is not between 0 and 1.

    Example:
        >>> SelectiveSettings().coverage, SelectiveSettings(error_rate=0.02).coverage
        (0.95, None)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    coverage: Share | None = 0.95
    error_rate: Share | None = None

    @model_validator(mode="before")
    @classmethod
    def _an_error_rate_in_place_of_a_coverage(cls, values: object) -> object:
        if not isinstance(values, dict) or values.get("error_rate") is None:
            return values
        return {"coverage": None, **values}

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.coverage is None) == (self.error_rate is None):
            raise ValueError("ask for a coverage or for an error rate, one of them")
        return self

    def fit(self, probabilities: Floats, labels: Labels) -> SelectiveRule:
        """The rule that keeps this promise; see `fit_selective`, and what it raises."""
        return fit_selective(
            probabilities, labels, coverage=self.coverage, error_rate=self.error_rate
        )
