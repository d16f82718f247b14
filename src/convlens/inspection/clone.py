"""A copy of a module to run instead of it, so that the module itself stays as it was."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from convlens.core.modes import kept_modes


@contextmanager
def twin(module: nn.Module, *, on_meta: bool) -> Iterator[nn.Module]:
    """A module with the same code, state, modes and hooks, which may be run and hooked at will.

    On the meta device tensors have shapes and no numbers: running costs next to nothing. Elsewhere
    the parameters are shared, not copied.

    Args:
        module: left alone. Where it cannot be copied (it holds a lock, or a graph) it is run
            itself, and its modes and buffers are put back.
        on_meta: put its tensors on the meta device.
    """
    memo = {id(tensor): _stand_in(tensor, on_meta=on_meta) for tensor in _tensors(module)}
    try:
        copied = copy.deepcopy(module, memo)
    except Exception:  # noqa: BLE001 - what a module holds, and how it refuses, is anyone's guess
        with _put_back(module):
            yield module
    else:
        yield copied


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    kept = (value for child in module.modules() for value in vars(child).values())
    loose = (value for value in kept if isinstance(value, Tensor))
    for tensor in chain(module.parameters(), module.buffers(), loose):
        if not is_lazy(tensor):
            yield tensor


def _stand_in(tensor: Tensor, *, on_meta: bool) -> Tensor:
    is_parameter = isinstance(tensor, nn.Parameter)
    if on_meta:
        empty = torch.empty_like(tensor, device="meta")
        return nn.Parameter(empty, tensor.requires_grad) if is_parameter else empty
    return tensor if is_parameter else tensor.detach().clone()


@contextmanager
def _put_back(module: nn.Module) -> Iterator[None]:
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    try:
        with kept_modes(module):
            yield
    finally:
        for buffer, content in buffers:
            buffer.copy_(content)
