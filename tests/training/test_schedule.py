import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    SequentialLR,
)

from convlens.training.schedule import ScheduleSettings, learning_rate

NAMES = st.sampled_from(["constant", "step", "linear", "cosine", "one-cycle"])
PEAK, STEPS = 0.3, 40


def ours(schedule: ScheduleSettings) -> list[float]:
    return [learning_rate(schedule, peak=PEAK, step=s, steps=STEPS) for s in range(STEPS)]


def torchs(schedule: Callable[[SGD], LRScheduler]) -> list[float]:
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=PEAK)
    scheduler = schedule(optimizer)
    rates = [float(optimizer.param_groups[0]["lr"])]
    while len(rates) < STEPS:
        optimizer.step()
        scheduler.step()
        rates.append(float(optimizer.param_groups[0]["lr"]))
    return rates


@settings(deadline=None, max_examples=50)
@given(NAMES, st.floats(0, 0.5), st.integers(1, 500), st.floats(1e-6, 1))
def test_rates_stay_in_range_rise_to_their_peak_and_fall(
    name: str, warmup: float, steps: int, peak: float
) -> None:
    schedule = ScheduleSettings.model_validate({"name": name, "warmup": warmup})
    rates = [learning_rate(schedule, peak=peak, step=s, steps=steps) for s in range(steps)]
    assert all(0 < rate <= peak * (1 + 1e-12) for rate in rates)
    assert max(rates) == pytest.approx(peak, rel=1e-6)
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_constant_with_warmup_is_torchs_linear_rise() -> None:
    schedule = ScheduleSettings(name="constant", warmup=0.25)
    expected = torchs(lambda o: LinearLR(o, start_factor=1 / 10, end_factor=1, total_iters=9))
    assert ours(schedule) == pytest.approx(expected)


def test_linear_is_torchs() -> None:
    schedule = ScheduleSettings(name="linear", warmup=0)
    expected = torchs(lambda o: LinearLR(o, start_factor=1, end_factor=0, total_iters=STEPS))
    assert ours(schedule) == pytest.approx(expected)


def test_cosine_is_torchs() -> None:
    schedule = ScheduleSettings(name="cosine", warmup=0)
    assert ours(schedule) == pytest.approx(torchs(lambda o: CosineAnnealingLR(o, T_max=STEPS)))


def test_cosine_after_warmup_is_torchs_two_in_sequence() -> None:
    def both(optimizer: SGD) -> LRScheduler:
        rise = LinearLR(optimizer, start_factor=1 / 10, end_factor=1, total_iters=9)
        return SequentialLR(optimizer, [rise, CosineAnnealingLR(optimizer, T_max=30)], [10])

    schedule = ScheduleSettings(name="cosine", warmup=0.25)
    assert ours(schedule) == pytest.approx(torchs(both))


def test_step_is_torchs() -> None:
    schedule = ScheduleSettings(name="step", warmup=0, milestones=(0.5, 0.75), gamma=0.2)
    expected = torchs(lambda o: MultiStepLR(o, milestones=[20, 30], gamma=0.2))
    assert ours(schedule) == pytest.approx(expected)


def test_step_without_milestones_is_constant() -> None:
    schedule = ScheduleSettings(name="step", warmup=0, milestones=())
    assert ours(schedule) == pytest.approx(torchs(lambda o: ConstantLR(o, factor=1)))


@pytest.mark.parametrize("warmup", [0.1, 0.25, 0.5])
def test_one_cycle_is_torchs_in_straight_lines(warmup: float) -> None:
    def cycle(optimizer: SGD) -> LRScheduler:
        return OneCycleLR(
            optimizer,
            max_lr=PEAK,
            total_steps=STEPS,
            pct_start=warmup,
            anneal_strategy="linear",
            div_factor=10,
            final_div_factor=100,
            cycle_momentum=False,
        )

    schedule = ScheduleSettings(name="one-cycle", warmup=warmup, start_factor=10, end_factor=1000)
    rates = ours(schedule)
    assert rates == pytest.approx(torchs(cycle))
    assert rates[0] == pytest.approx(PEAK / 10)
    assert rates[-1] == pytest.approx(PEAK / 1000)


@pytest.mark.parametrize("name", ["linear", "cosine", "one-cycle"])
def test_they_end_near_zero(name: str) -> None:
    schedule = ScheduleSettings.model_validate({"name": name})
    last = learning_rate(schedule, peak=1.0, step=999, steps=1000)
    assert 0 < last < 0.01
    assert not math.isnan(last)


@pytest.mark.parametrize("name", ["constant", "step", "linear", "cosine", "one-cycle"])
def test_a_run_of_one_step_takes_it_at_the_peak(name: str) -> None:
    for warmup in (0.0, 0.9):
        schedule = ScheduleSettings.model_validate(
            {"name": name, "warmup": warmup, "milestones": ()}
        )
        assert learning_rate(schedule, peak=0.5, step=0, steps=1) == 0.5


@pytest.mark.parametrize(
    ("milestones", "words"),
    [((0.75, 0.5), "must rise"), ((0.5, 0.5), "must rise"), ((0.05, 0.5), "warm-up's end")],
)
def test_milestones_out_of_order_are_refused(milestones: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        ScheduleSettings(name="step", warmup=0.1, milestones=milestones)
