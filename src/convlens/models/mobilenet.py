"""MobileNetV2: inverted residuals with linear bottlenecks, for small devices.

Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and Linear Bottlenecks",
CVPR 2018, table 2. 3,504,872 parameters at 224×224×3 with 1,000 classes and width 1. For small
images the first convolution has stride 1.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from convlens.models.blocks import conv_norm, draw_he, named, renamed
from convlens.models.family import Family, Options, Shape

# Expansion t, channels c, repeats n, stride s: the rows of table 2, grouped by resolution.
ROWS = (
    ((1, 16, 1, 1),),
    ((6, 24, 2, 2),),
    ((6, 32, 3, 2),),
    ((6, 64, 4, 2), (6, 96, 3, 1)),
    ((6, 160, 3, 2), (6, 320, 1, 1)),
)
FIRST, LAST = 32, 1280


def divisible(channels: float) -> int:
    """The nearest multiple of 8, at least 8, and never below nine tenths of what was asked.

    Example:
        >>> divisible(32 * 0.75), divisible(16 * 0.35)
        (24, 8)
    """
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


class InvertedResidual(nn.Module):
    """Widen, filter each channel by itself, narrow without activation; and a way around, if alike.

    Source: section 3.3, figure 3 and table 1.

    Args:
        inputs: channels in.
        outputs: channels out.
        expansion: how many times wider the middle is; 1 leaves the widening convolution out.
        stride: of the 3×3 depthwise convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        layers: dict[str, nn.Module] = {}
        if expansion > 1:
            layers |= {"expand": conv_norm(inputs, hidden, 1), "expand_relu6": nn.ReLU6()}
        layers |= {
            "depthwise": conv_norm(hidden, hidden, 3, stride=stride, groups=hidden),
            "depthwise_relu6": nn.ReLU6(),
            "project": conv_norm(hidden, outputs, 1),
        }
        self.layers = named(**layers)
        self.has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """N×inputs×H×W to N×outputs×⌈H/stride⌉×⌈W/stride⌉."""
        out: Tensor = self.layers(x)
        return out + x if self.has_shortcut else out


def _stages(options: Options) -> Mapping[str, nn.Module]:
    inputs = divisible(FIRST * options.width)
    conv = conv_norm(options.shape[0], inputs, 3, stride=1 if options.small_stem else 2)
    layers: dict[str, nn.Module] = {"conv": conv, "conv_relu6": nn.ReLU6()}
    stages: dict[str, nn.Module] = {}
    for at, rows in enumerate(ROWS, 1):
        number = 0
        for expansion, channels, repeats, first_stride in rows:
            outputs = divisible(channels * options.width)
            for repeat in range(repeats):
                number += 1
                layers[f"block{number}"] = InvertedResidual(
                    inputs, outputs, expansion=expansion, stride=1 if repeat else first_stride
                )
                inputs = outputs
        if at == len(ROWS):
            last = divisible(LAST * max(1.0, options.width))  # narrower nets keep 1,280
            layers |= {"conv": conv_norm(inputs, last, 1), "conv_relu6": nn.ReLU6()}
        stages[f"stage{at}"] = named(**layers)
        layers = {}
    return stages


def _head(options: Options, features: Shape, classes: int) -> nn.Module:
    return named(
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        flatten_dropout=nn.Dropout(0.2 if options.dropout is None else options.dropout),
        dense=nn.Linear(features[0], classes),
    )


def _torchvision_names() -> dict[str, str]:
    """Torchvision numbers the first convolution, every block and the last in one sequence."""
    names = {"classifier.1": "head.dense"}
    names |= {f"features.0.{at}": f"stages.stage1.conv.{part}" for at, part in _PARTS}
    position = 1
    for stage, rows in enumerate(ROWS, 1):
        blocks = [expansion for expansion, _, repeats, _ in rows for _ in range(repeats)]
        for number, expansion in enumerate(blocks, 1):
            theirs = f"features.{position}.conv"
            ours = f"stages.stage{stage}.block{number}.layers"
            steps = ["depthwise"] if expansion == 1 else ["expand", "depthwise"]
            for at, step in enumerate(steps):
                names |= {f"{theirs}.{at}.{n}": f"{ours}.{step}.{part}" for n, part in _PARTS}
            for at, part in _PARTS:
                names[f"{theirs}.{len(steps) + at}"] = f"{ours}.project.{part}"
            position += 1
    last = f"stages.stage{len(ROWS)}.conv"
    return names | {f"features.{position}.{at}": f"{last}.{part}" for at, part in _PARTS}


_PARTS = ((0, "conv"), (1, "norm"))
_TORCHVISION = _torchvision_names()

MOBILENET_V2 = Family(
    stages=_stages,
    head=_head,
    draw=draw_he,
    published_input=(3, 224, 224),
    published_classes=1000,
    takes=frozenset({"small_stem", "width", "dropout"}),
    from_torchvision=lambda key: renamed(key, _TORCHVISION),
)
