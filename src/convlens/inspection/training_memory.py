"""What training takes, counted from what torch itself keeps for the backward pass."""

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from convlens.inspection.clone import twin
from convlens.inspection.formulas import Shape
from convlens.inspection.forward_pass import tensors_in

_BATCH = 2  # batch normalization refuses to learn from one image


@dataclass(frozen=True, kw_only=True)
class TrainingMemory:
    """Bytes that a training step holds at the end of its forward pass.

    The peak is somewhat higher: gradients of a layer's activations and the library's own workspace
    come and go on top.

    Attributes:
        batch_size: images a step.
        weights: parameters and statistics.
        gradients: one number for each trainable parameter.
        optimizer: the averages that the optimizer keeps for each of them.
        activations: the images, and what layers keep of them for the backward pass.
    """

    batch_size: int
    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.optimizer + self.activations

    def as_json(self) -> dict[str, int]:
        """The parts and their sum, in bytes."""
        return {**vars(self), "total": self.total}


def saved_bytes(module: nn.Module, shape: Shape) -> int | None:
    """What torch keeps of one image for the backward pass, in training mode.

    Counted with torch's own hooks on saved tensors, memory that several share once; below the first
    trainable layer nothing is kept.

    Args:
        module: left as it was.
        shape: C×H×W of one image.

    Returns:
        Bytes; None where the module does not run in training mode.
    """
    for on_meta in (True, False):
        quiet = warnings.catch_warnings(action="ignore")
        with quiet, twin(module, on_meta=on_meta) as running, torch.random.fork_rng(devices=[]):
            found = _saved(running.train(), (_BATCH, *shape))
        if found is not None:
            return found // _BATCH
    return None


def _saved(module: nn.Module, shape: Shape) -> int | None:
    own = (*module.parameters(), *module.buffers())
    like = next((tensor for tensor in own if tensor.is_floating_point()), torch.empty(0))
    image = torch.zeros(shape, dtype=like.dtype, device=like.device)
    kept: dict[torch.UntypedStorage, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage] = storage.nbytes()
        return tensor

    def give_back(tensor: Tensor) -> Tensor:
        return tensor

    output: Any = None
    try:
        with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, give_back):
            output = module(image)
    except Exception:  # noqa: BLE001 - a forward may raise anything; it then has no answer
        return None
    if not any(True for _ in tensors_in(output)):
        return None
    for tensor in (*module.parameters(), *module.buffers()):
        kept.pop(tensor.untyped_storage(), None)
    return sum(kept.values())
