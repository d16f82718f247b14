"""What training makes small: cross-entropy, binary cross-entropy, focal loss, with class weights.

Every loss is handed on as a sum over samples beside the sum of their weights, never as a mean: a
batch in parts, or one shared by several processes, then has the mean of the whole batch.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator
from torch import Tensor
from torch.nn import functional as F

from convlens.core.errors import ConvlensError, unknown_name
from convlens.core.formatting import some

_LISTED = 20

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LossSettings(BaseModel):
    """What training makes small.

    Attributes:
        name: ``"cross-entropy"`` of a softmax; ``"binary"``, cross-entropy of one sigmoid output,
            which is the second of two classes; ``"focal"``, cross-entropy in which samples that
            are right already count less.
        label_smoothing: the share of a target spread over all classes, 0 to below 1
            (Szegedy et al., "Rethinking the Inception architecture", 2016, section 7).
        focal_gamma: how much less, for ``"focal"`` alone; 0 is cross-entropy.
        class_weights: what a sample of each class counts: ``"none"`` for 1; ``"balanced"`` for
            samples / (classes × samples of the class), so that every class counts alike; or a
            number for each class, by its name: ``{cat = 2, dog = 1}``, or in their order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["cross-entropy", "binary", "focal"] = "cross-entropy"
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    focal_gamma: Annotated[float, Field(ge=0, le=10)] = 2.0
    class_weights: Literal["none", "balanced"] | tuple[Weight, ...] | dict[str, Weight] = "none"

    @field_validator("class_weights", mode="before")
    @classmethod
    def _weights_understood(cls, value: object) -> object:
        """A single message, where each form that weights may have would give one."""
        if isinstance(value, str) and value not in {"none", "balanced"}:
            raise ValueError(
                'expected "none", "balanced", or a number for each class: {cat = 2, dog = 1}; put '
                'names with other signs than A-z, 0-9, - and _ in quotes: {"a b" = 2}'
            )
        for name, weight in value.items() if isinstance(value, Mapping) else ():
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not number or not 0 < weight < math.inf:
                raise ValueError(f"the weight of '{name}' has to be a number above 0")
        return value


def class_weights(
    settings: LossSettings, counts: Sequence[int], names: Sequence[str] = ()
) -> Tensor | None:
    """What a sample of each class counts.

    Args:
        settings: the loss.
        counts: training samples of each class.
        names: of the classes; needed where weights are given by name.

    Returns:
        (K,) float32, or None where every sample counts 1.

    Raises:
        ConvlensError: there are not as many weights as classes, a name is unknown or missing, or a
            class to balance has no sample.

    Example:
        >>> class_weights(LossSettings(class_weights="balanced"), [30, 10])
        tensor([0.6667, 2.0000])
    """
    asked = settings.class_weights
    if asked == "none":
        return None
    if asked == "balanced":
        if 0 in counts:
            raise ConvlensError(
                f"class {list(counts).index(0)} (counted from 0) has no training sample to balance",
                remedy="add some, leave the class out, or give class_weights as numbers",
                code="class-without-images",
            )
        return torch.tensor([sum(counts) / (len(counts) * count) for count in counts])
    if isinstance(asked, dict):
        require_class_names(settings, names)
        asked = tuple(asked[name] for name in names)
    if len(asked) != len(counts):
        raise ConvlensError(
            f"class_weights has {len(asked)} numbers ({', '.join(f'{w:g}' for w in asked)})",
            remedy=f"give one for each of the {len(counts)} classes",
            code="bad-settings",
        )
    return torch.tensor(asked, dtype=torch.float32)


def require_class_names(settings: LossSettings, names: Sequence[str]) -> None:
    """Refuse weights by name that are not for exactly these classes.

    Args:
        settings: the loss; weights that are not given by name pass.
        names: of the classes.

    Raises:
        ConvlensError: a name is unknown, or missing; lists the known ones.

    Example:
        >>> require_class_names(LossSettings(class_weights={"cat": 2.0}), ["cat"])
    """
    asked = settings.class_weights
    if not isinstance(asked, dict):
        return
    for name in asked:
        if name not in names:
            raise unknown_name("class in class_weights", name, names, code="unknown-class")
    missing = [name for name in names if name not in asked]
    if missing:
        raise ConvlensError(
            f"class_weights names {len(asked)} of {len(names)} classes; {some(missing, _LISTED)} "
            f"{'is' if len(missing) == 1 else 'are'} missing",
            remedy="give every class a weight; 1 leaves it as it is",
            code="bad-settings",
        )


