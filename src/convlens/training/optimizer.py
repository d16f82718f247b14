"""What turns gradients into steps."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from convlens.training.muon import Muon

Name = Literal["sgd", "adam", "adamw", "muon"]

_RATES: dict[Name, float] = {"sgd": 0.05, "adam": 1e-3, "adamw": 2e-3, "muon": 0.1}
_DECAYS: dict[Name, float] = {"sgd": 5e-4, "adam": 0.0, "adamw": 0.02, "muon": 0.01}
_FUSED = {"cpu", "cuda", "mps"}


class OptimizerSettings(BaseModel):
    """What turns gradients into steps.

    Attributes:
        name: ``"sgd"`` (Nesterov momentum), ``"adam"``, ``"adamw"`` or ``"muon"``.
        learning_rate: the peak of the schedule; by default what suits the optimizer named.
        weight_decay: pulls kernels and matrices toward zero; never biases or normalization. SGD
            and Adam add it to the gradient, AdamW and Muon take it off the weights.
        momentum: SGD's and Muon's.
        rest_learning_rate: Muon's, for all that is not a convolution's kernel and takes SGD's
            steps; it rises and falls with the schedule.
        orthogonalization_steps: Muon's: how near its steps come to being orthogonal.
        normalize_kernels: Muon's: before each step give every kernel the norm √(output channels).
            For networks that normalize after each convolution, trained from scratch; it takes the
            place of the kernels' weight decay.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name = "adamw"
    learning_rate: Annotated[float, Field(gt=0, le=10)] = Field(
        default_factory=lambda known: _RATES[known["name"]]
    )
    weight_decay: Annotated[float, Field(ge=0, le=1)] = Field(
        default_factory=lambda known: _DECAYS[known["name"]]
    )
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    rest_learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.05
    orthogonalization_steps: Annotated[int, Field(ge=1, le=10)] = 3
    normalize_kernels: bool = False


def build_optimizer(module: nn.Module, settings: OptimizerSettings) -> Optimizer:
    """The optimizer over a module's trainable parameters.

    Each of its groups has, beside ``lr``, what that is of the schedule's rate: ``rate_scale``.
    """
    kernels = _kernels(module) if settings.name == "muon" else []
    taken = set(map(id, kernels))
    rest = [p for p in module.parameters() if p.requires_grad and id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
    ]
    rate = settings.learning_rate
    optimizer = _build(settings, kernels, [group for group in groups if group["params"]])
    for group in optimizer.param_groups:
        group["rate_scale"] = group["lr"] / rate
    return optimizer


def _build(
    settings: OptimizerSettings, kernels: list[nn.Parameter], groups: list[dict[str, Any]]
) -> Optimizer:
    rate, momentum = settings.learning_rate, settings.momentum
    at_once = all(p.device.type in _FUSED for group in groups for p in group["params"])
    match settings.name:
        case "sgd":
            return SGD(groups, lr=rate, momentum=momentum, nesterov=momentum > 0, fused=at_once)
        case "adam":
            return Adam(groups, lr=rate, fused=at_once)
        case "adamw":
            return AdamW(groups, lr=rate, fused=at_once)
        case "muon":
            return Muon(
                kernels,
                groups,
                lr=rate,
                rest_lr=settings.rest_learning_rate,
                momentum=momentum,
                weight_decay=settings.weight_decay,
                steps=settings.orthogonalization_steps,
                normalize=settings.normalize_kernels,
            )


def _kernels(module: nn.Module) -> list[nn.Parameter]:
    """Those that mix all channels: a grouped convolution's are many small ones side by side."""
    mixing = [m for m in module.modules() if isinstance(m, nn.Conv2d) and m.groups == 1]
    return [p for m in mixing for p in m.parameters() if p.ndim == 4 and p.requires_grad]
