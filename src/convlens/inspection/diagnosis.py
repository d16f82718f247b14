"""Why a forward pass broke off: the sum that fails, and what would mend it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any, TypeAlias

from torch import Tensor, nn

from convlens.core.classifier import Normalize
from convlens.core.formatting import pluralize
from convlens.inspection.formulas import Shape, Window, both_axes, shape_in_words
from convlens.inspection.forward_pass import Failure, tensors_in
from convlens.inspection.image_shape import channels_remedy
from convlens.inspection.layers import Layer
from convlens.inspection.min_input_size import WorkingSize


@dataclass(frozen=True)
class Diagnosis:
    """What is told of a failure.

    Attributes:
        problem: what the layer takes, and what reaches it.
        sum: the sum that fails.
        remedies: what would mend it; one of them is enough.
    """

    problem: str
    sum: str
    remedies: tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """A failure, and what is known besides.

    Attributes:
        failure: where the pass broke off.
        layers: the rows before it.
        image: the shape of one image that the network was given.
        sizes: finds the input sizes that a layer can work with.
    """

    failure: Failure
    layers: tuple[Layer, ...]
    image: Shape
    sizes: WorkingSize

    @property
    def reaching(self) -> Shape:
        """The shape that reached the failing module; empty where none did."""
        return self.failure.call.given[0] if self.failure.call.given else ()

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors of the operation that refused."""
        return list(tensors_in(list(self.failure.arguments)))

    def argument(self, index: int, default: Any) -> Any:
        """An argument of the operation that refused."""
        given = self.failure.arguments
        return given[index] if index < len(given) else default


def diagnose(case: Case) -> Diagnosis:
    """The words for a failure; torch's own where no rule knows it."""
    module = case.failure.call.module
    if isinstance(module, Normalize):
        return _channels(case, case.reaching[1], module.mean.shape[1], "channels")
    rule = _BY_OPERATION.get(case.failure.operation) or _rule_for(module)
    return (rule(case) if rule else None) or _in_torchs_words(case)


_Rule: TypeAlias = Callable[[Case], Diagnosis | None]


def _convolution(case: Case) -> Diagnosis | None:
    image, weight = case.tensors[:2]
    taken = weight.shape[1] * int(case.argument(8, 1))
    if image.shape[1] != taken:
        return _channels(case, image.shape[1], taken, "in_channels")
    stride, padding, dilation = (case.argument(i, [1, 1]) for i in (3, 4, 5))
    return _window(case, image, tuple(weight.shape[2:]), (stride, padding, dilation))


def _pool(case: Case) -> Diagnosis | None:
    image, kernel = case.tensors[0], case.argument(1, [1, 1])
    stride = case.argument(2, None) or kernel
    maximum = case.failure.operation.startswith("max")
    dilation = case.argument(4, [1, 1]) if maximum else [1, 1]
    return _window(case, image, tuple(kernel), (stride, case.argument(3, [0, 0]), dilation))


def _window(
    case: Case, image: Tensor, kernel: Shape, settings: tuple[Any, Any, Any]
) -> Diagnosis | None:
    stride, padding, dilation = (_pair(setting) for setting in settings)
    sides = tuple(image.shape[-2:])
    down, across = (
        Window(sides[i], kernel[i], stride[i], padding[i], padding[i], dilation[i]) for i in (0, 1)
    )
    if down.count > 0 and across.count > 0:
        return None
    padded = f" (padded to {down.side + 2 * padding[0]}×{across.side + 2 * padding[1]})"
    smallest = case.sizes.passing(case.failure.call.name)
    larger = f"an input of at least {smallest}×{smallest} pixels" if smallest else "a larger input"
    is_pool = "pool" in case.failure.operation
    smaller = "a smaller window" if is_pool else "padding that keeps the size ('same')"
    return Diagnosis(
        f"its {down.reach}×{across.reach} window does not fit the {sides[0]}×{sides[1]} map"
        f"{padded if any(padding) else ''} that reaches it",
        both_axes(down.formula(), across.formula()),
        (larger, smaller, "one pool or stride less before it"),
    )


def _dense(case: Case) -> Diagnosis | None:
    first, second = case.tensors[-2:]
    given, taken = first.shape[-1], second.shape[-2]
    if given == taken:
        return None
    reaching = case.reaching or tuple(first.shape)
    if len(reaching) == 4:
        return Diagnosis(
            f"it takes vectors of {taken:,}, but a {shape_in_words(reaching[1:])} map reaches it",
            f"{shape_in_words(reaching[1:])} is no vector; flattened it has {prod(reaching[1:]):,}",
            ("flatten, or global average pooling, before it",),
        )
    flattened = _flatten_to(given, case)
    remedies = [f"a dense layer that takes {given:,}"]
    if flattened:
        sides = case.sizes.giving(case.failure.call.name, taken)
        remedies[:0] = [f"an input of {sides} pixels a side"] if sides else []
        remedies.append("global average pooling in place of flatten, which fits any size")
    return Diagnosis(
        f"it takes {pluralize(taken, 'number')}, but {given:,} reach it",
        f"{flattened.formula if flattened else f'{given:,}'} ≠ {taken:,}",
        tuple(remedies),
    )


