"""Networks by name, or in the layer notation, built to be looked at."""

from dataclasses import dataclass

import torch

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection.formulas import Shape
from convlens.models import ModelSpec, build_architecture, notes, published_form

_CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class Named:
    """A network and how it came about.

    Attributes:
        network: built, with weights drawn or without numbers at all.
        model: its description.
        notes: what a reader should know of it.
    """

    network: Classifier
    model: ModelSpec
    notes: tuple[str, ...]


def describe(text: str, *, head: str = "published") -> ModelSpec:
    """The description of a network that is named, or written in the layer notation.

    Args:
        text: ``"vgg16"``, ``"path/to/file.py:build"``, or layers: whatever has a space or a comma.
        head: ``"none"`` for features alone, or a head in the layer notation, in place of the one
            that the network was published with.

    Raises:
        ConvlensError: the name or the notation is not understood.

    Example:
        >>> describe("conv 8 3 same relu, maxpool 2").layers
        ('conv 8 3 same relu', 'maxpool 2')
    """
    written = any(sign in text.strip() for sign in " ,\n")
    return ModelSpec(layers=(text,), head=head) if written else ModelSpec(name=text, head=head)


def build_named(
    model: ModelSpec,
    *,
    input_shape: Shape | None = None,
    classes: int | None = None,
    numbers: bool = False,
) -> Named:
    """Build a network that is to be looked at.

    Args:
        model: which.
        input_shape: channels, height, width; that of its publication by default.
        classes: outputs; those of its publication by default, or 10.
        numbers: whether it needs weights; without, it is built in no time.

    Raises:
        ConvlensError: its input is not known, or it cannot take it.

    Example:
        >>> build_named(describe("vgg16", head="none")).network.input_spec.shape
        (3, 224, 224)
    """
    published = published_form(model)
    if input_shape is None and published is None:
        raise ConvlensError(
            "the network's input is not known; pass --input, for example --input 32x32x3",
            code="no-input-shape",
        )
    own_shape, own_classes = (published[0].shape, published[1]) if published else ((), _CLASSES)
    channels, height, width = input_shape or own_shape
    spec = InputSpec(height=height, width=width, channels=channels)
    with torch.device("cpu" if numbers or model.is_own else "meta"):
        network = build_architecture(model, spec, classes=classes or own_classes)
    return Named(network=network, model=model, notes=notes(model, spec))
