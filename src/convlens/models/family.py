"""What a family of networks hands over: how to build its stages and its published head."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Literal, TypeAlias

from torch import Tensor, nn

from convlens.models.blocks import draw_he
from convlens.models.names import FAMILIES, check_name
from convlens.models.notation import parse_network, split_at_head
from convlens.models.notation_build import head_from_layers, stages_from_layers
from convlens.models.spec import POOL_AND_DENSE, PUBLISHED

Shape: TypeAlias = tuple[int, ...]
Option: TypeAlias = Literal["small_stem", "width", "dropout"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a family is asked for.

    Attributes:
        shape: channels, height and width of the input.
        small_stem: whether to begin as suits small images.
        width: width multiplier.
        dropout: rate in the published head; None for the family's own.
    """

    shape: tuple[int, int, int]
    small_stem: bool = False
    width: float = 1.0
    dropout: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One network as published, buildable at other sizes, channels and classes.

    Attributes:
        stages: from options to the stages by name.
        head: the published head, from options, the feature map's shape and the classes.
        draw: draws first weights in place, over stages and head.
        published_input: channels, height and width it was published for; None where it has none.
        published_classes: the classes it was published for.
        smallest_side: the shortest side, in pixels, that it can take.
        takes: the options it understands.
        training_head: the head that training on a user's data gives it unless told otherwise.
        from_torchvision: torchvision's name of a parameter to ours; None where it has no such net.
        prepare: fills what is made from training images rather than drawn or learned, in place,
            from the stages and N×C×H×W images; None where there is nothing of the kind.
        note: where it differs from the paper, in a sentence; empty where it does not.
    """

    stages: Callable[[Options], Mapping[str, nn.Module]]
    head: Callable[[Options, Shape, int], nn.Module]
    draw: Callable[[nn.Module], None] = draw_he
    published_input: tuple[int, int, int] | None = None
    published_classes: int | None = None
    smallest_side: int = 1
    takes: frozenset[Option] = frozenset()
    training_head: str = POOL_AND_DENSE
    from_torchvision: Callable[[str], str] | None = None
    prepare: Callable[[nn.Sequential, Tensor], None] | None = None
    note: str = ""


def family_named(name: str) -> Family:
    """The family behind a known name; its file is imported now.

    Raises:
        ConvlensError: the name is not known.
    """
    check_name(name)
    module, _, attribute = FAMILIES[name].partition(":")
    family = getattr(import_module(module), attribute)
    if not isinstance(family, Family):
        raise TypeError(f"{FAMILIES[name]} is not a Family")
    return family


def family_from_layers(
    layers: str | tuple[str, ...],
    *,
    published_input: tuple[int, int, int] | None = None,
    published_classes: int | None = None,
    note: str = "",
) -> Family:
    """The family that a text in the layer notation describes.

    Raises:
        ConvlensError: the text is not understood.
    """
    stage_layers, head_layers = split_at_head(parse_network(layers))

    return Family(
        stages=lambda options: stages_from_layers(stage_layers, options.shape),
        head=lambda _options, features, classes: head_from_layers(head_layers, features, classes),
        published_input=published_input,
        published_classes=published_classes,
        training_head=PUBLISHED,
        note=note,
    )
