"""A batch that is too much for the memory goes through the network in parts."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from convlens.core.classifier import Classifier
from convlens.core.errors import WorkFailedError
from convlens.core.reporter import Quiet
from convlens.training import (
    OptimiserSettings,
    Progress,
    Terms,
    TrainingSettings,
    TrainingState,
    fit,
)
from tests.training.quarters import SPEC, QuarterBatches

SETTINGS = TrainingSettings(
    epochs=2, batch_size=16, optimiser=OptimiserSettings(name="sgd", learning_rate=0.1)
)


class Narrow(nn.Module):
    """Passes on as many images as fit; more are what a full GPU says."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def forward(self, x: Tensor) -> Tensor:
        if self.training and len(x) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return x


def network(room: int, *, kind: torch.dtype = torch.float64) -> Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block = nn.Sequential(Narrow(room), nn.Conv2d(1, 8, 3, padding=1), nn.ReLU())
        head = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 4))
        return Classifier({"block1": block}, head, SPEC).to(kind)


class Listening(Quiet):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def warn(self, text: str) -> None:
        self.heard.append(text)


def trained(room: int) -> tuple[TrainingState, list[str]]:
    state, reporter = TrainingState.start(network(room), SETTINGS), Listening()
    progress = Progress(reporter, SETTINGS, steps_an_epoch=7)
    train, val = QuarterBatches(100), QuarterBatches(40, seed=1)
    fit(state, train, val, Terms(settings=SETTINGS, seed=0), callbacks=[progress])
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


def test_gradients_are_shortened_to_the_norm_asked_for(
    network: Callable[[], Classifier], train: QuarterBatches, val: QuarterBatches
) -> None:
    norms: list[float] = []
    settings = TrainingSettings(epochs=1, batch_size=16, clip_norm=1e-3)
    state = TrainingState.start(network(), settings)
    step = state.optimiser.step

    def watched() -> None:
        gradients = [p.grad.flatten() for p in state.parameters if p.grad is not None]
        norms.append(torch.cat(gradients).norm().item())
        step()

    state.optimiser.step = watched  # type: ignore[method-assign, assignment]
    fit(state, train, val, Terms(settings=settings, seed=0))
    assert norms == pytest.approx([1e-3] * 7, rel=1e-3)


def test_bfloat16_learns_as_well_and_keeps_its_weights_in_32_bits(
    network: Callable[[], Classifier], train: QuarterBatches, val: QuarterBatches
) -> None:
    settings = TrainingSettings(epochs=12, batch_size=16, precision="bfloat16")
    state = TrainingState.start(network(), settings)
    fit(state, train, val, Terms(settings=settings, seed=0))
    assert (state.history[-1].val_accuracy or 0) > 0.9
    assert {p.dtype for p in state.parameters} == {torch.float32}
    plain = TrainingState.start(network(), SETTINGS)
    fit(plain, train, val, Terms(settings=SETTINGS, seed=0))
    assert state.history[0].train_loss != plain.history[0].train_loss
