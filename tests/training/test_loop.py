from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from convlens.core.batch import Batch
from convlens.core.classifier import Classifier
from convlens.core.errors import WorkFailedError
from convlens.training import (
    Callback,
    Moment,
    OptimizerSettings,
    ScheduleSettings,
    StepContext,
    TrainingSettings,
    TrainingState,
    fit,
)
from convlens.training.loop import laid_out
from tests.training.quarters import QuarterBatches

Network = Callable[[], Classifier]
SETTINGS = TrainingSettings(epochs=4, batch_size=16)


def weights(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def test_it_learns(network: Network, train: QuarterBatches, val: QuarterBatches) -> None:
    settings = TrainingSettings(epochs=12, batch_size=16)
    state = TrainingState.start(network(), settings)
    fit(state, train, val, StepContext(settings=settings, seed=0))
    last = state.history[-1]
    assert len(state.history) == 12
    assert last.step == state.step == 12 * 7
    assert last.val_accuracy is not None
    assert last.val_accuracy > 0.9
    assert last.train_loss < state.history[0].train_loss / 2


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_a_step_is_torchs_own(name: str, network: Network, train: QuarterBatches) -> None:
    """One epoch with every optimizer equals the loop a tutorial would write."""
    settings = TrainingSettings(
        epochs=1,
        batch_size=16,
        optimizer=OptimizerSettings.model_validate({"name": name, "weight_decay": 0.0}),
        schedule=ScheduleSettings(name="constant", warmup=0),
    )
    ours, theirs = network(), network()
    for net in (ours, theirs):
        net.head[1].p = 0.0
    fit(
        TrainingState.start(ours, settings),
        train,
        QuarterBatches(0),
        StepContext(settings=settings, seed=0),
    )

    rate = settings.optimizer.learning_rate
    optimizer = {
        "sgd": lambda p: torch.optim.SGD(p, lr=rate, momentum=0.9, nesterov=True),
        "adam": lambda p: torch.optim.Adam(p, lr=rate),
        "adamw": lambda p: torch.optim.AdamW(p, lr=rate, weight_decay=0.0),
    }[name](theirs.parameters())
    theirs.train()
    for batch in train.epoch(0):
        optimizer.zero_grad()
        F.cross_entropy(theirs(batch.pixels), batch.targets).backward()
        optimizer.step()
    for ours_weight, their_weight in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(ours_weight, their_weight, rtol=1e-4, atol=1e-6)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    results = []
    for seed in (0, 0, 1):
        state = TrainingState.start(network(), SETTINGS)
        torch.manual_seed(len(results))
        fit(state, train, val, StepContext(settings=SETTINGS, seed=seed))
        results.append(weights(state.classifier))
    assert all(torch.equal(results[0][name], results[1][name]) for name in results[0])
    assert not all(torch.equal(results[0][name], results[2][name]) for name in results[0])


def test_torchs_own_generator_is_left_as_it_was(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    before = torch.random.get_rng_state()
    fit(
        TrainingState.start(network(), SETTINGS), train, val, StepContext(settings=SETTINGS, seed=0)
    )
    assert torch.equal(before, torch.random.get_rng_state())


class Watcher(Callback):
    def __init__(self) -> None:
        self.seen: list[Moment] = []

    def on(self, moment: Moment, state: TrainingState) -> None:
        self.seen.append(moment)
        if moment is Moment.EPOCH_END and state.epoch == 2:
            state.stopped = "enough"


def test_every_moment_is_told_in_order_and_a_callback_may_stop(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    watcher = Watcher()
    state = TrainingState.start(network(), SETTINGS)
    fit(state, train, val, StepContext(settings=SETTINGS, seed=0), callbacks=[watcher])
    epoch = [Moment.STEP_END] * 7 + [Moment.EPOCH_END]
    assert watcher.seen == [Moment.PHASE_START, *epoch, *epoch, Moment.PHASE_END]
    assert set(watcher.seen) == set(Moment)
    assert (state.epoch, state.stopped) == (2, "enough")


def test_the_transform_sees_training_batches_alone(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    seen: list[int] = []

    def transform(batch: Batch) -> Batch:
        seen.extend(batch.indices.tolist())
        return batch

    settings = TrainingSettings(epochs=2, batch_size=16)
    state = TrainingState.start(network(), settings)
    fit(state, train, val, StepContext(settings=settings, seed=0, transform=transform))
    assert sorted(seen) == sorted(list(range(100)) * 2)


def test_mixed_targets_are_learned_from_and_counted_by_their_largest_part(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    def transform(batch: Batch) -> Batch:
        mixed = 0.7 * F.one_hot(batch.targets, 4) + 0.3 / 4
        return Batch(batch.pixels, mixed, batch.indices, batch.epoch)

    settings = TrainingSettings(epochs=12, batch_size=16)
    state = TrainingState.start(network(), settings)
    fit(state, train, val, StepContext(settings=settings, seed=0, transform=transform))
    assert state.history[-1].train_accuracy > 0.9


def test_validation_is_the_mean_over_its_images(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    settings = TrainingSettings(epochs=1, batch_size=16)
    state = TrainingState.start(network(), settings)
    fit(state, train, val, StepContext(settings=settings, seed=0))
    with torch.inference_mode():
        logits = state.classifier.eval()(val.pixels)
    record = state.history[0]
    assert record.val_loss == pytest.approx(F.cross_entropy(logits, val.labels).item(), rel=1e-5)
    accuracy = (logits.argmax(1) == val.labels).float().mean().item()
    assert record.val_accuracy == pytest.approx(accuracy)


def test_a_loss_that_is_not_finite_stops_and_says_where(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    net = network()
    with torch.no_grad():
        net.head[2].weight.fill_(float("inf"))
    where = r"step 1 \(epoch 1, learning rate .*, batch of 16: images \d+, \d+, \d+, …\)"
    cause = "the weights 'head.2.weight' hold inf; give them finite values before training"
    with pytest.raises(WorkFailedError, match=f"{where}: {cause}"):
        fit(TrainingState.start(net, SETTINGS), train, val, StepContext(settings=SETTINGS, seed=0))
    with pytest.raises(WorkFailedError, match=r"batch of 2: images \d, \d\)"):
        few = QuarterBatches(2)
        fit(TrainingState.start(net, SETTINGS), few, val, StepContext(settings=SETTINGS, seed=0))


class Logarithm(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(x - 10.0)


def test_a_network_that_gives_nan_at_once_is_named_and_no_rate_is_blamed(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    net = network()
    net.stages.add_module("late", Logarithm())
    with pytest.raises(
        WorkFailedError, match="step 1 .*'late' .Logarithm. gives nan from finite"
    ) as told:
        fit(TrainingState.start(net, SETTINGS), train, val, StepContext(settings=SETTINGS, seed=0))
    assert "logarithm" in told.value.remedy
    assert "rate" not in told.value.remedy


def test_images_that_are_not_finite_are_named_at_any_step(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    train.pixels = train.pixels.float() / 255
    train.pixels[-1] = float("nan")
    with pytest.raises(WorkFailedError, match="the images hold nan; leave such images out"):
        fit(
            TrainingState.start(network(), SETTINGS),
            train,
            val,
            StepContext(settings=SETTINGS, seed=0),
        )


def test_a_rate_that_is_too_high_is_to_be_lowered(
    network: Network, train: QuarterBatches, val: QuarterBatches
) -> None:
    high = TrainingSettings(
        epochs=2,
        batch_size=16,
        optimizer=OptimizerSettings.model_validate({"name": "sgd", "learning_rate": 10.0}),
        schedule=ScheduleSettings(name="constant", warmup=0),
    )
    state = TrainingState.start(network(), high)
    state.rate_scale = 1e30
    with pytest.raises(WorkFailedError, match=r"at step [2-9].*lower rate: --set .*_rate=1$"):
        fit(state, train, val, StepContext(settings=high, seed=0))


def test_decay_pulls_kernels_and_matrices_alone(network: Network) -> None:
    settings = TrainingSettings(optimizer=OptimizerSettings(weight_decay=0.5))
    groups = TrainingState.start(network(), settings).optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.5, 0.0]
    assert all(p.ndim > 1 for p in groups[0]["params"])
    assert all(p.ndim <= 1 for p in groups[1]["params"])


@pytest.mark.parametrize("channels_last", [True, False])
def test_images_reach_the_network_in_the_layout_asked_for(channels_last: bool) -> None:
    settings = TrainingSettings(channels_last=channels_last)
    pixels = torch.rand(2, 3, 8, 8)
    for given in (pixels, pixels.contiguous(memory_format=torch.channels_last)):
        found = laid_out(given, settings)
        assert torch.equal(found, pixels)
        assert found.is_contiguous(memory_format=torch.channels_last) == channels_last
        assert found.is_contiguous() != channels_last
    vectors = torch.rand(2, 5)
    assert laid_out(vectors, settings) is vectors
