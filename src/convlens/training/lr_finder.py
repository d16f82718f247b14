"""Which learning rate to train at: a short trial in which the rate rises from step to step."""

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from convlens.core.batch import Batch, Batches, batches_on
from convlens.core.errors import WorkFailedError
from convlens.core.reporter import Quiet, Reporter
from convlens.training.dry_run import rehearsal, without_end
from convlens.training.freeze import learning_mode
from convlens.training.loop import StepContext, set_rate, train_step
from convlens.training.state import Running, TrainingState


class RateFinderSettings(BaseModel):
    """How the rate rises.

    Attributes:
        lowest: the first step's rate.
        highest: the last step's, if the loss lasts so long.
        steps: how many there are, at equal ratios.
        smoothing: how much of the loss's moving average stays at a step, 0 to below 1.
        diverged: the trial ends when the smoothed loss is this many times its least.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    lowest: Annotated[float, Field(gt=0)] = 1e-6
    highest: Annotated[float, Field(gt=0)] = 10.0
    steps: Annotated[int, Field(ge=10)] = 100
    smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.9
    diverged: Annotated[float, Field(gt=1)] = 3.0

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.highest <= self.lowest:
            raise ValueError(f"highest must be above lowest, {self.lowest:g}")
        return self

    def rates(self) -> list[float]:
        """One for each step."""
        ratio = self.highest / self.lowest
        return [self.lowest * ratio ** (step / (self.steps - 1)) for step in range(self.steps)]


@dataclass(frozen=True, kw_only=True)
class RateCurve:
    """What the loss did as the rate rose.

    Attributes:
        rates: of the steps that were taken.
        losses: of the same steps' batches, before each step; smoothed.
        suggestion: a peak to train at; None where the loss did not fall.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None


def find_rate(
    state: TrainingState,
    train: Batches,
    terms: StepContext,
    *,
    settings: RateFinderSettings | None = None,
    reporter: Reporter | None = None,
) -> RateCurve:
    """Take steps at ever higher rates, and take them back: training after it is as without it.

    Args:
        state: as it stands before the phase's first step; left as it is, to the bit.
        train: what will be learned from.
        terms: as for `convlens.training.fit`.
        settings: how the rate rises.
        reporter: told how far it is.

    Source:
        Smith, "Cyclical learning rates for training neural networks", 2017, arXiv 1506.01186,
        section 3.3; what is made of the curve, see `suggested_rate`.

    Example:
        >>> curve = find_rate(state, train, terms)               # doctest: +SKIP
        >>> curve.suggestion                                     # doctest: +SKIP
        0.0027
    """
    settings = settings or RateFinderSettings()
    reporter = reporter or Quiet()
    losses: list[float] = []
    with rehearsal(state) as trial, reporter.task("learning rates", settings.steps) as task:
        learning_mode(trial.classifier, trial.frozen)
        batches = batches_on(trial.device, without_end(train), ahead=terms.settings.copy_ahead)
        with closing(batches):
            for rate, batch in zip(settings.rates(), batches, strict=False):
                loss = _step_at(rate, trial, batch, terms)
                losses.append(loss)
                smoothed = smooth(losses, settings.smoothing)
                if not math.isfinite(loss) or smoothed[-1] > settings.diverged * min(smoothed):
                    break
                task.update(len(losses), f"rate {rate:.2g}  loss {loss:.3f}")
    smoothed = smooth([loss for loss in losses if math.isfinite(loss)], settings.smoothing)
    rates = settings.rates()[: len(smoothed)]
    return RateCurve(
        rates=tuple(rates), losses=tuple(smoothed), suggestion=suggested_rate(rates, smoothed)
    )


def suggested_rate(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """A peak to train at: where the loss has fallen half-way, at most a tenth of where it is least.

    Where it is least, steps are already too long. Where it falls fastest is the usual choice, but
    moves with the noise of single batches; half-way down is near it, and does not. On a small task
    that the trial itself learns the least comes late, and half-way alone is a safe guide; where
    the fall is slight the tenth is.

    Args:
        rates: rising.
        losses: smoothed, one a rate.

    Returns:
        The rate; None where no loss was a hundredth below the first.

    Example:
        >>> suggested_rate([0.001, 0.01, 0.1, 1.0], [2.3, 2.1, 1.9, 5.0])
        0.01
    """
    if not losses or min(losses) >= 0.99 * losses[0]:
        return None
    half = (losses[0] + min(losses)) / 2
    fallen = next(rate for rate, loss in zip(rates, losses, strict=True) if loss <= half)
    return min(fallen, rates[losses.index(min(losses))] / 10)


def smooth(values: Sequence[float], share: float) -> list[float]:
    """The exponential moving average, corrected for its beginning at nothing.

    Source:
        Kingma and Ba, "Adam", 2015, arXiv 1412.6980, section 3: the correction.

    Example:
        >>> smooth([2.0, 2.0, 5.0], 0.5)
        [2.0, 2.0, 3.7142857142857144]
    """
    found, average = [], 0.0
    for number, value in enumerate(values, start=1):
        average = share * average + (1 - share) * value
        found.append(average / (1 - share**number))
    return found


def _step_at(rate: float, trial: TrainingState, batch: Batch, terms: StepContext) -> float:
    """The loss of a batch, and a step at a rate of our own, whatever the schedule's."""
    trial.phase_step, trial.phase_steps, trial.rate_scale = 0, 1, 1.0
    set_rate(trial, terms.settings)
    trial.rate_scale = rate / trial.learning_rate
    trial.running = Running()
    try:
        train_step(trial, batch, terms)
    except WorkFailedError as error:
        if error.code != "loss-not-finite":
            raise
        return math.inf
    return trial.running.loss / trial.running.weight
