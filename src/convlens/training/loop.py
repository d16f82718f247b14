"""The training loop: a visible step over visible state.

Whatever is random in a step is seeded from the run's seed and the step's own place, so a run that
is interrupted anywhere and resumed from its checkpoint goes on exactly as if it had not been.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter

import torch
from torch import Tensor, nn

from convlens.core.batch import Batch, Batches, BatchTransform, batches_on
from convlens.core.batch_norm import copied_statistics, fewest_images, measurable_norms
from convlens.core.device import kept_generators, seed_generators
from convlens.core.distributed import Ranks
from convlens.core.errors import WorkFailedError
from convlens.core.rng import Stream, derived_seed
from convlens.training.callbacks import Callback, Moment
from convlens.training.freeze import learning_mode
from convlens.training.gradient_sync import shared_step
from convlens.training.loss import correct, log_loss, summed_loss, total_weight
from convlens.training.not_finite import not_finite
from convlens.training.schedule import learning_rate
from convlens.training.settings import TrainingSettings
from convlens.training.state import EpochRecord, Running, TrainingState
from convlens.training.statistics import images_to_measure, measure_norms


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """What a run's steps have in common.

    Attributes:
        settings: phases, batch size, loss.
        seed: fixes dropout; the order of the samples is fixed by the batches.
        transform: what is done to each training batch, and to no other: augmentation.
        class_weights: (K,) what a sample of each class counts; None for 1.
        loaded: whether the stages began with loaded weights, and so with statistics that count.
        ranks: the processes that share each batch.
    """

    settings: TrainingSettings
    seed: int
    transform: BatchTransform | None = None
    class_weights: Tensor | None = None
    loaded: bool = False
    ranks: Ranks = field(default_factory=Ranks)


def fit(
    state: TrainingState,
    train: Batches,
    val: Batches,
    terms: StepContext,
    *,
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train from wherever ``state`` stands to the end of its phase, or until a callback stops it.

    Args:
        state: changed in place, step by step.
        train: what to learn from.
        val: what decides (best weights, stopping); it may hold no samples.
        terms: how.
        callbacks: told of every `Moment`, in this order.

    Raises:
        WorkFailedError: the loss is not a finite number, or one image is too much for the memory.
    """

    def tell(moment: Moment) -> None:
        for callback in callbacks:
            callback.on(moment, state)

    epochs = terms.settings.plan[state.phase].epochs
    state.phase_steps = state.phase_steps or epochs * math.ceil(train.samples / train.batch_size)
    with kept_generators(state.device):
        tell(Moment.PHASE_START)
        while state.stopped is None and (
            state.phase_step < state.phase_steps or state.samples_seen > 0
        ):
            learning_mode(state.classifier, state.frozen)
            started = perf_counter() - state.running.seconds
            batches = train.epoch(state.epoch, samples_seen=state.samples_seen)
            for batch in batches_on(state.device, batches, ahead=terms.settings.copy_ahead):
                if state.phase_step >= state.phase_steps:
                    break
                train_step(state, batch, terms)
                state.samples_seen = min(state.samples_seen + train.batch_size, train.samples)
                state.running.seconds = perf_counter() - started
                tell(Moment.STEP_END)
            finish_epoch(state, train, val, terms)
            tell(Moment.EPOCH_END)
        if state.ema is not None:
            state.classifier.load_state_dict(state.weights())
        tell(Moment.PHASE_END)


