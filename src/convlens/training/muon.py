"""Muon: momentum whose steps for a convolution's kernels are made orthogonal."""

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer

_QUINTIC = (3.4445, -4.7750, 2.0315)
_TINY = 1e-7


@final
class Muon(Optimizer):
    """Nesterov momentum whose steps for kernels are made orthogonal.

    A kernel is taken as a matrix, output channels × all else. Its step is U·Vᵀ of its momentum
    U·S·Vᵀ, times √(rows / columns) where there are more rows: so each direction moves alike,
    however strong its gradient, and a rate means the same for narrow layers as for wide. All other
    parameters take the momentum itself, as SGD does, at a rate of their own.

    Args:
        kernels: weights of two dimensions or more.
        rest: groups of all other parameters, ``params`` and ``weight_decay`` each.
        lr: of the kernels.
        rest_lr: of the rest.
        momentum: of both.
        weight_decay: of the kernels. A step takes this share, times the rate, off the weights; so
            it does with the rest's.
        steps: how near to orthogonal: see `orthogonalized`.
        normalize: before each step give every kernel the norm √(output channels), in place of
            weight decay.

    Source:
        Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; for
        kernels, and their normalization: Jordan, airbench94_muon, 2024 (arXiv 2404.00498 is the
        training it sped up).
    """

    def __init__(
        self,
        kernels: Sequence[Tensor],
        rest: Sequence[dict[str, Any]],
        *,
        lr: float,
        rest_lr: float,
        momentum: float,
        weight_decay: float,
        steps: int,
        normalize: bool,
    ) -> None:
        own = {"params": kernels, "weight_decay": 0.0 if normalize else weight_decay}
        groups = [{**own, "lr": lr, "orthogonal": True}] if kernels else []
        groups += [{**group, "lr": rest_lr, "orthogonal": False} for group in rest]
        super().__init__(groups, {"momentum": momentum, "steps": steps, "normalize": normalize})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take a step along the gradients at hand."""
        if closure is not None:
            raise TypeError("Muon takes its gradients as they are; call step() without a closure")
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._step(parameter, parameter.grad, group)

    def _step(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rate = self.state[parameter], group["lr"]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        velocity = state["momentum"].mul_(group["momentum"]).add_(gradient)
        direction = gradient.add(velocity, alpha=group["momentum"])
        if group["weight_decay"]:
            parameter.mul_(1 - rate * group["weight_decay"])
        if group["orthogonal"]:
            matrix = direction.reshape(len(direction), -1)
            direction = orthogonalized(matrix, steps=group["steps"]).view_as(parameter)
            direction.mul_(max(1, matrix.shape[0] / matrix.shape[1]) ** 0.5)
            if group["normalize"]:
                parameter.mul_(len(parameter) ** 0.5 / parameter.norm().clamp(min=_TINY))
        parameter.add_(direction, alpha=-rate)


def orthogonalized(matrix: Tensor, *, steps: int) -> Tensor:
    """About U·Vᵀ of a matrix U·S·Vᵀ: its singular values come to between 0.65 and 1.21.

    Newton and Schulz's iteration with a quintic polynomial, which wants products of matrices
    alone. It runs on the square of the smaller side: as X·Xᵀ and the polynomial of it commute,
    all but the first and the last product are of that small square, a third of the work for a
    3×3 kernel between as many channels.

    Args:
        matrix: m×n.
        steps: iterations; with 3, singular values from a 59th of the matrix's norm up come to
            there, with 5 those from a 700th up.

    Returns:
        m×n.

    Source:
        Jordan et al., "Muon", 2024: the polynomial's coefficients.

    Example:
        >>> found = orthogonalized(torch.tensor([[3.0, 0.0], [0.0, -2.0]]), steps=5)
        >>> found.abs().diagonal() > 0.6
        tensor([True, True])
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalized(matrix.mT, steps=steps).mT
    unit = matrix / matrix.norm().clamp(min=_TINY)
    square = unit @ unit.mT
    product = _polynomial(square)
    for _ in range(steps - 1):
        product = _polynomial(product @ square @ product) @ product
    return torch.mm(product, unit)


def _polynomial(square: Tensor) -> Tensor:
    a, b, c = _QUINTIC
    factor = torch.addmm(square, square, square, beta=b, alpha=c)
    factor.diagonal().add_(a)
    return factor
