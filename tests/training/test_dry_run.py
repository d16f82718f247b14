"""Steps that leave no trace, and the time that a run is fitted to by them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from convlens.core.classifier import Classifier
from convlens.core.distributed import Ranks
from convlens.core.reporter import Quiet
from convlens.training import (
    Budget,
    Callback,
    CallbackState,
    EmaSettings,
    Moment,
    Pace,
    PhaseSettings,
    StepContext,
    TrainingSettings,
    TrainingState,
    benchmark_steps,
    fit,
)
from tests.training.quarters import SPEC, QuarterBatches

Network = Callable[[], Classifier]


class Clock:
    """Time that passes only where a network says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for name in ("budget", "loop", "dry_run"):
        monkeypatch.setattr(f"convlens.training.{name}.perf_counter", found)
    return found


class Slow(nn.Module):
    """Takes a while, the same on every machine."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self.clock, self.seconds = clock, seconds

    def forward(self, x: Tensor) -> Tensor:
        self.clock.now += self.seconds if self.training else self.seconds / 4
        return x


def slow_network(clock: Clock, seconds: float) -> Classifier:
    head = nn.Sequential(nn.Flatten(), nn.Linear(64, 4))
    return Classifier({"block1": Slow(clock, seconds)}, head, SPEC)


class Listening(Quiet):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def say(self, text: str) -> None:
        self.heard.append(text)


def budget(
    settings: TrainingSettings, seconds: float, reporter: Quiet | None = None, steps: int = 7
) -> Budget:
    return Budget(
        seconds,
        phases=settings.plan,
        steps_an_epoch=steps,
        ranks=Ranks(),
        reporter=reporter or Quiet(),
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_measuring_leaves_later_training_the_same_to_the_bit(
    network: Network, train: QuarterBatches, val: QuarterBatches, optimizer: str
) -> None:
    settings = TrainingSettings.model_validate(
        {
            "epochs": 2,
            "batch_size": 16,
            "optimizer": {"name": optimizer},
            "ema": EmaSettings(decay=0.9),
        }
    )
    results = []
    for measured in (False, True):
        state, terms = (
            TrainingState.start(network(), settings),
            StepContext(settings=settings, seed=0),
        )
        if measured:
            before = torch.random.get_rng_state()
            assert benchmark_steps(state, train, val, terms).step > 0
            assert torch.equal(before, torch.random.get_rng_state())
            assert (state.step, state.phase_steps, state.history) == (0, 0, [])
        fit(state, train, val, terms)
        results.append(state.weights())
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])


def test_the_pace_is_what_a_step_and_all_of_validation_take(clock: Clock) -> None:
    settings = TrainingSettings(batch_size=16)
    state = TrainingState.start(slow_network(clock, 0.02), settings)
    train, val = QuarterBatches(100), QuarterBatches(400, seed=1)
    pace = benchmark_steps(state, train, val, StepContext(settings=settings, seed=0))
    assert pace.step == pytest.approx(0.02)
    assert pace.validation == pytest.approx(25 * 0.005), "25 batches, a few of them measured"


@pytest.mark.parametrize(
    ("step", "seconds", "steps"),
    [(0.02, 0.4, 20), (0.3, 0.4, 3), (0.9, 0.4, 2), (3, 0.4, 1), (0.5, 0.04, 1), (0.001, 1, 100)],
)
def test_slow_steps_are_measured_longer_but_not_for_ever(
    clock: Clock, step: float, seconds: float, steps: int
) -> None:
    settings = TrainingSettings(batch_size=16)
    state = TrainingState.start(slow_network(clock, step), settings)
    train, val = QuarterBatches(100), QuarterBatches(0)
    terms = StepContext(settings=settings, seed=0)
    benchmark_steps(state, train, val, terms, seconds=seconds, longer=5)
    assert clock.now == pytest.approx((1 + steps) * step), "the first is not counted"


def test_a_budget_is_not_spent_on_measuring(clock: Clock) -> None:
    settings = TrainingSettings(batch_size=16, epochs=1)
    state = TrainingState.start(slow_network(clock, 3.0), settings)
    train, val, terms = (
        QuarterBatches(100),
        QuarterBatches(0),
        StepContext(settings=settings, seed=0),
    )
    benchmark_steps(state, train, val, terms, seconds=budget(settings, 100).measuring)
    assert clock.now == pytest.approx(2 * 3.0)


@pytest.mark.parametrize("seconds", [2, 10, 60])
def test_a_run_lands_on_its_budget(clock: Clock, seconds: float) -> None:
    settings = TrainingSettings(batch_size=16, epochs=1)
    state = TrainingState.start(slow_network(clock, 0.02), settings)
    train, val = QuarterBatches(100), QuarterBatches(40, seed=1)
    terms, reporter = StepContext(settings=settings, seed=0), Listening()
    fitting = budget(settings, seconds, reporter)
    pace = benchmark_steps(state, train, val, terms, seconds=fitting.measuring)
    fitting.plan(state, pace)
    fit(state, train, val, terms, callbacks=[fitting])
    assert clock.now == pytest.approx(seconds, rel=0.05)
    assert "a step takes 20 ms" in reporter.heard[0]
    assert len(reporter.heard) == 1, "the plan held"
    assert state.history[-1].step == state.step == state.phase_steps


def test_a_budget_of_a_few_steps_takes_a_few_steps(clock: Clock) -> None:
    settings = TrainingSettings(batch_size=16, epochs=1)
    state = TrainingState.start(slow_network(clock, 1.0), settings)
    train, val, terms = (
        QuarterBatches(100),
        QuarterBatches(0),
        StepContext(settings=settings, seed=0),
    )
    fitting = budget(settings, 20)
    fitting.plan(state, benchmark_steps(state, train, val, terms, seconds=fitting.measuring))
    fit(state, train, val, terms, callbacks=[fitting])
    assert 18 <= clock.now <= 22


@pytest.mark.parametrize("wrong", [0.01, 0.04])
def test_a_plan_made_from_a_wrong_pace_is_corrected_and_told(clock: Clock, wrong: float) -> None:
    settings = TrainingSettings(batch_size=16, epochs=1)
    state = TrainingState.start(slow_network(clock, 0.02), settings)
    reporter = Listening()
    fitting = budget(settings, 5, reporter)
    fitting.plan(state, Pace(step=wrong, validation=0))
    terms = StepContext(settings=settings, seed=0)
    fit(state, QuarterBatches(100), QuarterBatches(0), terms, callbacks=[fitting])
    assert clock.now == pytest.approx(5, rel=0.05)
    assert "steps take other than measured" in reporter.heard[1]


def test_phases_share_what_is_left_as_their_epochs_are(clock: Clock) -> None:
    phases = (PhaseSettings(epochs=3), PhaseSettings(epochs=1))
    settings = TrainingSettings(batch_size=16, phases=phases)
    fitting = budget(settings, 100)
    state = TrainingState.start(slow_network(clock, 0), settings)
    fitting.plan(state, Pace(step=0.1, validation=0))
    assert state.phase_steps == pytest.approx(750, abs=2)
    state = state.next_phase(settings)
    fitting.plan(state, Pace(step=0.1, validation=0))
    assert state.phase_steps == pytest.approx(1000, abs=2), "the first phase took next to nothing"


def test_validation_is_paid_for(clock: Clock) -> None:
    settings = TrainingSettings(batch_size=16)
    state = TrainingState.start(slow_network(clock, 0), settings)
    budget(settings, 101, steps=10).plan(state, Pace(step=0.1, validation=1.0))
    assert state.phase_steps == pytest.approx(500, abs=2), "10 steps of 0.1 s, then 1 s"


def test_at_least_one_step_is_taken(clock: Clock) -> None:
    settings = TrainingSettings(batch_size=16)
    state = TrainingState.start(slow_network(clock, 0), settings)
    budget(settings, 1e-9).plan(state, Pace(step=10, validation=100))
    assert state.phase_steps == 1


def test_a_resumed_run_goes_on_with_the_time_that_is_left(clock: Clock) -> None:
    settings = TrainingSettings(batch_size=16)
    first = budget(settings, 100)
    state = TrainingState.start(slow_network(clock, 0), settings)
    first.plan(state, Pace(step=0.1, validation=0))
    memory = first.state_dict()
    assert 0 <= memory.values["spent"] < 1
    spent = CallbackState(values={**memory.values, "spent": 60.0})
    second = budget(settings, 100)
    second.load_state_dict(spent)
    second._fit(state, 0.1)
    assert state.phase_steps == pytest.approx(400, abs=5)


def test_what_a_rehearsal_breaks_off_is_put_back(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    from convlens.training.dry_run import rehearsal
    from convlens.training.loop import train_step

    settings = TrainingSettings(batch_size=16)
    state = TrainingState.start(network(), settings)
    state.phase_steps = 10
    before = state.weights()
    with pytest.raises(ZeroDivisionError), rehearsal(state) as trial:
        train_step(trial, next(train.epoch(0)), StepContext(settings=settings, seed=0))
        assert not torch.equal(trial.weights()["head.2.weight"], before["head.2.weight"])
        raise ZeroDivisionError
    assert all(torch.equal(tensor, before[name]) for name, tensor in state.weights().items())
    assert state.optimizer.state_dict()["state"] == {}
    assert all(p.grad is None for p in state.parameters)


class Counting(Callback):
    def __init__(self) -> None:
        self.steps = 0

    def on(self, moment: Moment, state: TrainingState) -> None:
        self.steps += moment is Moment.STEP_END


def test_an_epoch_cut_short_counts_what_it_saw(network: Network) -> None:
    settings = TrainingSettings(batch_size=16, epochs=5)
    state, counting = TrainingState.start(network(), settings), Counting()
    state.phase_steps = 10
    train, val = QuarterBatches(100), QuarterBatches(40, seed=1)
    fit(state, train, val, StepContext(settings=settings, seed=0), callbacks=[counting])
    assert counting.steps == 10
    assert [record.step for record in state.history] == [7, 10]
    assert 0 <= state.history[1].train_accuracy <= 1