def train_step(state: TrainingState, batch: Batch, terms: StepContext) -> None:
    """Augment, forward, loss, backward, update; and count what the epoch's figures are made of."""
    settings, ranks = terms.settings, terms.ranks
    set_rate(state, settings)
    if terms.transform is not None and len(batch):
        batch = terms.transform(batch)
    weight = ranks.all_reduce(total_weight(batch.targets, terms.class_weights))
    figures = backward_in_memory(state, batch, weight, terms)
    figures = shared_step(state.classifier, figures, samples=len(batch), ranks=ranks)
    loss, right, total = torch.cat([figures, weight[None]]).tolist()  # a GPU is waited for once
    if not math.isfinite(loss):
        pixels, where = laid_out(batch.pixels, settings), _batch_in_words(batch)
        raise not_finite(state, settings, loss, where=where, pixels=pixels)
    if settings.grad_clip_norm is not None:
        nn.utils.clip_grad_norm_(state.parameters, settings.grad_clip_norm)
    state.optimizer.step()
    state.step, state.phase_step = state.step + 1, state.phase_step + 1
    if state.ema is not None:
        state.ema.update(state.phase_step)
    state.running.loss += loss
    state.running.weight += total
    state.running.correct += round(right)


def set_rate(state: TrainingState, settings: TrainingSettings) -> None:
    """Give the coming step its learning rate, a function of its place in the phase."""
    phase = settings.plan[state.phase]
    state.learning_rate = state.rate_scale * learning_rate(
        phase.schedule,
        peak=phase.optimizer.learning_rate,
        step=state.phase_step,
        steps=state.phase_steps,
    )
    for group in state.optimizer.param_groups:
        group["lr"] = state.learning_rate * group["rate_scale"]


def backward_in_memory(
    state: TrainingState, batch: Batch, weight: Tensor, terms: StepContext
) -> Tensor:
    """Gradients of the whole batch, in as many parts as the memory needs; see `backward`.

    Where a part is too much for the device it is halved, and stays so; the gradients add up to
    the same, batch normalization apart, which then sees the parts. What it had learned of the part
    that was too much is taken back: for that its statistics are copied, but only before parts
    larger than any that has fitted, since a copy in every step takes a hundredth of a short one.
    """
    before = copied_statistics(state.network) if _most(state, batch) > state.proven else {}
    while True:
        try:
            figures = backward(state, batch, weight, terms)
        except torch.OutOfMemoryError as error:
            size = state.largest_batch or len(batch)
            if size <= fewest_images(state.network):
                raise _too_large(state, batch) from error
            state.largest_batch = (size + 1) // 2
        else:
            if state.optimizer.state:
                state.proven = max(state.proven, _most(state, batch))
            return figures
        for statistic, value in before.items():
            statistic.copy_(value)
        torch.cuda.empty_cache()


def _most(state: TrainingState, batch: Batch) -> int:
    """Values of a part of the batch."""
    return batch.pixels[: state.largest_batch or len(batch)].numel()


def backward(state: TrainingState, batch: Batch, weight: Tensor, terms: StepContext) -> Tensor:
    """Add up the gradients of the batch's loss: its sum over ``weight``.

    Returns:
        (2,) the summed loss, and how many samples are correct.
    """
    place = (state.epoch, state.step, terms.ranks.rank)
    seed_generators(derived_seed(terms.seed, *place, slot=Stream.STEP), state.device)
    state.optimizer.zero_grad()
    figures = torch.zeros_like(weight).repeat(2)
    half = in_16_bits(terms.settings, state.device)
    for part in in_parts(state, batch):
        with torch.autocast(state.device.type, torch.bfloat16, enabled=half):
            logits = state.network(laid_out(part.pixels, terms.settings))
            loss = summed_loss(logits, part.targets, terms.settings.loss, terms.class_weights)
        (loss / weight).backward()
        figures[0] += loss.detach()
        figures[1] += correct(logits, part.targets)
    return figures


def in_parts(state: TrainingState, batch: Batch) -> Iterator[Batch]:
    """The batch in as many parts as the memory needs, none too small to be normalized."""
    if not state.largest_batch:
        return batch.parts(len(batch))
    return batch.parts(state.largest_batch, least=fewest_images(state.network))


def laid_out(pixels: Tensor, settings: TrainingSettings) -> Tensor:
    """The pixels in the memory layout that the network is trained in."""
    if pixels.ndim != 4:  # kept features may be vectors
        return pixels
    layout = torch.channels_last if settings.channels_last else torch.contiguous_format
    return pixels.contiguous(memory_format=layout)