def _flatten_to(length: int, case: Case) -> Layer | None:
    """The last row that made a vector of so many numbers of a map."""
    before = (case.image, *(row.output_shape for row in case.layers))
    flattens = (
        row
        for row, shape in zip(case.layers, before, strict=False)
        if len(shape) == 3 and row.output_shape == (prod(shape),) == (length,)
    )
    return next(reversed([*flattens]), None)


def _sum(case: Case) -> Diagnosis | None:
    shapes = [tuple(tensor.shape[1:]) for tensor in case.tensors]
    if len(shapes) < 2:
        return None
    words = [shape_in_words(shape) for shape in shapes]
    remedies = [f"both branches to the same shape, for example {words[0]}"]
    if all(len(shape) == 3 for shape in shapes[:2]):
        strides = [max(1, -(-b // a)) for a, b in zip(shapes[0][1:], shapes[1][1:], strict=True)]
        stride = f", stride {max(strides)}" if max(strides) > 1 else ""
        remedies.insert(0, f"a 1×1 convolution with {shapes[0][0]} filters{stride} on the shortcut")
    return Diagnosis(
        f"branches of different shapes meet ({case.failure.operation.strip('_')})",
        " ≠ ".join(words),
        tuple(remedies),
    )


def _concatenate(case: Case) -> Diagnosis | None:
    words = [shape_in_words(tuple(tensor.shape[1:])) for tensor in case.tensors]
    return Diagnosis(
        "maps can only be joined where they agree in everything but the channels",
        " and ".join(words),
        ("the same stride and padding in every branch",),
    )


def _reshape(case: Case) -> Diagnosis | None:
    image, wanted = case.tensors[0], list(case.argument(1, []))
    fixed = prod(abs(side) for side in wanted[1:])
    each = prod(image.shape[1:])
    return Diagnosis(
        f"it cuts the map into {'×'.join(map(str, wanted[1:]))} for each image",
        f"{'·'.join(map(str, image.shape[1:]))} = {each:,} ≠ {fixed:,}",
        (
            "x.flatten(1), which takes any size",
            "the input size that the network was written for",
        ),
    )


def _channels(case: Case, given: int, taken: int, setting: str) -> Diagnosis:
    if not case.layers:
        return Diagnosis(
            f"it takes {pluralize(taken, 'channel')}, but {given:,} reach it",
            f"{given:,} ≠ {taken:,}",
            (channels_remedy(given, taken),),
        )
    before = case.layers[-1]
    return Diagnosis(
        f"it takes {pluralize(taken, 'channel')}, but {given:,} reach it from '{before.name}'",
        f"{given:,} ≠ {taken:,}",
        (f"{setting}={given} here", f"{taken} filters in the convolution before it"),
    )


def _norm(case: Case) -> Diagnosis | None:
    module, shape = case.failure.call.module, case.reaching
    taken = getattr(module, "num_features", None) or getattr(module, "num_channels", None)
    setting = "num_features" if hasattr(module, "num_features") else "num_channels"
    if isinstance(taken, int) and len(shape) > 1 and shape[1] != taken:
        return _channels(case, shape[1], taken, setting)
    return _axes(case)


def _axes(case: Case) -> Diagnosis | None:
    module, shape = case.failure.call.module, case.reaching
    if len(shape) in {0, 4} or not type(module).__name__.endswith("2d"):
        return None
    flattened = len(shape) == 2
    what = f"a vector of {shape[1]:,}" if flattened else f"a tensor of {len(shape)} axes"
    mend = "put it before flatten and global pooling" if flattened else "hand it N×C×H×W"
    return Diagnosis(
        f"it takes a map (C×H×W), but {what} reaches it", f"{len(shape)} ≠ 4 axes", (mend,)
    )


def _layer_norm(case: Case) -> Diagnosis | None:
    image, wanted = case.tensors[0], list(case.argument(1, []))
    return Diagnosis(
        f"it normalizes over {'×'.join(map(str, wanted))}, the last axes of what reaches it",
        f"{'×'.join(map(str, image.shape[-len(wanted) :]))} ≠ {'×'.join(map(str, wanted))}",
        ("normalized_shape as the map has it", "a norm over channels, such as GroupNorm"),
    )


def _in_torchs_words(case: Case) -> Diagnosis:
    error = case.failure.error
    words = " ".join(str(error).split()) or type(error).__name__
    shapes = " and ".join(shape_in_words(shape[1:]) for shape in case.failure.call.given)
    return Diagnosis(
        f"it cannot work with {shapes or 'what reaches it'}",
        words if len(words) < 300 else words[:297] + "…",
        ("an input of the size and channels that the network was written for",),
    )


def _pair(value: Any) -> tuple[int, int]:
    first, last = (value, value) if isinstance(value, int) else (value[0], value[-1])
    return int(first), int(last)


_BY_OPERATION: Mapping[str, _Rule] = MappingProxyType(
    {
        "convolution": _convolution,
        "max_pool2d_with_indices": _pool,
        "avg_pool2d": _pool,
        "native_layer_norm": _layer_norm,
        "cat": _concatenate,
        "view": _reshape,
        "_unsafe_view": _reshape,
        **dict.fromkeys(("add", "add_", "mul", "mul_", "sub", "sub_"), _sum),
        **dict.fromkeys(("mm", "addmm"), _dense),
    }
)


def _rule_for(module: nn.Module) -> _Rule | None:
    if isinstance(module, nn.modules.batchnorm._NormBase | nn.GroupNorm):  # noqa: SLF001
        return _norm
    return _axes if type(module).__name__.endswith("2d") else None
