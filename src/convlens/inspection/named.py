"""Networks to be looked at: by name, in the layer notation, trained ones, or any module."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection.compare import PublishedAccuracy
from convlens.inspection.formulas import Shape
from convlens.inspection.shape_errors import explain_custom_errors
from convlens.models import (
    ModelSpec,
    build_architecture,
    known_models,
    notes,
    published_form,
    published_weights,
)

_CLASSES = 10
_COMMON = (3, 224, 224)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A network to be looked at.

    Attributes:
        network: the module.
        input_shape: channels, height, width of the image it is made for.
        notes: what a reader should know of it.
    """

    network: nn.Module
    input_shape: Shape
    notes: tuple[str, ...] = ()


def describe(
    text: str | Sequence[str], *, written: bool = False, head: str = "published"
) -> ModelSpec:
    """The description of a network that is named, or written in the layer notation.

    Args:
        text: ``"vgg16"``, ``"path/to/file.py:build"``, or layers.
        written: the text is in the layer notation; so is one with a space or a comma in it, unless
            it names a file.
        head: ``"none"`` for features alone, or a head in the layer notation, in place of the one
            that the network was published with.

    Raises:
        ConvlensError: the name or the notation is not understood.

    Example:
        >>> describe("conv 8 3 same relu, maxpool 2").layers
        ('conv 8 3 same relu', 'maxpool 2')
    """
    if isinstance(text, str) and not (written or _looks_written(text)):
        return ModelSpec(name=text, head=head)
    return ModelSpec(layers=(text,) if isinstance(text, str) else tuple(text), head=head)


def build_named(
    model: ModelSpec,
    *,
    input_shape: Shape | None = None,
    classes: int | None = None,
    numbers: bool = False,
) -> Named:
    """Build a network to be looked at.

    Args:
        model: which.
        input_shape: channels, height, width; that of its publication by default.
        classes: outputs; those of its publication by default, or 10.
        numbers: whether it needs weights; without, it is built in no time.

    Raises:
        ConvlensError: its input is not known, or it cannot take it.

    Example:
        >>> build_named(describe("vgg16", head="none")).input_shape
        (3, 224, 224)
    """
    (channels, height, width), classes = shape_and_classes(model, input_shape, classes)
    spec = InputSpec(height=height, width=width, channels=channels)
    generator = torch.random.fork_rng(devices=[])
    device = torch.device("cpu" if numbers or model.is_own else "meta")
    with generator, device, explain_custom_errors():
        torch.manual_seed(0)  # put back on leaving
        network = build_architecture(model, spec, classes=classes)
    return Named(network=network, input_shape=spec.shape, notes=notes(model, spec))


def shape_and_classes(
    model: ModelSpec, shape: Shape | None, classes: int | None
) -> tuple[Shape, int]:
    """What a network is built for: as asked, else as it was published, else for 10 classes.

    Raises:
        ConvlensError: its input is not known.
    """
    published = published_form(model)
    own_shape, own_classes = (published[0].shape, published[1]) if published else (None, _CLASSES)
    return shape or own_shape or _unknown_input(), classes or own_classes


def trained_network(
    classifier: Classifier, model: ModelSpec, *, head: str | None, classes: int | None
) -> Named:
    """A trained network to be looked at.

    Args:
        classifier: with its weights.
        model: its description.
        head: None for its own, ``"none"`` for its features alone.
        classes: None: a trained network has its classes.

    Raises:
        ConvlensError: another head, or another number of classes, is asked for.
    """
    if head not in {None, "none"} or classes is not None:
        raise ConvlensError(
            "a trained network has its head and its classes; leave --head and --classes out, or "
            "pass --head none for its features alone",
            code="bad-model",
        )
    spec = classifier.input_spec
    network = _without_head(classifier) if head else classifier
    return Named(network=network, input_shape=spec.shape, notes=notes(model, spec))


def given_network(module: object, input_shape: Shape | None) -> Named:
    """A module of the caller's.

    Raises:
        ConvlensError: it is no module, or its input is not known.
    """
    if not isinstance(module, nn.Module):
        raise ConvlensError(
            f"model is a {type(module).__name__}; expected a network: one of "
            f"{', '.join(known_models())}, a Run, a run's folder, or a torch.nn.Module",
            code="bad-model",
        )
    own = module.input_spec.shape if isinstance(module, Classifier) else None
    return Named(network=module, input_shape=input_shape or own or _unknown_input())


def common_input(shapes: Iterable[Shape]) -> Shape:
    """The shape that all networks are made for; 224×224×3 where they differ.

    Example:
        >>> common_input([(1, 28, 28), (1, 28, 28)]), common_input([(1, 28, 28), (3, 32, 32)])
        ((1, 28, 28), (3, 224, 224))
    """
    found = set(shapes)
    return found.pop() if len(found) == 1 else _COMMON


def published_accuracy(names: Iterable[str]) -> dict[str, PublishedAccuracy]:
    """The published ImageNet accuracy of those networks that have one.

    Example:
        >>> published_accuracy(["resnet18", "simple"])["resnet18"].percent
        69.758
    """
    found = {}
    for name in names:
        try:
            top1 = published_weights(name).top1
        except ConvlensError:  # it was never published
            continue
        found[name] = PublishedAccuracy(
            percent=top1, source="torchvision's documentation, weights IMAGENET1K_V1"
        )
    return found


def _looks_written(text: str) -> bool:
    """Whether a text is in the layer notation, in which no dot is followed by a letter."""
    return any(sign in text.strip() for sign in " ,\n") and not re.search(r"\.[a-z]", text)


def _without_head(classifier: Classifier) -> Classifier:
    stages = dict(classifier.stages.named_children())
    stages.pop("normalize")
    return Classifier(stages, nn.Identity(), classifier.input_spec).train(classifier.training)


def _unknown_input() -> Shape:
    raise ConvlensError(
        "the network's input is not known; pass --input, for example --input 32x32x3",
        code="no-input-shape",
    )
