"""A batch that is too much for the memory goes through the network in parts."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from convlens.core.batch import Batch, BatchTransform
from convlens.core.classifier import Classifier
from convlens.core.errors import WorkFailedError
from convlens.core.reporter import Quiet
from convlens.training import (
    Callback,
    Moment,
    OptimizerSettings,
    Progress,
    StepContext,
    TrainingSettings,
    TrainingState,
    fit,
)
from tests.training.quarters import SPEC, QuarterBatches

SETTINGS = TrainingSettings(
    epochs=2, batch_size=16, optimizer=OptimizerSettings(name="sgd", learning_rate=0.1)
)


class Narrow(nn.Module):
    """Passes on as many 8×8 images as fit, or half as many of 16×16; more: what a full GPU says."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) * x.shape[-1] / 8 > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x


def network(room: int, *, kind: torch.dtype = torch.float64) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block = nn.Sequential(Narrow(room), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4))
        return Classifier({"block1": block}, head, SPEC).to(kind)


def normalized(room: int) -> Classifier:
    """Normalizes over the batch before the memory is full, and after, where one value is left."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), Narrow(room))
        pooled = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        return Classifier({"b": block}, pooled.extend([nn.BatchNorm1d(32), nn.Linear(32, 4)]), SPEC)


class Listening(Quiet):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, text: str) -> None:
        self.heard.append(text)


def trained(room: int) -> tuple[TrainingState, list[str]]:
    state, reporter = TrainingState.start(network(room), SETTINGS), Listening()
    progress = Progress(reporter, SETTINGS, steps_an_epoch=7)
    train, val = QuarterBatches(100), QuarterBatches(40, seed=1)
    fit(state, train, val, StepContext(settings=SETTINGS, seed=0), callbacks=[progress])
    return state, reporter.heard


def test_the_parts_add_up_to_the_whole_batch_and_it_is_said_once() -> None:
    whole, silence = trained(16)
    parts, heard = trained(5)
    assert (parts.largest_batch, parts.step) == (4, whole.step)
    assert silence == []
    assert len(heard) == 1
    assert "4 images at a time" in heard[0]
    assert "counts as one step" in heard[0]
    for name, tensor in whole.classifier.state_dict().items():
        torch.testing.assert_close(parts.classifier.state_dict()[name], tensor, rtol=1e-9, atol=0)
    assert parts.history[-1].train_loss == pytest.approx(whole.history[-1].train_loss, rel=1e-9)


def test_one_image_too_many_is_told_in_words() -> None:
    with pytest.raises(WorkFailedError, match=r"not even one image of \(1, 8, 8\) fits"):
        trained(0)


class PartsOfEight(Callback):
    """Sends the batches in parts, from an epoch on."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on(self, moment: Moment, state: TrainingState) -> None:
        if moment in {Moment.PHASE_START, Moment.EPOCH_END} and state.epoch == self.epoch:
            state.largest_batch = 8


def larger_later(batch: Batch) -> Batch:
    if batch.epoch == 0:
        return batch
    return replace(batch, pixels=batch.pixels.repeat_interleave(2, 2).repeat_interleave(2, 3))


@pytest.mark.parametrize(("room", "transform", "epoch"), [(8, None, 0), (16, larger_later, 1)])
def test_what_did_not_fit_leaves_no_trace_in_the_statistics(
    room: int, transform: BatchTransform | None, epoch: int
) -> None:
    """Whether the first batch is too large, or that of later, larger images."""
    terms = StepContext(settings=SETTINGS, seed=0, transform=transform)
    tried, told = (TrainingState.start(normalized(room), SETTINGS) for _ in range(2))
    train, val = QuarterBatches(96), QuarterBatches(40, seed=1)
    fit(tried, train, val, terms)
    fit(told, train, val, terms, callbacks=[PartsOfEight(epoch)])
    assert tried.largest_batch == told.largest_batch == 8
    for name, tensor in told.classifier.state_dict().items():
        assert torch.equal(tried.classifier.state_dict()[name], tensor), name


def test_no_part_is_a_single_image_where_the_batch_is_normalized() -> None:
    state = TrainingState.start(normalized(3), SETTINGS)
    train = QuarterBatches(101)  # the last 5 images of an epoch are 2 and 3, not 1, 2 and 2
    fit(state, train, QuarterBatches(0), StepContext(settings=SETTINGS, seed=0))
    assert (state.largest_batch, state.step) == (2, 14)


@pytest.mark.parametrize(("room", "images"), [(0, 2), (1, 2), (2, 3)])
def test_two_images_too_many_are_told_where_the_batch_is_normalized(room: int, images: int) -> None:
    state = TrainingState.start(normalized(room), SETTINGS)
    with pytest.raises(WorkFailedError, match=f"not even {images} images of .* takes no fewer"):
        fit(state, QuarterBatches(101), QuarterBatches(0), StepContext(settings=SETTINGS, seed=0))


@pytest.mark.parametrize("least", [1, 2])
def test_parts_are_as_even_as_can_be(least: int) -> None:
    for samples in range(12):
        numbers = torch.arange(samples)
        batch = Batch(numbers, numbers, numbers, epoch=0)
        for size in range(1, 13):
            sizes = [len(part) for part in batch.parts(size, least=least)]
            assert sum(sizes) == samples
            assert not sizes or max(sizes) - min(sizes) <= 1
            assert not sizes or min(sizes) >= min(samples, least)
            assert all(each <= max(size, 2 * least - 1) for each in sizes)


def test_gradients_are_shortened_to_the_norm_asked_for(
    network: Callable[[], Classifier], train: QuarterBatches, val: QuarterBatches
) -> None:
    norms: list[float] = []
    settings = TrainingSettings(epochs=1, batch_size=16, grad_clip_norm=1e-3)
    state = TrainingState.start(network(), settings)
    step = state.optimizer.step

    def watched() -> None:
        gradients = [p.grad.flatten() for p in state.parameters if p.grad is not None]
        norms.append(torch.cat(gradients).norm().item())
        step()

    state.optimizer.step = watched  # type: ignore[method-assign, assignment]
    fit(state, train, val, StepContext(settings=settings, seed=0))
    assert norms == pytest.approx([1e-3] * 7, rel=1e-3)


def test_bfloat16_learns_as_well_and_keeps_its_weights_in_32_bits(
    network: Callable[[], Classifier], train: QuarterBatches, val: QuarterBatches
) -> None:
    settings = TrainingSettings(epochs=12, batch_size=16, precision="bfloat16")
    state = TrainingState.start(network(), settings)
    fit(state, train, val, StepContext(settings=settings, seed=0))
    assert (state.history[-1].val_accuracy or 0) > 0.9
    assert {p.dtype for p in state.parameters} == {torch.float32}
    plain = TrainingState.start(network(), SETTINGS)
    fit(plain, train, val, StepContext(settings=SETTINGS, seed=0))
    assert state.history[0].train_loss != plain.history[0].train_loss