def in_16_bits(settings: TrainingSettings, device: torch.device) -> bool:
    """Whether steps compute in bfloat16; validation never does, nor what ships."""
    if settings.precision == "auto":
        return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return settings.precision == "bfloat16"


def finish_epoch(state: TrainingState, train: Batches, val: Batches, terms: StepContext) -> None:
    """Measure the statistics, validate, write the epoch's record, and turn the page."""
    started = perf_counter()
    with state.averaged():
        measure_statistics(state, train, terms)
        if state.ema is not None:
            state.ema.keep_buffers()
        val_loss, val_accuracy = validate(state, val, terms)
    validation_seconds = perf_counter() - started
    if val_loss is not None and not math.isfinite(val_loss):
        raise not_finite(state, terms.settings, val_loss, where="on the validation images")
    running, samples = state.running, state.samples_seen
    record = EpochRecord(
        phase=terms.settings.plan[state.phase].train,
        epoch=state.epoch + 1,
        step=state.step,
        seconds=running.seconds,
        learning_rate=state.learning_rate,
        train_loss=running.loss / running.weight,
        train_accuracy=running.correct / samples,
        val_loss=val_loss,
        val_accuracy=val_accuracy,
        images_per_second=samples / running.seconds,
        validation_seconds=validation_seconds,
    )
    state.history.append(record)
    state.epoch, state.phase_epoch = state.epoch + 1, state.phase_epoch + 1
    state.samples_seen, state.running = 0, Running()


def measure_statistics(state: TrainingState, train: Batches, terms: StepContext) -> None:
    """Measure what learning normalization will predict by, on some training images as they are."""
    learning_mode(state.classifier, state.frozen)
    norms = measurable_norms(state.network)
    if not norms:
        return
    state.classifier.eval()
    for norm in norms:
        norm.train()
    steps = math.ceil(images_to_measure(train.samples) / train.batch_size)
    some = islice(train.epoch(state.epoch), steps)
    batches = batches_on(state.device, some, ahead=terms.settings.copy_ahead)
    parts = (part.pixels for batch in batches for part in in_parts(state, batch))
    least = fewest_images(state.network)
    measure_norms(
        state.network,
        norms,
        (laid_out(pixels, terms.settings) for pixels in parts if len(pixels) >= least),
        loaded={*state.classifier.stages.modules()} if terms.loaded else (),
        ranks=terms.ranks,
    )


@torch.inference_mode()
def validate(
    state: TrainingState, val: Batches, terms: StepContext
) -> tuple[float | None, float | None]:
    """Mean cross-entropy and accuracy on the validation images, as they are."""
    state.classifier.eval()
    loss, right, samples = 0.0, 0, 0
    for batch in batches_on(state.device, val.epoch(0), ahead=terms.settings.copy_ahead):
        for part in in_parts(state, batch):
            logits = state.network(laid_out(part.pixels, terms.settings))
            loss += log_loss(logits, part.targets).item()
            right += int(correct(logits, part.targets))
            samples += len(part)
    sums = torch.tensor([loss, right, samples], dtype=torch.float64)
    loss, right, samples = terms.ranks.all_reduce(sums).tolist()
    return (loss / samples, right / samples) if samples else (None, None)


def _too_large(state: TrainingState, batch: Batch) -> WorkFailedError:
    images, shape = max(map(len, in_parts(state, batch))), tuple(batch.pixels.shape[1:])
    what = f"{images} images of {shape} fit" if images > 1 else f"one image of {shape} fits"
    why = ", and batch normalization takes no fewer" if images > 1 else ""
    return WorkFailedError(
        f"not even {what} into the memory of {state.device}{why}",
        remedy="pass a smaller --size or a smaller network",
        code="out-of-memory",
    )


def _batch_in_words(batch: Batch) -> str:
    first = ", ".join(map(str, batch.indices[:3].tolist()))
    return f"batch of {len(batch)}: images {first}{', …' * (len(batch) > 3)}"
