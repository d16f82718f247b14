"""The network as a table: a row a layer."""

from collections.abc import Iterator
from dataclasses import dataclass

from convlens.inspection import Layer, Trace, shape_in_words
from convlens.reporting.words import short


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """A layer, and what belongs to it.

    Attributes:
        name: the module's path.
        type: what it is, with the activation and normalisation that follow it.
        output: the shape that comes out for one image, height first.
        parameters: learnable numbers.
        macs: multiply-adds, shortened; empty for none.
        field: pixels of the input that a unit sees; empty where it is not known.
    """

    name: str
    type: str
    output: str
    parameters: int
    macs: str
    field: str


def layer_rows(network: Trace) -> tuple[LayerRow, ...]:
    """The rows of a network's table."""
    return tuple(_row(group) for group in _groups(network))


def _groups(network: Trace) -> Iterator[list[Layer]]:
    """Each layer with the normalisation, activation and dropout that follow it."""
    group: list[Layer] = []
    for layer in network.layers:
        if group and not layer.follows:
            yield group
            group = []
        group.append(layer)
    if group:
        yield group


def _row(group: list[Layer]) -> LayerRow:
    first = group[0]
    macs = sum(layer.macs for layer in group)
    return LayerRow(
        name=first.name,
        type=" + ".join(layer.type for layer in group),
        output=shape_in_words(group[-1].output_shape),
        parameters=sum(layer.parameters for layer in group),
        macs=short(macs) if macs else "",
        field="" if first.receptive_field is None else f"{first.receptive_field:,}",
    )
