"""What a layer of the notation becomes: modules with names, and the shape behind them.

*same* gives ⌈H / s⌉ and pads as TensorFlow does, the odd pixel below and right. Where that is
symmetric, the convolution pads itself; where it is not, a padding layer stands before it.
`residual` and `bottleneck` pad symmetrically, as published.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from torch import nn

from convlens.core.errors import ConvlensError
from convlens.models.blocks import BasicBlock, Bottleneck
from convlens.models.notation import ACTIVATIONS, Layer
from convlens.models.notation_path import Path, shape_in_words

Shape: TypeAlias = tuple[int, ...]
Modules: TypeAlias = dict[str, nn.Module]

_ACTIVATION: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "leakyrelu": nn.LeakyReLU,
        "elu": nn.ELU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
    }
)
_FOLLOWERS = frozenset({"batchnorm", "dropout", *ACTIVATIONS})
_SUFFIX = MappingProxyType({"batchnorm": "norm"})
_SINGLE = frozenset({"pool", "flatten", "globalpool"})
_NOUN = MappingProxyType({"maxpool": "pool", "avgpool": "pool", "globalavgpool": "globalpool"})


def stages_from_layers(layers: Sequence[Layer], shape: Shape) -> dict[str, nn.Module]:
    """Build the stages of a network: a new one starts after each pool or stride.

    Activation, batch normalization and dropout stay in the stage of the layer they follow.

    Args:
        layers: the layers before the head.
        shape: channels, height and width of the input.

    Returns:
        ``block1``, ``block2``, … in order.

    Raises:
        ConvlensError: a layer does not fit the shape that reaches it; the way to it is shown.
    """
    groups: list[list[Layer]] = [[]]
    reduced = False
    for layer in layers:
        if reduced and layer.kind not in _FOLLOWERS:
            groups.append([])
            reduced = False
        groups[-1].append(layer)
        reduced = reduced or "pool" in layer.kind or (layer.stride or 1) > 1
    stages: dict[str, nn.Module] = {}
    path = Path("input", shape, layers)
    for number, group in enumerate(filter(None, groups), 1):
        modules, shape = _build(group, shape, None, path)
        stages[f"block{number}"] = _sequential(modules)
    return stages


def head_from_layers(layers: Sequence[Layer], shape: Shape, classes: int) -> nn.Sequential:
    """Build a head.

    Args:
        layers: from the feature map to the logits.
        shape: channels, height and width of the feature map.
        classes: outputs of a closing ``dense`` that names no number.

    Raises:
        ConvlensError: a layer does not fit the shape that reaches it, or the head does not end in
            one output a class.
    """
    modules, shape = _build(layers, shape, classes, Path("feature map", shape, layers))
    if shape != (classes,):
        last = layers[-1].written
        raise last.error(
            f"the network ends in {_words(shape)}, but there are {classes} classes",
            word=1 if layers[-1].kind == "dense" else 0,
            remedy="close it with a dense that names no number, which gives one output a class",
        )
    return _sequential(modules)


def _build(
    layers: Sequence[Layer], shape: Shape, classes: int | None, path: Path
) -> tuple[Modules, Shape]:
    modules: Modules = {}
    counts: dict[str, int] = {}
    last = "input"
    for at, layer in enumerate(layers):
        if layer.kind in _FOLLOWERS:
            name = _free(f"{last}_{_SUFFIX.get(layer.kind, layer.kind)}", modules)
        else:
            noun = _NOUN.get(layer.kind, layer.kind)
            counts[noun] = counts.get(noun, 0) + 1
            name = last = noun if noun in _SINGLE and counts[noun] == 1 else f"{noun}{counts[noun]}"
        closing = classes if at == len(layers) - 1 else None
        try:
            built, shape = _PLACE[layer.kind](layer, shape, closing)
        except ConvlensError as error:
            raise path.explain(layer, error) from None
        path.add(layer, shape)
        modules |= {name + suffix: module for suffix, module in built.items()}
    return modules, shape


def _free(name: str, taken: Iterable[str]) -> str:
    numbered = (f"{name}{number}" for number in range(2, 1000))
    return name if name not in taken else next(n for n in numbered if n not in taken)


def _sequential(modules: Modules) -> nn.Sequential:
    sequence = nn.Sequential()
    for name, module in modules.items():
        sequence.add_module(name, module)
    return sequence


def _conv(layer: Layer, shape: Shape, _closing: int | None) -> tuple[Modules, Shape]:
    channels, height, width = _map(layer, shape)
    depthwise = layer.kind == "depthwise"
    kernel = layer.whole(0 if depthwise else 1)
    filters = channels if depthwise else layer.whole(0)
    stride = layer.stride or 1
    ((top, bottom), (left, right)), out = _window(layer, (height, width), kernel, stride)
    symmetric = top == bottom and left == right
    pad = {} if symmetric else {"_pad": nn.ZeroPad2d((left, right, top, bottom))}
    conv = nn.Conv2d(
        channels,
        filters,
        kernel,
        stride,
        padding=(top, left) if symmetric else 0,
        groups=channels if depthwise else 1,
    )
    return {**pad, "": conv, **_activation(layer.activation)}, (filters, *out)


def _pool(layer: Layer, shape: Shape, _closing: int | None) -> tuple[Modules, Shape]:
    channels, height, width = _map(layer, shape)
    window = layer.whole(0)
    stride = layer.stride or window
    ((top, bottom), (left, right)), out = _window(layer, (height, width), window, stride)
    if stride == 1 and (top != bottom or left != right):
        raise layer.written.error(
            "an even window with stride 1 and same would have to pad one side only",
            word=1,
            remedy="use an odd window",
        )
    # Rounding up takes in the odd pixel below and right; what is outside never counts.
    same = layer.padding == "same"
    if layer.kind == "maxpool":
        return {"": nn.MaxPool2d(window, stride, (top, left), ceil_mode=same)}, (channels, *out)
    pool = nn.AvgPool2d(window, stride, (top, left), ceil_mode=same, count_include_pad=False)
    return {"": pool}, (channels, *out)


def _global_pool(layer: Layer, shape: Shape, _closing: int | None) -> tuple[Modules, Shape]:
    channels, _, _ = _map(layer, shape)
    return {"": nn.AdaptiveAvgPool2d(1), "_flatten": nn.Flatten()}, (channels,)


def _flatten(layer: Layer, shape: Shape, _closing: int | None) -> tuple[Modules, Shape]:
    channels, height, width = _map(layer, shape)
    return {"": nn.Flatten()}, (channels * height * width,)


def _dense(layer: Layer, shape: Shape, closing: int | None) -> tuple[Modules, Shape]:
    if len(shape) != 1:
        raise layer.written.error(
            f"dense needs a vector, but {_words(shape)} arrives",
            remedy="put flatten or globalavgpool before it",
        )
    if not layer.numbers and closing is None:
        raise layer.written.error(
            "only the closing dense may leave its number out", word=1, remedy="write: dense UNITS"
        )
    units = layer.whole(0) if layer.numbers else closing or 0
    return {"": nn.Linear(shape[0], units), **_activation(layer.activation)}, (units,)


def _residual(layer: Layer, shape: Shape, _closing: int | None) -> tuple[Modules, Shape]:
    channels, height, width = _map(layer, shape)
    block = BasicBlock if layer.kind == "residual" else Bottleneck
    filters, stride = layer.whole(0), layer.stride or 1
    out = (filters * block.expansion, -(-height // stride), -(-width // stride))
    return {"": block(channels, filters, stride)}, out


def _batchnorm(_layer: Layer, shape: Shape, _closing: int | None) -> tuple[Modules, Shape]:
    norm = nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d
    return {"": norm(shape[0])}, shape


def _dropout(layer: Layer, shape: Shape, _closing: int | None) -> tuple[Modules, Shape]:
    return {"": nn.Dropout(layer.numbers[0])}, shape


def _activate(layer: Layer, shape: Shape, _closing: int | None) -> tuple[Modules, Shape]:
    return {"": _ACTIVATION[layer.kind]()}, shape


_PLACE: Mapping[str, Callable[[Layer, Shape, int | None], tuple[Modules, Shape]]] = (
    MappingProxyType(
        {
            "conv": _conv,
            "depthwise": _conv,
            "residual": _residual,
            "bottleneck": _residual,
            "maxpool": _pool,
            "avgpool": _pool,
            "globalavgpool": _global_pool,
            "batchnorm": _batchnorm,
            "dropout": _dropout,
            "flatten": _flatten,
            "dense": _dense,
            **dict.fromkeys(ACTIVATIONS, _activate),
        }
    )
)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """What *same* adds before and after a side, so that ⌈side / stride⌉ come out.

    Example:
        >>> same_padding(32, 3, 1), same_padding(32, 3, 2)
        ((1, 1), (0, 1))
    """
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _window(
    layer: Layer, sides: tuple[int, int], kernel: int, stride: int
) -> tuple[tuple[tuple[int, int], tuple[int, int]], tuple[int, int]]:
    if layer.padding == "same":
        vertical, horizontal = (same_padding(side, kernel, stride) for side in sides)
        return (vertical, horizontal), (-(-sides[0] // stride), -(-sides[1] // stride))
    if kernel > min(sides):
        raise layer.written.error(
            f"a {kernel}×{kernel} window does not fit the {sides[0]}×{sides[1]} map that arrives",
            word=2 if layer.kind == "conv" else 1,
        )
    out = ((sides[0] - kernel) // stride + 1, (sides[1] - kernel) // stride + 1)
    return ((0, 0), (0, 0)), out


def _activation(name: str | None) -> Modules:
    return {f"_{name}": _ACTIVATION[name]()} if name else {}


def _map(layer: Layer, shape: Shape) -> tuple[int, int, int]:
    if len(shape) != 3:
        raise layer.written.error(
            f"{layer.kind} needs a feature map, but {_words(shape)} arrives",
            remedy="put it before the flatten or globalavgpool",
        )
    return shape[0], shape[1], shape[2]


def _words(shape: Shape) -> str:
    words = shape_in_words(shape)
    return f"a vector of {words}" if len(shape) == 1 else f"a {words} map"
