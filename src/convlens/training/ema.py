"""Weights averaged over the steps: often better than those of any one step, and steadier."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, final

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn


class EmaSettings(BaseModel):
    """How weights are averaged.

    Attributes:
        decay: how much of the average stays at an update, 0 to below 1; it remembers about
            1 / (1 - decay) updates.
        every: steps from one update to the next.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    every: Annotated[int, Field(ge=1)] = 1


@final
class WeightAverage:
    """The exponential moving average of a module's trainable parameters and floating buffers.

    The n-th update keeps min(decay, (1 + n) / (10 + n)) of the average, n from 0. So at first it
    remembers about the last tenth of the steps, however few they are, and the random weights that
    training began with are soon forgotten; dividing by 1 - decay^n instead would keep giving the
    first steps' weights, when they change most, as much of a say as the last ones'.

    Batch normalization's statistics are averaged with the weights, until they are measured with
    the average in place: see `keep_buffers`.
    Counters are the module's own; so is what does not learn, which is the average of itself.

    Args:
        module: whose weights to follow; the average starts from them as they are.
        settings: how.

    Source:
        Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the
        decay's rise is that of TensorFlow's `ExponentialMovingAverage(num_updates=...)`.

    Example:
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> _ = layer.weight.data.fill_(0.0)
        >>> average = WeightAverage(layer, EmaSettings(decay=0.9))
        >>> _ = layer.weight.data.fill_(1.0)
        >>> average.update(1)
        >>> with average.swapped_in():
        ...     round(layer.weight.item(), 6)
        0.9
        >>> layer.weight.item()
        1.0
    """

    def __init__(self, module: nn.Module, settings: EmaSettings) -> None:
        self._settings = settings
        self._live = dict(_what_moves(module))
        self._average = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        self._updates = 0

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take the weights in, if it is time.

        Args:
            step: optimizer steps taken, this one included.
        """
        if step % self._settings.every:
            return
        decay = min(self._settings.decay, (1 + self._updates) / (10 + self._updates))
        for name, tensor in self._live.items():
            self._average[name].lerp_(tensor, 1 - decay)
        self._updates += 1

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Within it the module has the average; after it, its own weights again, to the bit."""
        own = {name: tensor.detach().clone() for name, tensor in self._live.items()}
        try:
            self._fill(self._average)
            yield
        finally:
            self._fill(own)

    @torch.no_grad()
    def keep_buffers(self) -> None:
        """Within `swapped_in`: let the average have the module's floating buffers as they are."""
        for name, tensor in self._live.items():
            if not isinstance(tensor, nn.Parameter):
                self._average[name].copy_(tensor)

    def tensors(self) -> dict[str, Tensor]:
        """All that `load` needs to go on from here, by name."""
        weights = {f"weights/{name}": tensor for name, tensor in self._average.items()}
        return {"updates": torch.tensor(self._updates), **weights}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave.

        Raises:
            KeyError: a tensor is missing.
            RuntimeError: a tensor has another shape.
        """
        for name, tensor in self._average.items():
            tensor.copy_(tensors[f"weights/{name}"])
        self._updates = int(tensors["updates"])

    @torch.no_grad()
    def _fill(self, values: Mapping[str, Tensor]) -> None:
        for name, tensor in self._live.items():
            tensor.copy_(values[name])


def _what_moves(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    kept = module.state_dict()
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            yield name, parameter
    for name, buffer in module.named_buffers():
        if name in kept and buffer.is_floating_point():
            yield name, buffer
