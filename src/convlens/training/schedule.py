"""The learning rate as a pure function of how far the training has come."""

from math import cos, pi
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(gt=0, lt=1)]


class ScheduleSettings(BaseModel):
    """How the learning rate moves over the run.

    Attributes:
        name: ``"constant"`` keeps the peak; ``"step"`` multiplies it by ``gamma`` at each of the
            ``milestones``; ``"linear"`` and ``"cosine"`` fall from it to zero; ``"one-cycle"``
            falls from it in a straight line to a small part of it, having risen from another.
        warmup: the share of all steps over which the rate first rises linearly to its peak.
        milestones: for ``"step"``: shares of all steps, rising, after the warm-up.
        gamma: for ``"step"``.
        start_factor: ``"one-cycle"`` rises from the peak divided by this.
        end_factor: ``"one-cycle"`` falls to the peak divided by this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["constant", "step", "linear", "cosine", "one-cycle"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    milestones: tuple[Share, ...] = (0.5, 0.75)
    gamma: Annotated[float, Field(gt=0, lt=1)] = 0.1
    start_factor: Annotated[float, Field(ge=1)] = 25.0
    end_factor: Annotated[float, Field(ge=1)] = 1e4

    @model_validator(mode="after")
    def _milestones_follow_the_warmup(self) -> Self:
        if self.name == "step" and list(self.milestones) != sorted({*self.milestones}):
            raise ValueError("milestones must rise, as in 0.5, 0.75")
        if self.name == "step" and self.milestones and self.milestones[0] < self.warmup:
            raise ValueError(
                f"the milestone {self.milestones[0]:g} comes before the warm-up's end at "
                f"{self.warmup:g}; set a shorter warmup"
            )
        return self


def learning_rate(settings: ScheduleSettings, *, peak: float, step: int, steps: int) -> float:
    """The rate of one step.

    Args:
        settings: the schedule.
        peak: the highest rate.
        step: counted from 0.
        steps: how many there are in all.

    Source:
        Cosine: Loshchilov and Hutter, "SGDR", 2017, arXiv 1608.03983, eq. 5, one period.
        One-cycle: Smith and Topin, "Super-convergence", 2018, arXiv 1708.07120, section 3, with
        one straight fall in place of two, and momentum left as it is; Smith, arXiv 1803.09820.

    Example:
        >>> schedule = ScheduleSettings(name="linear", warmup=0.5)
        >>> [learning_rate(schedule, peak=1.0, step=s, steps=4) for s in range(4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    rising = round(settings.warmup * steps)
    if settings.name == "one-cycle":
        return peak * _one_cycle(settings, step, rising, steps)
    if step < rising:
        return peak * (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    match settings.name:
        case "constant":
            return peak
        case "step":
            passed = sum(step / steps >= share for share in settings.milestones)
            return peak * settings.gamma**passed
        case "linear":
            return peak * (1 - done)
        case "cosine":
            return peak * (1 + cos(pi * done)) / 2


def _one_cycle(settings: ScheduleSettings, step: int, rising: int, steps: int) -> float:
    """The share of the peak: the last step of the rise is at it, the last of all at the end."""
    top, last = max(0, rising - 1), steps - 1
    start, end = 1 / settings.start_factor, 1 / settings.end_factor
    if step < top:
        return start + (1 - start) * step / top
    return 1 + (end - 1) * (step - top) / max(1, last - top)
