import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.core.classifier import Classifier
from convlens.training import (
    EmaSettings,
    OptimizerSettings,
    PhaseSettings,
    ScheduleSettings,
    StepContext,
    TrainingSettings,
    TrainingState,
    fit,
)
from convlens.training.lr_finder import RateFinderSettings, find_rate, smooth, suggested_rate
from tests.training.quarters import QuarterBatches

Network = Callable[[], Classifier]
NAMES = ["sgd", "adam", "adamw", "muon"]
SHORT = RateFinderSettings(steps=30, lowest=1e-5, highest=1.0)


def terms_of(name: str, **asked: object) -> StepContext:
    optimizer = OptimizerSettings.model_validate({"name": name})
    training = TrainingSettings.model_validate(
        {"epochs": 2, "batch_size": 16, "optimizer": optimizer, **asked}
    )
    return StepContext(settings=training, seed=0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("after_epochs", [0, 1])
def test_training_after_it_is_the_same_to_the_bit(
    name: str, after_epochs: int, network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    phases = tuple(PhaseSettings(epochs=epochs) for epochs in (1, 2))
    terms = terms_of(name, phases=phases, ema=EmaSettings(decay=0.9))
    ends = []
    for trying in (False, True):
        state = TrainingState.start(network(), terms.settings)
        if after_epochs:
            fit(state, train, val, terms)
            state = state.next_phase(terms.settings)
        if trying:
            find_rate(state, train, terms, settings=SHORT)
        fit(state, train, val, terms)
        ends.append(state)
    plain, tried = ends
    for own, other in zip(
        tried.classifier.state_dict().values(), plain.classifier.state_dict().values(), strict=True
    ):
        assert torch.equal(own, other)
    figures = [[(r.train_loss, r.val_loss, r.learning_rate) for r in s.history] for s in ends]
    assert figures[0] == figures[1]


def test_nothing_is_changed(network: Network, train: QuarterBatches) -> None:
    terms = terms_of("adamw")
    state = TrainingState.start(network(), terms.settings)
    state.classifier.eval()
    before = {name: tensor.clone() for name, tensor in state.classifier.state_dict().items()}
    generator, optimizer = torch.random.get_rng_state(), state.optimizer.state_dict()
    find_rate(state, train, terms, settings=SHORT)
    for name, tensor in state.classifier.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert torch.equal(torch.random.get_rng_state(), generator)
    assert state.optimizer.state_dict() == optimizer
    assert all(p.grad is None for p in state.classifier.parameters())
    assert not any(module.training for module in state.classifier.modules())
    assert (state.step, state.phase_step, state.rate_scale, state.running.loss) == (0, 0, 1.0, 0.0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle"])
def test_rates_are_its_own_whatever_the_schedule(
    name: str, schedule: str, network: Network, train: QuarterBatches
) -> None:
    terms = terms_of(name, schedule=ScheduleSettings.model_validate({"name": schedule}))
    state = TrainingState.start(network(), terms.settings)
    seen: list[list[float]] = []
    step = state.optimizer.step

    def watched() -> None:
        seen.append([group["lr"] / group["rate_scale"] for group in state.optimizer.param_groups])
        step()

    state.optimizer.step = watched  # type: ignore[method-assign,assignment]
    curve = find_rate(state, train, terms, settings=SHORT)
    assert curve.rates == pytest.approx(SHORT.rates()[: len(curve.rates)])
    for rates, expected in zip(seen, SHORT.rates(), strict=False):
        assert rates == pytest.approx([expected] * len(rates))


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
def test_its_suggestion_trains_the_network(
    name: str, network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    state = TrainingState.start(network(), terms_of(name).settings)
    found = find_rate(state, train, terms_of(name)).suggestion
    assert found is not None
    optimizer = OptimizerSettings.model_validate({"name": name, "learning_rate": found})
    terms = StepContext(
        settings=TrainingSettings(epochs=12, batch_size=16, optimizer=optimizer), seed=0
    )
    state = TrainingState.start(network(), terms.settings)
    fit(state, train, val, terms)
    assert state.history[-1].val_accuracy is not None
    assert state.history[-1].val_accuracy > 0.9


def test_it_ends_when_the_loss_diverges(network: Network, train: QuarterBatches) -> None:
    terms = terms_of("sgd")
    state = TrainingState.start(network(), terms.settings)
    asked = RateFinderSettings(steps=60, lowest=1e-3, highest=1e30)
    curve = find_rate(state, train, terms, settings=asked)
    assert 1 < len(curve.rates) < 60
    assert all(math.isfinite(loss) for loss in curve.losses)
    assert len(curve.rates) == len(curve.losses)


def test_it_tells_how_far_it_is(network: Network, train: QuarterBatches) -> None:
    told: list[tuple[int, str]] = []

    class Listener:
        def say(self, text: str) -> None:
            raise AssertionError(text)

        warn = say

        def update(self, done: int, detail: str = "") -> None:
            told.append((done, detail))

        @contextmanager
        def task(self, name: str, total: int) -> Iterator["Listener"]:
            assert (name, total) == ("learning rates", 30)
            yield self

    terms = terms_of("adamw")
    state = TrainingState.start(network(), terms.settings)
    find_rate(state, train, terms, settings=SHORT, reporter=Listener())
    assert [done for done, _ in told] == list(range(1, len(told) + 1))
    assert told[0][1].startswith("rate 1e-05  loss 1.")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=40), st.floats(0, 0.95))
def test_smoothing_is_the_weighted_mean_so_far(values: list[float], share: float) -> None:
    for number, found in enumerate(smooth(values, share), start=1):
        weights = [share ** (number - 1 - place) for place in range(number)]
        pairs = zip(weights, values, strict=False)
        expected = sum(weight * value for weight, value in pairs) / sum(weights)
        assert found == pytest.approx(expected)


def test_a_loss_that_does_not_fall_suggests_nothing() -> None:
    rates = [0.1, 1.0, 10.0]
    assert suggested_rate(rates, [2.0, 2.5, 9.0]) is None
    assert suggested_rate(rates, [2.0, 1.999, 9.0]) is None
    assert suggested_rate([], []) is None


def test_it_suggests_half_way_down_at_most_a_tenth_of_the_least() -> None:
    rates = [1e-3, 1e-2, 1e-1, 1.0, 10.0]
    assert suggested_rate(rates, [2.0, 1.4, 0.8, 0.2, 0.1]) == pytest.approx(1e-1)
    assert suggested_rate(rates, [2.0, 1.98, 1.9, 5.0]) == pytest.approx(1e-2)


def test_rates_must_rise() -> None:
    with pytest.raises(ValueError, match="highest must be above lowest"):
        RateFinderSettings(lowest=1.0, highest=0.1)
