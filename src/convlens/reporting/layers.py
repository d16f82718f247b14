"""The network as a table: a row a layer."""

from dataclasses import dataclass

from convlens.inspection import Layer, Trace, shape_in_words, with_followers
from convlens.reporting.words import short


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """A layer, and what belongs to it.

    Attributes:
        name: the module's path.
        type: what it is, with the activation and normalization that follow it.
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
    return tuple(map(_row, with_followers(network.layers)))


def _row(group: tuple[Layer, ...]) -> LayerRow:
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
