"""What each of torch's operations does to a shape and to receptive fields, and what it costs.

Operations are known by the names that ATen, torch's own library of operations, gives them. Layers,
functions and operators all end there, so that few rules cover any module.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import Tensor

from convlens.inspection.formulas import Padding, What, Window, Windows, product
from convlens.inspection.receptive_field import UNKNOWN, Seen

_MAP = (-2, -1)


@dataclass(frozen=True)
class Operation:
    """One operation that reads something computed from the image.

    Attributes:
        name: ATen's (``"convolution"``).
        arguments: positional, as ATen has them; trailing defaults may be missing.
        sees: what the units of each tensor argument that comes from the image see, by ``id``.
        output: what came out, or the first of several.
        pointwise: whether each number of the output comes from its own place alone.
    """

    name: str
    arguments: Sequence[Any]
    sees: Mapping[int, Seen]
    output: Tensor
    pointwise: bool = False

    def seen(self, index: int = 0) -> Seen:
        """What the units of an argument see; unknown where it does not come from the image."""
        return self.sees.get(id(self.arguments[index]), UNKNOWN)

    def argument(self, index: int, default: Any = None) -> Any:
        """An argument, or its default where it is missing."""
        return self.arguments[index] if index < len(self.arguments) else default

    def pair(self, index: int, default: int = 0) -> tuple[int, int]:
        """An argument that is one number for both axes, or a list whose last two count."""
        value = self.argument(index, default)
        down, across = (
            (value, value) if isinstance(value, int) else (list(value) * 2)[-2:] or (0, 0)
        )
        return int(down), int(across)


Effect: TypeAlias = tuple[Seen, What | None]
"""What the output's units see, and what is worth telling of how its shape follows."""


def effect(operation: Operation) -> Effect:
    """What an operation does; unknown fields where no rule covers it."""
    rule = _RULES.get(operation.name, _keep if operation.pointwise else None)
    return rule(operation) if rule and operation.output.ndim else (UNKNOWN, None)


def multiply_adds(name: str, arguments: Sequence[Any], output: Tensor) -> int:
    """The multiply-adds of an operation; 0 for what is neither convolution nor matrix product.

    Adding a bias, normalizing, activating and pooling are not counted, as is usual.
    """
    tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
    if name == "convolution":
        image, weight = tensors[:2]
        positions = image if arguments[6] else output  # a transposed one spreads its input
        return positions.numel() * weight[0].numel()
    if name in _PRODUCTS:
        return output.numel() * tensors[_PRODUCTS[name]].shape[-1]
    if name.startswith("_scaled_dot_product"):
        query, key = tensors[:2]
        return (query.numel() + output.numel()) * key.shape[-2]
    return 0


_PRODUCTS = {"mm": 0, "bmm": 0, "mv": 0, "dot": 0, "addmm": 1, "baddbmm": 1, "addmv": 1}


def _windows(
    operation: Operation, kernel: tuple[int, int], *, at: int, dilation: int | None, up: bool
) -> Effect:
    """A window over the last two dimensions; ``at`` is where stride and padding stand."""
    image, seen = operation.arguments[0], operation.seen()
    stride = operation.pair(at) if operation.argument(at) else kernel
    padding = operation.pair(at + 1)
    spread = operation.pair(dilation, 1) if dilation is not None else (1, 1)
    down, across = (
        Window(
            image.shape[axis - 2],
            kernel[axis],
            stride[axis],
            padding[axis],
            padding[axis],
            spread[axis],
            up,
        )
        for axis in (0, 1)
    )
    fields = [
        field.window(
            kernel=w.kernel, stride=w.stride, before=w.before, dilation=w.dilation, count=w.count
        )
        for field, w in zip(seen.axes or (), (down, across), strict=False)
    ]
    known = seen.dims == _MAP and len(fields) == 2
    return (seen.with_axes(*fields) if known else UNKNOWN), Windows(down, across)


