"""Why a loss is not a finite number: which module gave the first such value, and what mends it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from convlens.core.errors import WorkFailedError
from convlens.training.settings import TrainingSettings
from convlens.training.state import TrainingState

_ITSELF = "look at what it computes: the logarithm or root of a number ≤ 0, a division by 0"
_LEAVE_OUT = "leave such images out"


def not_finite(
    state: TrainingState,
    settings: TrainingSettings,
    loss: float,
    *,
    where: str,
    pixels: Tensor | None = None,
) -> WorkFailedError:
    """The error for a loss that is not finite.

    Before the first step, or at a learning rate of 0, no rate can be to blame: the network gives
    such numbers as it is.

    Args:
        state: as it stands before the step.
        settings: how it is trained.
        loss: what it became.
        where: on which images, in words.
        pixels: (N, C, H, W) those that the network was fed; None where they are not at hand.
    """
    rate, peak = state.learning_rate, settings.plan[state.phase].optimizer.learning_rate
    problem = (
        f"the loss became {loss} at step {state.step + 1} (epoch {state.epoch + 1}, learning rate "
        f"{rate:.2g}, {where})"
    )
    cause, mend = ("", "") if pixels is None else _cause(state.network, pixels)
    if cause:
        problem += f": {cause}"
    if rate > 0 and state.step > 0 and mend != _LEAVE_OUT:
        mend = (
            "start a new run with a lower rate: "
            f"--set training.optimizer.learning_rate={peak / 10:.1g}"
        )
    elif not mend:
        mend = "look at the images and at class_weights; no learning rate is to blame yet"
    return WorkFailedError(problem, remedy=mend, code="loss-not-finite")


@torch.no_grad()
def _cause(network: nn.Module, pixels: Tensor) -> tuple[str, str]:
    """The first thing that is not finite, in words, and what mends it; empty where all is."""
    if not _is_finite(pixels):
        return f"the images hold {_kind(pixels)}", _LEAVE_OUT
    for name, weights in network.named_parameters():  # statistics are what the step made of them
        if not _is_finite(weights):
            told = f"the weights '{_short(name)}' hold {_kind(weights)}"
            return told, "give them finite values before training, or load other weights"
    found: list[str] = []

    def watcher(name: str) -> Callable[..., None]:
        def watch(module: nn.Module, _: object, output: object) -> None:
            if not found and isinstance(output, Tensor) and not _is_finite(output):
                label = f"'{_short(name)}' ({type(module).__name__})" if name else "the network"
                found.append(f"{label} gives {_kind(output)} from finite numbers")

        return watch

    hooks = [module.register_forward_hook(watcher(n)) for n, module in network.named_modules()]
    try:
        network(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return (found[0], _ITSELF) if found else ("", "")


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _kind(tensor: Tensor) -> str:
    return "nan" if bool(torch.isnan(tensor).any()) else "inf"


def _short(name: str) -> str:
    return name.removeprefix("stages.")
