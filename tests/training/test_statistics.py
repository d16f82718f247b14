"""Statistics of normalization are those of the weights that predict, after any number of steps."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.classifier import Classifier
from convlens.training import (
    Callback,
    EmaSettings,
    KeepBest,
    Moment,
    OptimizerSettings,
    PhaseSettings,
    SaveCheckpoint,
    StepContext,
    TrainingSettings,
    TrainingState,
    fit,
    load_checkpoint,
)
from convlens.training.loop import measure_statistics
from convlens.training.statistics import LOADED_IMAGES, images_to_measure
from tests.training.quarters import SPEC, QuarterBatches, small_network


def norm_of(network: nn.Module) -> nn.BatchNorm2d:
    (norm,) = (module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    return norm


def of_all_images(network: Classifier, train: QuarterBatches) -> tuple[Tensor, Tensor]:
    """Mean and variance of what reaches the norm, over all images at once, in double precision."""
    inputs = network.stages[:1](train.pixels)
    with torch.no_grad():
        found = network.stages.get_submodule("block1.0")(inputs).double()
    variance, mean = torch.var_mean(found, (0, 2, 3))
    return mean, variance


def measured(network: Classifier, train: QuarterBatches, **terms: bool) -> TrainingState:
    settings = TrainingSettings(epochs=1, batch_size=train.batch_size)
    state = TrainingState.start(network, settings)
    measure_statistics(state, train, StepContext(settings=settings, seed=0, **terms))
    return state


def assert_statistics(norm: nn.Module, mean: Tensor, variance: Tensor) -> None:
    torch.testing.assert_close(norm.get_buffer("running_mean"), mean.float(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(
        norm.get_buffer("running_var"), variance.float(), rtol=1e-2, atol=1e-6
    )


@pytest.mark.parametrize("batch_size", [8, 33, 100])
def test_they_are_those_of_all_images_whatever_the_batch(batch_size: int) -> None:
    network, train = small_network(), QuarterBatches(100, batch_size=batch_size)
    network.stages.get_submodule("block1.0").weight.data.mul_(1e-3)  # as far from 1 as deep down
    before = norm_of(network).num_batches_tracked.clone()
    measured(network, train)
    assert_statistics(norm_of(network), *of_all_images(network, train))
    assert norm_of(network).momentum == 0.1
    assert torch.equal(norm_of(network).num_batches_tracked, before)


def test_a_single_last_image_is_left_out() -> None:
    network, train = small_network(), QuarterBatches(33, batch_size=16)
    measured(network, train)
    assert norm_of(network).running_var.isfinite().all()


def test_without_images_they_stay() -> None:
    network = small_network()
    norm_of(network).running_mean.fill_(3.0)
    measured(network, QuarterBatches(1, batch_size=16))
    assert (norm_of(network).running_mean == 3.0).all()


class Twice(nn.Module):
    """Normalizes two things by one norm, and never uses another."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.idle = nn.BatchNorm2d(1, momentum=None), nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.norm(x), self.norm(3 * x)], dim=1)


def test_a_norm_that_is_used_twice_has_both_and_an_unused_one_stays() -> None:
    head = nn.Sequential(nn.Flatten(), nn.Linear(128, 4))
    network, train = Classifier({"twice": Twice()}, head, SPEC), QuarterBatches(64, batch_size=64)
    norm, idle = (network.stages.get_submodule(f"twice.{name}") for name in ("norm", "idle"))
    measured(network, train)
    seen = network.stages[:1](train.pixels).double()
    variance, mean = torch.var_mean(torch.cat([seen, 3 * seen]))
    assert_statistics(norm, mean[None], variance[None])
    assert norm.momentum is None
    assert_statistics(idle, torch.zeros(1), torch.ones(1))


def test_statistics_that_are_held_stay_held() -> None:
    network, train = small_network(), QuarterBatches(64)
    norm_of(network).running_mean.fill_(3.0)
    settings = TrainingSettings(phases=(PhaseSettings(train="head"),), epochs=1)
    state = TrainingState.start(network, settings)
    measure_statistics(state, train, StepContext(settings=settings, seed=0))
    assert (norm_of(network).running_mean == 3.0).all()


def test_statistics_that_were_loaded_count_for_some_images() -> None:
    network, train = small_network(), QuarterBatches(LOADED_IMAGES)
    norm_of(network).running_mean.fill_(3.0)
    mean, variance = of_all_images(network, train)
    measured(network, train, loaded=True)
    between = ((3 - mean) / 2) ** 2  # variance of two means of equal weight
    assert_statistics(norm_of(network), (mean + 3) / 2, (variance + 1) / 2 + between)


