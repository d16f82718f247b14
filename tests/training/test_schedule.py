import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.training import ScheduleSettings, learning_rate

NAMES = st.sampled_from(["constant", "linear", "cosine"])


@given(NAMES, st.floats(0, 0.9), st.integers(1, 500), st.floats(1e-6, 1))
def test_rates_stay_in_range_and_reach_their_peak(
    name: str, warmup: float, steps: int, peak: float
) -> None:
    settings = ScheduleSettings.model_validate({"name": name, "warmup": warmup})
    rates = [learning_rate(settings, peak=peak, step=s, steps=steps) for s in range(steps)]
    assert all(0 < rate <= peak * (1 + 1e-12) for rate in rates)
    assert max(rates) == pytest.approx(peak)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_cosine_equals_torchs() -> None:
    steps = 40
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=steps)
    settings = ScheduleSettings(name="cosine", warmup=0)
    for step in range(steps):
        ours = learning_rate(settings, peak=0.3, step=step, steps=steps)
        assert ours == pytest.approx(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()


def test_linear_and_cosine_end_near_zero() -> None:
    for name in ("linear", "cosine"):
        settings = ScheduleSettings.model_validate({"name": name})
        last = learning_rate(settings, peak=1.0, step=999, steps=1000)
        assert 0 < last < 0.01
        assert not math.isnan(last)
