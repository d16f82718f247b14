"""The learning rate as a pure function of how far the training has come."""

from math import cos, pi
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class ScheduleSettings(BaseModel):
    """How the learning rate moves over the run.

    Attributes:
        name: ``"constant"`` keeps the peak; ``"linear"`` and ``"cosine"`` fall from it to zero.
        warmup: the share of all steps over which the rate first rises linearly to its peak.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["constant", "linear", "cosine"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1


def learning_rate(settings: ScheduleSettings, *, peak: float, step: int, steps: int) -> float:
    """The rate of one step.

    Args:
        settings: the schedule.
        peak: the highest rate.
        step: counted from 0.
        steps: how many there are in all.

    Source:
        Cosine: Loshchilov and Hutter, "SGDR", 2017, arXiv 1608.03983, eq. 5, one period.

    Example:
        >>> schedule = ScheduleSettings(name="linear", warmup=0.5)
        >>> [learning_rate(schedule, peak=1.0, step=s, steps=4) for s in range(4)]
        [0.5, 1.0, 1.0, 0.5]
    """
    rising = round(settings.warmup * steps)
    if step < rising:
        return peak * (step + 1) / rising
    if settings.name == "constant":
        return peak
    done = (step - rising) / max(1, steps - rising)
    return peak * ((1 - done) if settings.name == "linear" else (1 + cos(pi * done)) / 2)
