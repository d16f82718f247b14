"""What the PyTorch peers share: the standard network, and an epoch's clock."""

from collections.abc import Callable
from itertools import pairwise
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def standard_network(side: int, channels: int, classes: int, *, inplace: bool) -> "nn.Sequential":
    """The standard network, on the processor; ``inplace`` is how its activations are written."""
    from torch import nn  # noqa: PLC0415

    filters = [channels, 32, 32, 64, 64, 128, 128]
    modules: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(pairwise(filters)):
        modules += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=inplace)]
        modules += [nn.BatchNorm2d(outputs)]
        modules += [nn.MaxPool2d(2), nn.Dropout(0.25)] if number % 2 else []
    modules += [nn.Flatten(), nn.Linear(128 * (side // 8) ** 2, 256), nn.ReLU(inplace=inplace)]
    modules += [nn.BatchNorm1d(256), nn.Dropout(0.5), nn.Linear(256, classes)]
    return nn.Sequential(*modules)


def timed_epochs(
    train: Callable[[], float],
    validate: Callable[[], object],
    *,
    epochs: int,
    samples: int,
    network: "nn.Module",
) -> dict[str, Any]:
    """Train and validate for one epoch more than that, which warms up: what the others took.

    Args:
        train: an epoch; its mean loss.
        validate: at an epoch's end.
        epochs: how many are counted.
        samples: of an epoch.
        network: what is trained.
    """
    training, losses, ended = [], [], []
    for _ in range(1 + epochs):
        start = perf_counter()
        losses.append(train())
        training.append(perf_counter() - start)
        validate()
        ended.append(perf_counter())
    return {
        "images": samples * epochs,
        "training_seconds": sum(training[1:]),
        "whole_seconds": ended[-1] - ended[0],
        "losses": losses,
        "parameters": sum(p.numel() for p in network.parameters()),
    }
