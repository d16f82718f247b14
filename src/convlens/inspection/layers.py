"""From a watched forward pass to one row a layer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from convlens.core.classifier import Normalize
from convlens.inspection.formulas import (
    Padding,
    Shape,
    Windows,
    channels_last,
    formula,
    shape_in_words,
)
from convlens.inspection.forward_pass import Call, Result, Step
from convlens.inspection.receptive_field import Seen

_PASSED_OVER = (nn.Identity, nn.Sequential, Normalize)  # where nothing happens inside
_OPERATION_NAMES = {
    "convolution": "conv2d",
    "constant_pad_nd": "pad",
    "max_pool2d_with_indices": "max_pool2d",
    "_adaptive_avg_pool2d": "adaptive_avg_pool2d",
    "view": "flatten",
    "_unsafe_view": "flatten",
    "addmm": "dense",
    "mm": "dense",
}


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One row of a trace: a module with weights, or something that changes the shape.

    Activations, normalization and dropout are rows too, and say which row they follow; so is the
    sum where the branches of a residual block meet.

    Attributes:
        name: the module's path, without ``stages.`` before it; behind it the operation, where a
            module writes it out in its own ``forward``; ``#2`` where a module runs again.
        type: the module's class, or the operation.
        output_shape: channels, height, width of one image's map, or the length of its vector.
        formula: how the shape follows (``"(28 − 3 + 2·0)/1 + 1 = 26"``), height first where the
            width differs; empty where it stays.
        parameters: learnable numbers, counted where they are first used.
        trainable_parameters: those of them that are not frozen.
        macs: multiply-adds for one image, of convolutions and matrix products.
        receptive_field: pixels of the input that a unit sees, on the longer side, those of padding
            included; None where it is not known.
        jump: pixels between the fields of neighboring units; None where there are no neighbors,
            or it is not known.
        activation_bytes: what the output takes for one image; 0 where it shares its input's memory.
        follows: the row it is named with; empty for a row of its own.
    """

    name: str
    type: str
    output_shape: Shape
    formula: str
    parameters: int
    trainable_parameters: int
    macs: int
    receptive_field: int | None
    jump: int | None
    activation_bytes: int
    follows: str = ""

    def as_json(self) -> dict[str, Any]:
        """The row as JSON has it: shapes are height, width, channels."""
        return {**vars(self), "output_shape": channels_last(self.output_shape)}


def with_followers(layers: Iterable[Layer]) -> Iterator[tuple[Layer, ...]]:
    """Each layer with the normalization, activation and dropout that follow it."""
    group: list[Layer] = []
    for layer in layers:
        if group and not layer.follows:
            yield tuple(group)
            group = []
        group.append(layer)
    if group:
        yield tuple(group)


def layers_of(outermost: Call) -> tuple[Layer, ...]:
    """The rows of a forward pass, as far as it went, in the order in which they ran."""
    pluralize: set[int] = set()
    names: dict[str, int] = {}
    last = ""
    layers = []
    for row in _rows(outermost):
        fresh = [p for p in dict.fromkeys(row.parameters) if id(p) not in pluralize]
        pluralize.update(map(id, fresh))
        names[row.name] = names.get(row.name, 0) + 1
        again = f"#{names[row.name]}" if names[row.name] > 1 else ""
        layer = _layer(row, row.name + again, fresh)
        if layer.macs == 0 and not layer.formula and last:
            layer = replace(layer, follows=last)
        else:
            last = layer.name
        layers.append(layer)
    return tuple(layers)


@dataclass(frozen=True)
class _Row:
    name: str
    type: str
    formula: str
    parameters: tuple[nn.Parameter, ...]
    multiply_adds: int
    result: Result


def _layer(row: _Row, name: str, parameters: list[nn.Parameter]) -> Layer:
    seen, images = row.result.seen, max(row.result.shape[:1], default=1)
    return Layer(
        name=name,
        type=row.type,
        output_shape=_of_one_image(row.result.shape, seen),
        formula=row.formula,
        parameters=sum(p.numel() for p in parameters),
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        macs=row.multiply_adds // images,
        receptive_field=max(axis.size for axis in seen.axes) if seen.axes else None,
        jump=_jump(seen),
        activation_bytes=row.result.fresh_bytes // images,
    )


def _jump(seen: Seen) -> int | None:
    jumps = [axis.jump for axis in seen.axes or () if axis.jump is not None]
    return max(jumps) if jumps and seen.dims is not None else None


def _of_one_image(shape: Shape, seen: Seen) -> Shape:
    if seen.dims == (-3, -2) and len(shape) == 4:  # a map with its channels last
        return (shape[3], shape[1], shape[2])
    return shape[1:]


def _rows(call: Call) -> list[_Row]:
    """A row for a module in which no other makes one; else those inside, and its own steps."""
    inside = {id(event): _rows(event) for event in call.events if isinstance(event, Call)}
    if not any(inside.values()):
        return [_row_of_module(call)] if _is_row(call) else []
    rows: list[_Row] = []
    padding: Step | None = None
    for event in call.events:
        if isinstance(event, Call):
            rows += [_row_of_step(call, padding, None)] if padding else []
            rows += inside[id(event)]
            padding = None
        elif isinstance(event.told, Padding):
            padding = event
        elif event.told or event.parameters or event.multiply_adds:
            rows.append(_row_of_step(call, event, padding))
            padding = None
    return rows


def _is_row(call: Call) -> bool:
    return call.result is not None and not isinstance(call.module, _PASSED_OVER)


def _row_of_module(call: Call) -> _Row:
    steps = list(_steps(call))
    result = call.result
    assert result is not None  # noqa: S101 - `_is_row` said so
    told = _formula(steps)
    if not told and call.given and call.given[0] != result.shape:
        told = f"{shape_in_words(call.given[0][1:])} → {shape_in_words(result.shape[1:])}"
    kind = type(call.module).__name__
    return _Row(
        call.name.removeprefix("stages.") or kind.lower(),
        kind,
        told,
        tuple(p for step in steps for p in step.parameters),
        sum(step.multiply_adds for step in steps),
        result,
    )


def _row_of_step(call: Call, step: Step, padding: Step | None) -> _Row:
    kind = _OPERATION_NAMES.get(step.operation, step.operation).strip("_")
    name = f"{call.name}.{kind}".removeprefix(".").removeprefix("stages.")
    told = _formula([padding, step] if padding else [step])
    return _Row(name, kind, told, step.parameters, step.multiply_adds, step.result)


def _steps(call: Call) -> Iterator[Step]:
    for event in call.events:
        if isinstance(event, Call):
            yield from _steps(event)
        else:
            yield event


def _formula(steps: list[Step]) -> str:
    """What the steps tell, with a padding taken into the window behind it."""
    padding: Padding | None = None
    told: list[str] = []
    for step in steps:
        what = step.told
        if isinstance(what, Padding):
            padding = what
        elif what:
            if padding and isinstance(what, Windows):
                what = padding.taken_in(what)
            told.append(formula(what))
            padding = None
    return ", then ".join([*told, *([padding.formula()] if padding else [])])
