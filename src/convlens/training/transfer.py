"""Which weights learn in a phase, and which stay as they are."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError, unknown_name


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """What a phase leaves as it is.

    Attributes:
        modules: run as in prediction: dropout off, statistics held.
        stages: how many leading stages are frozen whole, the normalising one included; 0 where
            every layer learns.
        trainable: parameters that learn.
        parameters: parameters that do not.
    """

    modules: tuple[nn.Module, ...]
    stages: int
    trainable: int
    parameters: int


def freeze(classifier: Classifier, train: str) -> Frozen:
    """Set which parameters learn, in place.

    Args:
        classifier: the network.
        train: ``"all"``, ``"head"``, ``"last n"`` or ``"stage:NAME"``: see `PhaseSettings`.

    Raises:
        ConvlensError: there is no such stage, there are fewer layers, or nothing would learn.
    """
    inner = _inner(classifier)
    frozen = inner[: _first_to_learn(classifier, train, inner)]
    for parameter in classifier.parameters():
        parameter.requires_grad_(True)
    for module in frozen:
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(False)
    inside = set(frozen)
    trainable = sum(p.numel() for p in classifier.parameters() if p.requires_grad)
    if not trainable:
        raise ConvlensError(
            f"train is '{train}', but the network has no weights there: it is one piece whose head "
            "cannot be told from its stages",
            remedy='write train = "all"',
            code="nothing-to-train",
        )
    return Frozen(
        modules=tuple(m for m in frozen if all(own in inside for own in m.modules())),
        stages=frozen_stages(classifier, train),
        trainable=trainable,
        parameters=sum(p.numel() for p in classifier.parameters()) - trainable,
    )


def frozen_stages(classifier: Classifier, train: str) -> int:
    """How many leading stages a phase would leave as they are: see `Frozen.stages`."""
    start, whole, end = _first_to_learn(classifier, train, _inner(classifier)), 0, 0
    for stage in classifier.stages:
        end += sum(1 for _ in stage.modules())
        whole += end <= start
    return whole


def learning_mode(classifier: Classifier, frozen: Frozen) -> None:
    """Training mode for what learns, prediction's for what is frozen."""
    classifier.train()
    for module in frozen.modules:
        module.eval()


def _inner(classifier: Classifier) -> list[nn.Module]:
    """All modules of the stages, in order."""
    return [module for stage in classifier.stages for module in stage.modules()]


def _first_to_learn(classifier: Classifier, train: str, inner: list[nn.Module]) -> int:
    """The position among the stages' modules, in order, of the first that learns."""
    what, _, which = train.replace(":", " ", 1).partition(" ")
    if what == "all":
        return 0
    if what == "head":
        return len(inner)
    if what == "stage":
        names = [name for name, _ in classifier.stages.named_children() if name != "normalise"]
        if which not in names:
            raise unknown_name("stage", which, names, code="unknown-stage")
        return inner.index(classifier.stages.get_submodule(which))
    layers = [at for at, module in enumerate(inner) if _has_weights(module)]
    count = int(which)
    if count > len(layers):
        raise ConvlensError(
            f"train is '{train}', but the network has {len(layers)} layers with weights before "
            "its head",
            remedy=f'write train = "last {len(layers)}" or "all"',
            code="too-few-layers",
        )
    return layers[-count]


def _has_weights(module: nn.Module) -> bool:
    """A convolution or dense layer, or one of the user's own that holds a matrix of weights."""
    weights: Any = module.parameters(recurse=False)
    return any(parameter.ndim > 1 for parameter in weights)
