"""The training loop: a visible step over visible state.

Whatever is random in a step is seeded from the run's seed and the step's own place, so a run that
is interrupted anywhere and resumed from its checkpoint goes on exactly as if it had not been.
"""

import math
from collections.abc import Sequence
from time import perf_counter

import torch
from torch import Tensor
from torch.nn import functional as F

from convlens.core.batch import Batch, Batches, BatchTransform
from convlens.core.draws import Stream, derived_seed
from convlens.core.errors import WorkFailedError
from convlens.training.callbacks import Callback, Moment
from convlens.training.schedule import learning_rate
from convlens.training.settings import TrainingSettings
from convlens.training.state import EpochRecord, Running, TrainingState


def fit(
    state: TrainingState,
    train: Batches,
    val: Batches,
    *,
    settings: TrainingSettings,
    seed: int,
    transform: BatchTransform | None = None,
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train from wherever ``state`` stands to the last epoch, or until a callback stops it.

    Args:
        state: changed in place, step by step.
        train: what to learn from.
        val: what decides (best weights, stopping); it may hold no samples.
        settings: epochs, batch size, optimiser, schedule.
        seed: fixes dropout; the order of the samples is fixed by ``train``.
        transform: what is done to each training batch, and to no other: augmentation.
        callbacks: told of every `Moment`, in this order.

    Raises:
        WorkFailedError: the loss is not a finite number.
    """

    def tell(moment: Moment) -> None:
        for callback in callbacks:
            callback.on(moment, state)

    steps = settings.epochs * math.ceil(train.samples / train.batch_size)
    with torch.random.fork_rng():
        tell(Moment.RUN_START)
        while state.epoch < settings.epochs and state.stopped is None:
            started = perf_counter() - state.running.seconds
            for batch in train.epoch(state.epoch, samples_seen=state.samples_seen):
                set_step(state, settings, steps=steps, seed=seed)
                train_step(state, transform(batch) if transform else batch, settings)
                state.running.seconds = perf_counter() - started
                tell(Moment.STEP_END)
            finish_epoch(state, train, val)
            tell(Moment.EPOCH_END)
        tell(Moment.RUN_END)


def set_step(state: TrainingState, settings: TrainingSettings, *, steps: int, seed: int) -> None:
    """Give the coming step its learning rate and its randomness, both functions of its place."""
    state.learning_rate = learning_rate(
        settings.schedule, peak=settings.optimiser.learning_rate, step=state.step, steps=steps
    )
    for group in state.optimiser.param_groups:
        group["lr"] = state.learning_rate
    torch.manual_seed(derived_seed(seed, state.epoch, state.step, slot=Stream.STEP))


def train_step(state: TrainingState, batch: Batch, settings: TrainingSettings) -> None:
    """Forward, loss, backward, update; and count what the epoch's figures are made of."""
    pixels, targets = batch.pixels.to(state.device), batch.targets.to(state.device)
    state.classifier.train()
    logits = state.classifier(pixels)
    loss = F.cross_entropy(logits, targets, label_smoothing=settings.label_smoothing)
    value = loss.item()
    if not math.isfinite(value):
        raise WorkFailedError(
            f"the loss became {value} at step {state.step + 1} (epoch {state.epoch + 1}, learning "
            f"rate {state.learning_rate:.2g}, batch of {len(batch)}); try a lower rate: "
            f"--set training.optimiser.learning_rate={state.learning_rate / 10:.1g}",
            code="loss-not-finite",
        )
    state.optimiser.zero_grad()
    loss.backward()
    state.optimiser.step()
    state.step += 1
    state.samples_seen += len(batch)
    state.running.loss += value * len(batch)
    state.running.correct += count_correct(logits, targets)


def finish_epoch(state: TrainingState, train: Batches, val: Batches) -> None:
    """Validate, write the epoch's record, and turn the page."""
    val_loss, val_accuracy = validate(state, val)
    running, samples = state.running, train.samples
    record = EpochRecord(
        phase="all",
        epoch=state.epoch + 1,
        step=state.step,
        seconds=running.seconds,
        learning_rate=state.learning_rate,
        train_loss=running.loss / samples,
        train_accuracy=running.correct / samples,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        images_per_second=samples / running.seconds,
    )
    state.history.append(record)
    state.epoch, state.samples_seen, state.running = state.epoch + 1, 0, Running()


@torch.inference_mode()
def validate(state: TrainingState, val: Batches) -> tuple[float | None, float | None]:
    """Mean cross-entropy and accuracy on the validation images, as they are."""
    if val.samples == 0:
        return None, None
    state.classifier.eval()
    loss, correct = 0.0, 0
    for batch in val.epoch(0):
        logits = state.classifier(batch.pixels.to(state.device))
        targets = batch.targets.to(state.device)
        loss += F.cross_entropy(logits, targets, reduction="sum").item()
        correct += count_correct(logits, targets)
    return loss / val.samples, correct / val.samples


def count_correct(logits: Tensor, targets: Tensor) -> int:
    """How many logits are highest at their target; a mixed target counts as its largest part."""
    labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
    return int((logits.argmax(dim=1) == labels).sum())