def summed_loss(
    logits: Tensor, targets: Tensor, settings: LossSettings, class_weights: Tensor | None = None
) -> Tensor:
    """The loss of some samples, summed, each times what its class counts.

    With smoothed targets t, class weights w and probabilities p it is the sum over samples and
    classes of t · w · (1 - p)^g · -log p, where g is 0 but for the focal loss: the sum that
    `torch.nn.functional.cross_entropy` gives, for class numbers and for mixed targets.

    Args:
        logits: (N, K), or (N, 1): the second of two classes against the first.
        targets: (N,) int64 class numbers, or (N, K) float where they are mixed.
        settings: the loss.
        class_weights: (K,) what a sample of each class counts; None for 1.

    Returns:
        A number, float32 or better.

    Source:
        Focal: Lin et al., "Focal loss for dense object detection", 2017, arXiv 1708.02002,
        eq. 4 and 5.

    Example:
        >>> loss = summed_loss(torch.zeros(3, 2), torch.tensor([0, 1, 1]), LossSettings())
        >>> round(loss.item() / 3, 4)
        0.6931
    """
    logits = _two_columns(logits)
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    weights = None if class_weights is None else class_weights.to(logits)
    if settings.name != "focal":
        return F.cross_entropy(
            logits,
            targets if targets.ndim == 1 else targets.to(logits.dtype),
            weight=weights,
            label_smoothing=settings.label_smoothing,
            reduction="sum",
        )
    log_p = F.log_softmax(logits, dim=1)
    # -expm1 keeps the digits that 1 - p loses near 1; at 0 itself a root has no derivative.
    missing = -torch.expm1(log_p).clamp(max=-torch.finfo(log_p.dtype).tiny)
    terms = _shares(targets, logits, settings.label_smoothing) * missing**settings.focal_gamma
    return -((terms if weights is None else terms * weights) * log_p).sum()


def total_weight(targets: Tensor, class_weights: Tensor | None = None) -> Tensor:
    """What some samples count together: a summed loss over this is the mean.

    A mixed target counts Σ t · w over its classes, so that a whole one counts as its class does.

    Args:
        targets: (N,) int64 class numbers, or (N, K) float where they are mixed.
        class_weights: (K,) what a sample of each class counts; None for 1.

    Returns:
        A float64 number on the targets' device (float32 where it has no float64).

    Example:
        >>> total_weight(torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.5])).item()
        6.0
    """
    dtype = torch.float32 if targets.device.type == "mps" else torch.float64
    if class_weights is None:
        return torch.tensor(len(targets), dtype=dtype, device=targets.device)
    weights = class_weights.to(targets.device, dtype)
    if targets.ndim == 1:
        return weights[targets].sum()
    return (targets.to(dtype) @ weights).sum()


def log_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy as it is, summed: no smoothing, no weights; what validation measures.

    Args:
        logits: (N, K), or (N, 1): the second of two classes against the first.
        targets: (N,) int64 class numbers, or (N, K) float where they are mixed.
    """
    return summed_loss(logits, targets, LossSettings())


def correct(logits: Tensor, targets: Tensor) -> Tensor:
    """How many samples' likeliest class is theirs; a mixed target counts as its largest part.

    Args:
        logits: (N, K), or (N, 1): the second of two classes against the first.
        targets: (N,) int64 class numbers, or (N, K) float where they are mixed.

    Returns:
        A whole number, int64, left on the logits' device.

    Example:
        >>> correct(torch.tensor([[-1.0], [2.0], [3.0]]), torch.tensor([0, 1, 0])).item()
        2
    """
    labels = targets if targets.ndim == 1 else targets.argmax(dim=1)
    return (_two_columns(logits).argmax(dim=1) == labels).sum()


def _two_columns(logits: Tensor) -> Tensor:
    """A sigmoid of z is a softmax of 0 and z: with that, two classes need no code of their own."""
    return F.pad(logits, (1, 0)) if logits.shape[1] == 1 else logits


def _shares(targets: Tensor, logits: Tensor, smoothing: float) -> Tensor:
    classes = logits.shape[1]
    shares = F.one_hot(targets, classes) if targets.ndim == 1 else targets
    return shares.to(logits.dtype) * (1 - smoothing) + smoothing / classes
