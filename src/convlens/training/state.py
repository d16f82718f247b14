"""Everything that changes while a network trains, in one visible place."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from convlens.core.classifier import Classifier, tail
from convlens.training.ema import WeightAverage
from convlens.training.freeze import Frozen, freeze
from convlens.training.optimizer import build_optimizer
from convlens.training.settings import TrainingSettings


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One line of ``history.jsonl``; timings are the only values that may differ between runs.

    Attributes:
        phase: which weights learned: ``"all"``, ``"head"``, ``"last 3"``, ``"stage:layer4"``.
        epoch: counted from 1, through all phases.
        step: optimizer steps taken by its end, in all phases.
        seconds: spent training, validation apart.
        learning_rate: of its last step.
        train_loss: mean over the epoch's samples, as they were trained on.
        train_accuracy: likewise, in [0, 1].
        val_loss: mean over the validation images; None without any.
        val_accuracy: likewise, in [0, 1].
        images_per_second: of training, validation apart.
        validation_seconds: spent measuring the statistics of normalization, and validating.
    """

    phase: str
    epoch: int
    step: int
    seconds: float
    learning_rate: float
    train_loss: float
    train_accuracy: float
    val_loss: float | None
    val_accuracy: float | None
    images_per_second: float
    validation_seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


@dataclass(kw_only=True)
class Running:
    """Sums over the epoch so far.

    Attributes:
        loss: of the samples, each times its weight.
        weight: of the samples; without class weights there are as many as samples.
        correct: samples whose likeliest class was theirs.
        seconds: spent training.
    """

    loss: float = 0.0
    weight: float = 0.0
    correct: int = 0
    seconds: float = 0.0


@dataclass(kw_only=True)
class TrainingState:
    """Where a training run stands.

    Attributes:
        classifier: the network.
        network: the part of it that this phase's batches go through: all of it, or what follows
            the stages whose features are kept.
        optimizer: of the phase in progress.
        frozen: what the phase leaves as it is.
        ema: the weights averaged over the phase's steps; None where they are not.
        phase: phases completed.
        epoch: epochs completed, in all phases.
        phase_epoch: epochs completed of the phase in progress.
        samples_seen: samples of the epoch in progress that have been trained on.
        step: optimizer steps taken, in all phases.
        phase_step: optimizer steps taken in the phase in progress.
        phase_steps: how many the phase will have; 0 until it is known.
        largest_batch: samples that go through the network at once, fewer than a batch where the
            memory did not suffice; 0 for all.
        proven: values of the largest part of a batch that the memory has held beside the
            optimizer's own; not saved.
        learning_rate: of the last step.
        rate_scale: what the schedule's rate is multiplied by.
        running: sums over the epoch in progress.
        history: one record a completed epoch.
        stopped: why the phase ends before its last epoch; None while it goes on.
    """

    classifier: Classifier
    network: nn.Module
    optimizer: Optimizer
    frozen: Frozen
    ema: WeightAverage | None = None
    phase: int = 0
    epoch: int = 0
    phase_epoch: int = 0
    samples_seen: int = 0
    step: int = 0
    phase_step: int = 0
    phase_steps: int = 0
    largest_batch: int = 0
    proven: int = 0
    learning_rate: float = 0.0
    rate_scale: float = 1.0
    running: Running = field(default_factory=Running)
    history: list[EpochRecord] = field(default_factory=list)
    stopped: str | None = None

    @classmethod
    def start(cls, classifier: Classifier, settings: TrainingSettings, *, phase: int = 0) -> Self:
        """The state before a phase's first step.

        Raises:
            ConvlensError: the network has no such part as the phase is to train.
        """
        now = settings.plan[phase]
        frozen = freeze(classifier, now.train)
        return cls(
            classifier=classifier,
            network=classifier,
            optimizer=build_optimizer(classifier, now.optimizer),
            frozen=frozen,
            ema=None if settings.ema is None else WeightAverage(classifier, settings.ema),
            phase=phase,
        )

    def next_phase(self, settings: TrainingSettings) -> Self:
        """The state before the next phase's first step: a new optimizer, the same history."""
        fresh = type(self).start(self.classifier, settings, phase=self.phase + 1)
        fresh.epoch, fresh.step, fresh.history = self.epoch, self.step, self.history
        fresh.largest_batch = self.largest_batch
        return fresh

    def behind(self, stages: int) -> None:
        """Train on features: the batches hold what the leading ``stages`` make of the images."""
        self.network = tail(self.classifier, stages)

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return next(self.classifier.parameters()).device

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that learn."""
        return [p for p in self.classifier.parameters() if p.requires_grad]

    def averaged(self) -> AbstractContextManager[None]:
        """Within it the network has the weights that the phase would end with."""
        return self.ema.swapped_in() if self.ema else nullcontext()

    def weights(self) -> dict[str, Tensor]:
        """A copy of the weights that the phase would end with, by name."""
        with self.averaged():
            return {name: t.clone() for name, t in self.classifier.state_dict().items()}
