"""The way to a layer of the notation that does not fit: shapes, the sum, what would mend it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from convlens.core.errors import ConvlensError
from convlens.models.notation import MEND, Layer

Shape: TypeAlias = tuple[int, ...]

_SHOWN = 16
_WINDOWS = frozenset({"conv", "depthwise", "maxpool", "avgpool"})


@dataclass(slots=True)
class Path:
    """The layers that have been placed, and the shape behind each.

    Attributes:
        begins: what the first of them is given: ``"input"`` or ``"feature map"``.
        shape: of that.
        layers: all that are to be placed.
        placed: each layer, and the shape behind it.
    """

    begins: str
    shape: Shape
    layers: Sequence[Layer]
    placed: list[tuple[Layer, Shape]] = field(default_factory=list)

    def add(self, layer: Layer, shape: Shape) -> None:
        """One more layer fits, and this is the shape behind it."""
        self.placed.append((layer, shape))

    def explain(self, layer: Layer, error: ConvlensError) -> ConvlensError:
        """The error of a layer that does not fit, with the way to it."""
        reaching = self.placed[-1][1] if self.placed else self.shape
        so_far = [*(before for before, _ in self.placed), layer]
        too_small = len(reaching) == 3 and smallest_side(so_far) > min(self.shape[1:])
        rows = [(self.begins, shape_in_words(self.shape))]
        rows += [(before.written.text, shape_in_words(shape)) for before, shape in self.placed]
        rows.append((layer.written.text, _sum(layer, min(reaching[1:])) if too_small else "fails"))
        hidden = max(len(rows) - _SHOWN, 0)
        width = max(len(text) for text, _ in rows)
        lines = [error.problem, "the way there:"]
        lines += [f"  … {hidden} rows before"] if hidden else []
        lines += [f"  {text:{width}}  {shape}" for text, shape in rows[hidden:]]
        remedy = error.remedy
        if too_small:
            smallest = smallest_side(self.layers)
            remedy = (
                f"{_article(self.begins)} of at least {smallest}×{smallest}; or fewer pools or "
                "strides before it; or 'same'"
            )
        return ConvlensError("\n".join(lines), remedy=remedy, between=MEND, code=error.code)


def smallest_side(layers: Sequence[Layer]) -> int:
    """The shortest side of a map that layers can take, one behind the other.

    Example:
        >>> from convlens.models.notation import parse_network
        >>> smallest_side(parse_network("conv 16 3, maxpool 2, conv 32 3, maxpool 2, conv 64 3"))
        18
    """
    side = 1
    for layer in reversed(layers):
        window, stride = _window_of(layer)
        side = (side - 1) * stride + (window if layer.padding == "valid" else 1)
    return side


def shape_in_words(shape: Shape) -> str:
    """Height, width, channels; or the length of a vector.

    Example:
        >>> shape_in_words((3, 32, 32)), shape_in_words((9216,))
        ('32×32×3', '9,216')
    """
    return f"{shape[1]}×{shape[2]}×{shape[0]}" if len(shape) == 3 else f"{shape[0]:,}"


def _window_of(layer: Layer) -> tuple[int, int]:
    """The window and the stride of a layer; 1 and its stride where it keeps every size."""
    if layer.kind not in _WINDOWS:
        return 1, layer.stride or 1
    window = layer.whole(1 if layer.kind == "conv" else 0)
    return window, layer.stride or (window if "pool" in layer.kind else 1)


def _sum(layer: Layer, side: int) -> str:
    window, stride = _window_of(layer)
    quotient = f"({side} − {window} + 2·0)/{stride}"
    if (side - window) % stride:
        quotient = f"⌊{quotient}⌋"
    return f"{quotient} + 1 = {(side - window) // stride + 1}".replace("-", "−")


def _article(noun: str) -> str:
    return f"an {noun}" if noun == "input" else f"a {noun}"
