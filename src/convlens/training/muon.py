"""Muon: momentum whose steps for a convolution's kernels are made orthogonal."""

from collections.abc import Callable, Sequence
from typing import Any, final

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adamw import adamw

_QUINTIC = (3.4445, -4.7750, 2.0315)
_TINY = 1e-7


@final
class Muon(Optimizer):
    """Orthogonal steps for kernels, AdamW's for all the rest, in one optimiser.

    A kernel is taken as a matrix, output channels × all else. Its step is U·Vᵀ of its Nesterov
    momentum U·S·Vᵀ, times √(rows / columns) where there are more rows: so each direction moves
    alike, however strong its gradient, and a rate means the same for narrow layers as for wide.

    Args:
        kernels: weights of two dimensions or more.
        rest: groups of all other parameters, ``params`` and ``weight_decay`` each.
        lr: of the kernels.
        rest_lr: of the rest.
        momentum: of the kernels.
        weight_decay: of the kernels: a step takes this share times the rate off them.
        steps: how near to orthogonal: see `orthogonalised`.
        normalise: before each step give every kernel the norm √(output channels), in place of
            weight decay.

    Source:
        Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024; for
        kernels, and their normalisation: Jordan, airbench94_muon, 2024 (arXiv 2404.00498 is the
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
        normalise: bool,
    ) -> None:
        own = {
            "params": kernels,
            "orthogonal": True,
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "steps": steps,
            "normalise": normalise,
        }
        others = [
            {**group, "orthogonal": False, "lr": rest_lr, "fused": fused(group["params"])}
            for group in rest  # by its name "fused" tells torch where a step's number belongs
        ]
        super().__init__([own, *others] if kernels else others, {})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take a step along the gradients at hand."""
        if closure is not None:
            raise TypeError("Muon takes its gradients as they are; call step() without a closure")
        for group in self.param_groups:
            learning = [p for p in group["params"] if p.grad is not None]
            if group["orthogonal"]:
                for kernel in learning:
                    self._orthogonal_step(kernel, group)
            else:
                self._adamw_step(learning, group)

    def _orthogonal_step(self, kernel: Tensor, group: dict[str, Any]) -> None:
        state, gradient, momentum = self.state[kernel], kernel.grad, group["momentum"]
        assert gradient is not None  # noqa: S101  the caller has seen to it
        if not state:
            state["momentum"] = torch.zeros_like(kernel)
        velocity = state["momentum"].mul_(momentum).add_(gradient)
        ahead = gradient.add(velocity, alpha=momentum).reshape(len(kernel), -1)
        rows, columns = ahead.shape
        direction = orthogonalised(ahead, steps=group["steps"]).view_as(kernel)
        if group["normalise"]:
            kernel.mul_(rows**0.5 / kernel.norm().clamp(min=_TINY))
        else:
            kernel.mul_(1 - group["lr"] * group["weight_decay"])
        kernel.add_(direction, alpha=-group["lr"] * max(1, rows / columns) ** 0.5)

    def _adamw_step(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        states = [self.state[p] for p in parameters]
        for parameter, state in zip(parameters, states, strict=True):
            if not state:
                state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        adamw(
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=group["fused"],
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=1e-8,
            maximize=False,
        )


def orthogonalised(matrix: Tensor, *, steps: int) -> Tensor:
    """About U·Vᵀ of a matrix U·S·Vᵀ: its singular values come to between 0.7 and 1.2.

    Newton and Schulz's iteration with a quintic polynomial, which wants products of matrices
    alone. It runs on the square of the smaller side: as X·Xᵀ and the polynomial of it commute,
    all but the first and the last product are of that small square, a third of the work for a
    3×3 kernel between as many channels.

    Args:
        matrix: m×n.
        steps: iterations; with 5, singular values down to a thousandth of the matrix's norm
            come up to 0.7, with 3 those down to a fiftieth.

    Returns:
        m×n.

    Source:
        Jordan et al., "Muon", 2024: the polynomial's coefficients.

    Example:
        >>> found = orthogonalised(torch.tensor([[3.0, 0.0], [0.0, -2.0]]), steps=5)
        >>> found.abs().diagonal() > 0.6
        tensor([True, True])
    """
    if matrix.shape[0] > matrix.shape[1]:
        return orthogonalised(matrix.mT, steps=steps).mT
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


def fused(parameters: Sequence[Tensor]) -> bool:
    """Whether torch has one kernel for a whole step of SGD or Adam on the parameters' device."""
    return all(p.device.type in {"cpu", "cuda", "mps"} for p in parameters)
