"""Which weights learn in a phase, and which stay as they are.

A weight that the network's code has frozen stays frozen in every phase but one that names its part:
``"stage:NAME"`` for that stage, ``"head"`` for the head.
"""

from collections.abc import Collection
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
        stages: how many leading stages are frozen whole, the normalizing one included; 0 where
            every layer learns.
        trainable: parameters that learn.
        parameters: parameters that do not.
        by_code: of those, the ones that the phase would train had the network's code not frozen
            them.
    """

    modules: tuple[nn.Module, ...]
    stages: int
    trainable: int
    parameters: int
    by_code: int = 0


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
    by_code = _frozen_by_code(classifier, train)
    for parameter in classifier.parameters():
        parameter.requires_grad_(parameter.is_floating_point() and parameter not in by_code)
    by_phase = {p for module in frozen for p in module.parameters(recurse=False)}
    for parameter in by_phase:
        parameter.requires_grad_(False)
    withheld = sum(p.numel() for p in by_code - by_phase)
    inside = set(frozen)
    trainable = sum(p.numel() for p in classifier.parameters() if p.requires_grad)
    if not trainable and withheld:
        raise ConvlensError(
            f"train is '{train}', but the network's code has frozen every weight there",
            remedy="leave requires_grad on for the weights that are to learn, or name a stage in "
            'the recipe\'s phase: train = "stage:NAME"',
            code="nothing-to-train",
        )
    if not trainable:
        raise ConvlensError(
            f"train is '{train}', but the network has no weights there: it is one piece whose head "
            "cannot be told from its stages",
            remedy='write train = "all"',
            code="nothing-to-train",
        )
    return Frozen(
        modules=(
            *(m for m in frozen if all(own in inside for own in m.modules())),
            *_wholly_among(by_code, classifier),
        ),
        stages=frozen_stages(classifier, train),
        trainable=trainable,
        parameters=sum(p.numel() for p in classifier.parameters()) - trainable,
        by_code=withheld,
    )


def frozen_stages(classifier: Classifier, train: str) -> int:
    """How many leading stages a phase would leave as they are: see `Frozen.stages`."""
    start, whole, end = _first_to_learn(classifier, train, _inner(classifier)), 0, 0
    by_code = set(_wholly_among(_frozen_by_code(classifier, train), classifier.stages))
    for number, stage in enumerate(classifier.stages, 1):
        end += sum(1 for _ in stage.modules())
        if end <= start or stage in by_code:
            whole = number
        elif number > 1:  # the first one normalizes, and has no weights
            break
    return whole


def _frozen_by_code(classifier: Classifier, train: str) -> set[nn.Parameter]:
    """The parameters that stay as the network's code has frozen them, whatever the phase trains."""
    part = f"stages.{train[6:]}." if train.startswith("stage:") else f"{train}."
    return {
        parameter
        for name, parameter in classifier.named_parameters()
        if name in classifier.frozen_by_code and not name.startswith(part)
    }


def _wholly_among(frozen: Collection[nn.Parameter], module: nn.Module) -> list[nn.Module]:
    """The modules of which every weight is frozen, and which have some."""
    found = []
    for inner in module.modules():
        weights = list(inner.parameters())
        if weights and all(weight in frozen for weight in weights):
            found.append(inner)
    return found


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
        names = [name for name, _ in classifier.stages.named_children() if name != "normalize"]
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
