"""A network's layers as a table for a terminal of 80 columns, or as lines for a narrower one."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from rich.text import Text

from convlens.cli.quantities import short
from convlens.core.console import styled

if TYPE_CHECKING:
    from convlens.inspection import Layer

_HEADER = ("layer", "output", "how it follows", "params", "MACs", "field", "jump", "memory")
_TEXTS = 3  # columns set to the left; those of numbers are set to the right
_WIDEST = (12, 12, 22)

Cells: TypeAlias = tuple[str, ...]


def layer_table(layers: "Sequence[Layer]", *, width: int = 80) -> Iterator[Text]:
    """The lines of the table: a row a layer, under the module that it stands in.

    Normalization, activation and dropout are taken into the row of the layer that they follow. Text
    too wide for its column has a line of its own. Where the table is wider than the terminal, a
    layer takes several lines.

    Args:
        layers: as `trace` lists them.
        width: the terminal's columns.
    """
    from convlens.inspection import with_followers

    rows = [(_place(group[0]), _cells(group)) for group in with_followers(layers)]
    widths = [
        max(len(cell) for cell in column if index >= _TEXTS or len(cell) <= _WIDEST[index])
        for index, column in enumerate(zip(_HEADER, *map(_first_lines, rows), strict=True))
    ]
    narrow = sum(widths) + len(widths) - 1 > width
    if not narrow:
        yield styled((_line(_HEADER, widths), "bold"))
    above = ""
    for place, cells in rows:
        if place not in {above, ""}:
            yield styled((place, "bold"))
        above = place or above
        lines = _stacked(cells, width) if narrow else _lines(cells, widths)
        yield from map(styled, lines)


def _first_lines(row: tuple[str, Cells]) -> Cells:
    return tuple(cell.partition("; ")[0] for cell in row[1])


def _lines(cells: Cells, widths: Sequence[int]) -> Iterator[str]:
    label, output, told, *numbers = cells
    if len(label) > widths[0]:
        yield label
        label = ""
    first, *others = told.split("; ")  # height and width, where they differ
    if len(first) > widths[2]:
        first, others = "", [first, *others]
    yield _line((label, output, first, *numbers), widths)
    indent = widths[0] + widths[1] + 2
    for line in others:
        yield f"{'':{indent if len(line) <= 80 - indent else widths[0] + 1}}{line}"


def _stacked(cells: Cells, width: int) -> Iterator[str]:
    """One layer below the other cells' headings: no number is cut off."""
    label, output, told, *numbers = cells
    figures = [
        f"{name} {cell}" for name, cell in zip(_HEADER[_TEXTS:], numbers, strict=True) if cell
    ]
    for text, indent in ((f"{label}  {output}", " "), (told, "   "), (", ".join(figures), "   ")):
        yield from textwrap.wrap(
            text, width, initial_indent=indent, subsequent_indent=f"{indent}  "
        )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    texts = zip(cells[:_TEXTS], widths, strict=False)
    numbers = zip(cells[_TEXTS:], widths[_TEXTS:], strict=True)
    return " ".join(
        [*(f"{cell:{width}}" for cell, width in texts), *(f"{c:>{width}}" for c, width in numbers)]
    ).rstrip()


def _path(layer: "Layer") -> str:
    """The layer's path; inside a block, a convolution and its normalization go by the pair's."""
    return layer.name.removesuffix(".conv") if layer.name.count(".") > 1 else layer.name


def _place(layer: "Layer") -> str:
    """The module that a layer stands in; empty for the outermost and for an operation in it."""
    return "" if layer.type.islower() else _path(layer).rpartition(".")[0]


def _cells(group: "Sequence[Layer]") -> Cells:
    from convlens.inspection import shape_in_words

    main = group[0]
    parameters = sum(layer.parameters for layer in group)
    frozen = parameters - sum(layer.trainable_parameters for layer in group)
    memory = sum(layer.activation_bytes for layer in group)
    is_sum = any(sign in main.formula for sign in "(⌊⌈")
    return (
        f" {_path(main).rpartition('.')[2]}",
        shape_in_words(main.output_shape),
        main.formula.replace(" ", "").replace(";", "; ").replace(",", ", ")
        if is_sum
        else main.formula,
        (f"{parameters:,}" + "*" * bool(frozen)) if parameters else "",
        short(main.macs) if main.macs else "",
        "-" if main.receptive_field is None else str(main.receptive_field),
        "" if main.jump is None else str(main.jump),
        short(memory) if memory else "",
    )