def _convolution(operation: Operation) -> Effect:
    weight, transposed = operation.arguments[1], operation.argument(6, False)
    if weight.ndim != 4 or transposed:
        return UNKNOWN, None
    return _windows(operation, tuple(weight.shape[2:]), at=3, dilation=5, up=False)


def _max_pool(operation: Operation) -> Effect:
    up = bool(operation.argument(5, False))
    return _windows(operation, operation.pair(1), at=2, dilation=4, up=up)


def _average_pool(operation: Operation) -> Effect:
    up = bool(operation.argument(4, False))
    return _windows(operation, operation.pair(1), at=2, dilation=None, up=up)


def _adaptive_pool(operation: Operation) -> Effect:
    image, seen, counts = operation.arguments[0], operation.seen(), operation.pair(1)
    sides = image.shape[-2], image.shape[-1]
    told = f"{sides[0]}×{sides[1]} → {counts[0]}×{counts[1]}"
    if seen.dims != _MAP or seen.axes is None:
        return UNKNOWN, told
    height, width = (
        axis.adaptive(side, count)
        for axis, side, count in zip(seen.axes, sides, counts, strict=True)
    )
    return seen.with_axes(height, width), told


def _reduce(operation: Operation) -> Effect:
    image, seen = operation.arguments[0], operation.seen()
    dims, keep = operation.argument(1) or range(image.ndim), bool(operation.argument(2, False))
    reduced = {dim - image.ndim if dim >= 0 else dim for dim in dims}
    if -image.ndim in reduced:  # over the batch: a figure on the side
        return UNKNOWN, None
    if seen.dims is None or not reduced.issuperset(seen.dims):
        kept = seen.dims is not None and not reduced & set(seen.dims)
        return (seen if kept and (keep or seen.dims == _MAP) else UNKNOWN), None
    sides = "×".join(str(image.shape[dim]) for dim in seen.dims)
    return seen.gathered(dims=seen.dims if keep else None), f"{_REDUCTIONS[operation.name]} {sides}"


_REDUCTIONS = {"mean": "mean of", "sum": "sum of", "amax": "max of"}


def _reshape(operation: Operation) -> Effect:
    image, seen, output = operation.arguments[0], operation.seen(), operation.output
    flat = output.ndim == 2 and output.shape[0] == image.shape[0]
    if flat and image.ndim == 4:
        return replace(seen, dims=None), product(tuple(image.shape[1:]))
    if seen.dims == _MAP and output.ndim > 2 and output.shape[-2:] == image.shape[-2:]:
        return seen, None
    if flat and seen.dims is None:
        return seen, None
    gathered = seen.axes is not None and all(axis.whole for axis in seen.axes)
    if gathered and output.ndim == 4 and output.shape[-2:] == (1, 1):
        return replace(seen, dims=_MAP), None
    return UNKNOWN, None


def _permute(operation: Operation) -> Effect:
    seen, ndim = operation.seen(), operation.output.ndim
    if seen.dims is None:
        return UNKNOWN, None
    order = list(range(ndim))
    if operation.name == "permute":
        order = [dim % ndim for dim in operation.arguments[1]]
    else:
        first, second = (operation.argument(i, i - 1) % ndim for i in (1, 2))
        order[first], order[second] = order[second], order[first]
    down, across = (order.index(dim % ndim) - ndim for dim in seen.dims)
    return replace(seen, dims=(down, across)), None


def _pad(operation: Operation) -> Effect:
    image, seen = operation.arguments[0], operation.seen()
    pads = list(operation.arguments[1])
    left, right, top, bottom = [*pads, 0, 0][:4]
    told = Padding((image.shape[-2], image.shape[-1]), (top, left), (bottom, right))
    if (left, right, top, bottom) == (0, 0, 0, 0):
        return seen, None
    if seen.dims != _MAP or seen.axes is None or any(pads[4:]):
        return UNKNOWN, told
    height, width = seen.axes
    return seen.with_axes(height.padded(top, bottom), width.padded(left, right)), told


