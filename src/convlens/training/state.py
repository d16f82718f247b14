"""Everything that changes while a network trains, in one visible place."""

from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from convlens.core.classifier import Classifier
from convlens.training.settings import OptimiserSettings, TrainingSettings


@dataclass(frozen=True, kw_only=True)
class EpochRecord:
    """One line of ``history.jsonl``; timings are the only values that may differ between runs.

    Attributes:
        phase: which weights learn: ``"all"``.
        epoch: counted from 1.
        step: optimiser steps taken by its end.
        seconds: spent training, validation apart.
        learning_rate: of its last step.
        train_loss: mean over the epoch's samples, as they were trained on.
        train_accuracy: likewise, in [0, 1].
        val_loss: mean over the validation images; None without any.
        val_accuracy: likewise, in [0, 1].
        images_per_second: of training, validation apart.
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

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


@dataclass(kw_only=True)
class Running:
    """Sums over the epoch so far."""

    loss: float = 0.0
    correct: int = 0
    seconds: float = 0.0


@dataclass(kw_only=True)
class TrainingState:
    """Where a training run stands.

    Attributes:
        classifier: the network.
        optimiser: its optimiser.
        epoch: epochs completed.
        samples_seen: samples of the epoch in progress that have been trained on.
        step: optimiser steps taken in all.
        learning_rate: of the last step.
        running: sums over the epoch in progress.
        history: one record a completed epoch.
        stopped: why the training ends before its last epoch; None while it goes on.
    """

    classifier: Classifier
    optimiser: Optimizer
    epoch: int = 0
    samples_seen: int = 0
    step: int = 0
    learning_rate: float = 0.0
    running: Running = field(default_factory=Running)
    history: list[EpochRecord] = field(default_factory=list)
    stopped: str | None = None

    @classmethod
    def start(cls, classifier: Classifier, settings: TrainingSettings) -> Self:
        """The state before the first step."""
        return cls(classifier=classifier, optimiser=build_optimiser(classifier, settings.optimiser))

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return next(self.classifier.parameters()).device


def build_optimiser(module: nn.Module, settings: OptimiserSettings) -> Optimizer:
    """The optimiser over a module's trainable parameters."""
    parameters = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    rate = settings.learning_rate
    if settings.name == "sgd":
        momentum = settings.momentum
        return SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0, fused=True)
    return (Adam if settings.name == "adam" else AdamW)(groups, lr=rate, fused=True)
