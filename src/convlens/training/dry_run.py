"""Steps that leave no trace: to measure how long they take, or what a learning rate does."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass
from itertools import count, islice
from time import perf_counter

from convlens.core.batch import Batch, Batches, batches_on
from convlens.core.device import kept_generators
from convlens.core.modes import kept_modes
from convlens.training.freeze import learning_mode
from convlens.training.loop import StepContext, measure_statistics, train_step, validate
from convlens.training.state import TrainingState
from convlens.training.statistics import images_to_measure

_AT_MOST = 100
_AT_LEAST = 3
_VALIDATED = 8
_MEASURED = 4


@contextmanager
def rehearsal(state: TrainingState) -> Iterator[TrainingState]:
    """A state to try steps on, without a trace.

    Afterward the network, the optimizer and torch's generator are what they were, to the bit.

    Example:
        >>> with rehearsal(state) as trial:                    # doctest: +SKIP
        ...     train_step(trial, batch, terms)
    """
    network = state.classifier
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    gradients = {p: p.grad for p in network.parameters()}
    optimizer = deepcopy(state.optimizer.state_dict())
    trial = copy(state)
    trial.running, trial.history, trial.ema = copy(state.running), list(state.history), None
    try:
        with kept_generators(state.device), kept_modes(network):
            for parameter in gradients:
                parameter.grad = None
            yield trial
    finally:
        network.load_state_dict(weights)
        state.optimizer.load_state_dict(optimizer)
        for parameter, gradient in gradients.items():
            parameter.grad = gradient


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long the parts of a phase take.

    Attributes:
        step: seconds for an optimizer step, the batch's way to it included.
        validation: seconds for what ends an epoch: the statistics of normalization are measured,
            then all validation images are gone through.
    """

    step: float
    validation: float


def benchmark_steps(
    state: TrainingState,
    train: Batches,
    val: Batches,
    terms: StepContext,
    *,
    seconds: float = 2.0,
    longer: float = 1.0,
) -> Pace:
    """Time a few steps, and a few batches of validation, and take them back.

    Args:
        state: as it stands before the phase's first step; left as it is.
        train: what will be learned from.
        val: what will be validated on.
        terms: as for `convlens.training.fit`.
        seconds: how long to measure; the first two steps are made in any case.
        longer: where that is less than three steps, up to so many times as long.
    """
    with rehearsal(state) as trial:
        trial.phase_steps = 1
        trial.rate_scale = 0.0  # a step takes as long, and no loss can run away
        batches = batches_on(trial.device, without_end(train), ahead=terms.settings.copy_ahead)
        learning_mode(trial.classifier, trial.frozen)

        def seconds_of(steps: int) -> float:
            started = perf_counter()
            for batch in islice(batches, steps):
                trial.phase_step = 0
                train_step(trial, batch, terms)
            return perf_counter() - started

        seconds_of(1)  # the first one allocates
        step = terms.ranks.broadcast_scalar(seconds_of(1))
        fewest = min(_AT_LEAST, math.floor(longer * seconds / step))
        steps = min(_AT_MOST, max(fewest, round(seconds / step)))
        if steps > 1:
            step = (step + terms.ranks.broadcast_scalar(seconds_of(steps - 1))) / steps
        batches.close()
        whole = math.ceil(val.samples / val.batch_size)
        few = min(_VALIDATED, whole)
        started = perf_counter()
        validate(trial, _First(val, few), terms)
        validation = terms.ranks.broadcast_scalar(perf_counter() - started) * whole / max(1, few)
        some = _First(train, _MEASURED)
        started = perf_counter()
        measure_statistics(trial, some, terms)
        share = images_to_measure(some.samples) / images_to_measure(train.samples)
        validation += terms.ranks.broadcast_scalar(perf_counter() - started) / share
    return Pace(step=step, validation=validation)


def without_end(batches: Batches) -> Iterator[Batch]:
    """The batches of one epoch after another."""
    for epoch in count():
        yield from batches.epoch(epoch)


@dataclass(frozen=True)
class _First:
    """The first few batches of others."""

    all: Batches
    count: int

    @property
    def samples(self) -> int:
        return min(self.all.samples, self.count * self.batch_size)

    @property
    def batch_size(self) -> int:
        return self.all.batch_size

    def epoch(self, epoch: int, *, samples_seen: int = 0) -> Iterator[Batch]:
        return islice(self.all.epoch(epoch, samples_seen=samples_seen), self.count)