def _dense(operation: Operation) -> Effect:
    at = _PRODUCTS[operation.name]
    first, second, seen = operation.arguments[at], operation.arguments[at + 1], operation.seen(at)
    told = f"{first.shape[-1]:,} → {second.shape[-1]:,}" if second.ndim == 2 else None
    return (seen.gathered() if seen.dims is None and len(operation.sees) == 1 else UNKNOWN), told


def _concatenate(operation: Operation) -> Effect:
    parts, dim = operation.arguments[0], operation.argument(1, 0)
    joined = reduce(Seen.joined, operation.sees.values())
    if dim % operation.output.ndim != 1 or operation.output.ndim != 4:
        return UNKNOWN, None
    channels = [part.shape[1] for part in parts]
    return joined, f"{' + '.join(map(str, channels))} = {sum(channels)} channels"


def _keep(operation: Operation) -> Effect:
    """Each unit stays in its place; several arguments meet there."""
    joined = reduce(Seen.joined, operation.sees.values())
    branches = len(operation.sees)
    summed = operation.name in {"add", "add_"} and branches > 1
    return joined, (f"sum of {branches}" if summed else None)


def _part(operation: Operation) -> Effect:
    """A part of the channels, or the same numbers in another dress."""
    image, seen, output = operation.arguments[0], operation.seen(), operation.output
    dims = seen.dims or (-1,)
    if output.ndim < max(3 if seen.dims else 2, -min(dims)):
        return UNKNOWN, None
    stays = all(output.shape[dim] == image.shape[dim] for dim in dims)
    return (seen if stays or seen.dims is None else UNKNOWN), None


def _softmax(operation: Operation) -> Effect:
    seen, ndim = operation.seen(), operation.output.ndim
    across = operation.arguments[1] % ndim - ndim
    return (UNKNOWN if across in (seen.dims or ()) else seen), None


_Rule: TypeAlias = Callable[[Operation], Effect]


def _same_rule(rule: _Rule, *names: str) -> dict[str, _Rule]:
    return dict.fromkeys(names, rule)


_RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        "convolution": _convolution,
        "constant_pad_nd": _pad,
        "cat": _concatenate,
        **_same_rule(_max_pool, "max_pool2d_with_indices", "max_pool2d"),
        **_same_rule(_average_pool, "avg_pool2d", "avg_pool3d"),
        **_same_rule(_adaptive_pool, "_adaptive_avg_pool2d", "adaptive_max_pool2d"),
        **_same_rule(_reduce, *_REDUCTIONS),
        **_same_rule(_reshape, "view", "_unsafe_view", "squeeze", "unsqueeze", "reshape"),
        **_same_rule(_permute, "permute", "transpose", "t"),
        **_same_rule(_pad, "reflection_pad2d", "replication_pad2d"),
        **_same_rule(_dense, *_PRODUCTS),
        **_same_rule(_part, "slice", "select", "split", "split_with_sizes", "expand"),
        **_same_rule(_softmax, "_softmax", "_log_softmax"),
        # Statistics over the map are not counted as seeing it: in eval mode they are constants.
        **_same_rule(_keep, "native_batch_norm", "_native_batch_norm_legit_no_training"),
        **_same_rule(_keep, "cudnn_batch_norm", "native_layer_norm", "native_group_norm"),
        **_same_rule(_keep, "_to_copy", "alias", "detach", "native_dropout", "channel_shuffle"),
        **_same_rule(_keep, "hardswish", "hardswish_", "_prelu_kernel", "native_channel_shuffle"),
    }
)


def is_pointwise(operation: torch._ops.OpOverload) -> bool:
    """Whether torch itself marks an operation so."""
    return torch.Tag.pointwise in operation.tags
