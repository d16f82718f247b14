"""How much of the gradient reaches each depth."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from convlens.core.rng import Stream, derived_seed
from convlens.inspection.clone import twin
from convlens.inspection.formulas import Shape
from convlens.inspection.forward_pass import tensors_in

_IMAGES = 8


@dataclass(frozen=True, kw_only=True)
class GradientNorm:
    """The gradient that reaches one layer's weights.

    Attributes:
        name: the layer's path, without ``stages.`` before it.
        norm: Euclidean, over the root of the number of weights: the size of a typical one.
    """

    name: str
    norm: float

    def as_json(self) -> dict[str, Any]:
        """Name and norm."""
        return dict(vars(self))


def gradient_by_depth(
    module: nn.Module, shape: Shape, *, seed: int = 0
) -> tuple[GradientNorm, ...]:
    """The gradient's size at the weights of every convolution and dense layer, first to last.

    Eight random images go through the network in training mode with the weights that it has, and
    the output is weighed with random numbers; what comes back to the weights is measured. In deep
    stacks without skips it fades toward the input (He et al., "Deep Residual Learning for Image
    Recognition", CVPR 2016, section 1).

    Args:
        module: left as it was, gradients included.
        shape: channels, height, width of one image.
        seed: of images and weighing.
    """
    generator = torch.Generator().manual_seed(derived_seed(seed, slot=Stream.WEIGHTS))
    with twin(module, on_meta=False) as running, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)  # dropout draws from torch's own generator, put back on leaving
        running.train()
        weights = {
            name.removeprefix("stages."): child.weight
            for name, child in running.named_modules()
            if isinstance(child, nn.Conv2d | nn.Linear) and child.weight.requires_grad
        }
        if not weights:
            return ()
        like = next(iter(weights.values()))
        images = torch.rand((_IMAGES, *shape), generator=generator).to(like)
        with torch.enable_grad():
            output = next(tensors_in(running(images)))
            weighing = torch.randn(output.shape, generator=generator).to(output)
            loss = (output * weighing).sum() / output[0].numel() ** 0.5 / _IMAGES
        found: tuple[Tensor | None, ...] = torch.autograd.grad(
            loss, list(weights.values()), allow_unused=True
        )
    return tuple(
        GradientNorm(name=name, norm=_typical(gradient))
        for name, gradient in zip(weights, found, strict=True)
        if gradient is not None
    )


def _typical(gradient: Tensor) -> float:
    return float(gradient.double().square().mean().sqrt())