@given(st.integers(0, 10**9))
def test_an_epoch_of_any_size_is_measured_in_part(samples: int) -> None:
    found = images_to_measure(samples)
    assert found <= 1024
    assert found == samples or found >= 256


class Ends(Callback):
    """Remembers what validation saw."""

    def __init__(self) -> None:
        self.found: list[dict[str, Tensor]] = []

    def on(self, moment: Moment, state: TrainingState) -> None:
        if moment is Moment.EPOCH_END:
            self.found.append(state.weights())


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("name", ["sgd", "adam", "adamw", "muon"])
def test_after_any_number_of_steps_a_network_predicts_by_its_weights(name: str, steps: int) -> None:
    train, ends = QuarterBatches(16 * steps), Ends()
    settings = TrainingSettings(
        epochs=1, batch_size=16, optimizer=OptimizerSettings.model_validate({"name": name})
    )
    state = TrainingState.start(small_network(), settings)
    fit(
        state,
        train,
        QuarterBatches(40, seed=1),
        StepContext(settings=settings, seed=0),
        callbacks=[ends],
    )
    assert_statistics(norm_of(state.classifier), *of_all_images(state.classifier, train))
    assert state.weights().keys() == ends.found[0].keys()


def test_the_average_has_statistics_of_its_own_weights() -> None:
    train, ends = QuarterBatches(64), Ends()
    settings = TrainingSettings(epochs=2, batch_size=16, ema=EmaSettings(decay=0.99))
    state = TrainingState.start(small_network(), settings)
    fit(
        state,
        train,
        QuarterBatches(40, seed=1),
        StepContext(settings=settings, seed=0),
        callbacks=[ends],
    )
    for weights in ends.found:
        network = small_network()
        network.load_state_dict(weights)
        assert_statistics(norm_of(network), *of_all_images(network, train))


class KilledError(Exception):
    pass


class KillAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on(self, moment: Moment, state: TrainingState) -> None:
        if moment is Moment.STEP_END and state.step == self.step:
            raise KilledError


@pytest.mark.parametrize("loaded", [False, True])
@pytest.mark.parametrize("ema", [None, EmaSettings(decay=0.9)])
def test_a_resumed_run_measures_the_same_bits(
    tmp_path: Path, ema: EmaSettings | None, loaded: bool
) -> None:
    settings = TrainingSettings(epochs=3, batch_size=16, ema=ema)

    def run(folder: Path, *also: Callback) -> dict[str, Tensor]:
        state, best = TrainingState.start(small_network(), settings), KeepBest()
        load_checkpoint(folder, state, {"best": best})
        save = SaveCheckpoint(folder, every_seconds=1e-9, remember={"best": best})
        terms = StepContext(settings=settings, seed=0, loaded=loaded)
        train, val = QuarterBatches(60), QuarterBatches(40, seed=1)
        fit(state, train, val, terms, callbacks=[*also, best, save])
        return state.weights()

    whole = run(tmp_path / "whole")
    for step in (2, 4, 5, 9):
        with pytest.raises(KilledError):
            run(tmp_path / "cut", KillAt(step))
    resumed = run(tmp_path / "cut")
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def deep_network(seed: int) -> Classifier:
    """As `standard` is: rectified, then normalized, with dropout between."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        stages = {
            f"block{number}": nn.Sequential(
                nn.Conv2d(inputs, 16, 3, padding=1),
                nn.ReLU(),
                nn.BatchNorm2d(16),
                nn.Dropout(0.25),
            )
            for number, inputs in enumerate((1, 16, 16), 1)
        }
        head = nn.Sequential(
            nn.Flatten(), nn.Linear(1024, 64), nn.ReLU(), nn.BatchNorm1d(64), nn.Linear(64, 4)
        )
        return Classifier(stages, head, SPEC)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("epochs", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_validation_keeps_up_with_training(seed: int, epochs: int, precision: str) -> None:
    """New images of the same problem are answered as well as those of the epoch that ends there."""
    settings = TrainingSettings.model_validate(
        {"epochs": epochs, "batch_size": 16, "precision": precision}
    )
    state = TrainingState.start(deep_network(seed), settings)
    terms = StepContext(settings=settings, seed=seed)
    fit(state, QuarterBatches(128, seed=seed), QuarterBatches(200, seed=99), terms)
    for record in state.history:
        assert record.val_accuracy is not None
        assert record.val_accuracy > record.train_accuracy - 0.1
