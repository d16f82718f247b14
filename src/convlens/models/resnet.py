"""ResNet: residual blocks, so that depth no longer stops the gradient.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, table 1. The
blocks are `convlens.models.blocks.BasicBlock` and `Bottleneck`. 25,557,032 parameters for ResNet-50
at 224×224×3 with 1,000 classes. For small images the stem is that of the paper's section 4.2: one
3×3 convolution of stride 1, and no pooling.
"""

import re
from collections.abc import Mapping

from torch import nn

from convlens.models.blocks import BasicBlock, Bottleneck, conv_norm, draw_he, named
from convlens.models.family import Family, Options, Shape

WIDTHS = (64, 128, 256, 512)  # of the four layers, whatever the depth


def _stem(channels: int, *, small: bool) -> nn.Module:
    if small:
        conv = conv_norm(channels, WIDTHS[0], 3)
        return named(**dict(conv.named_children()), relu=nn.ReLU())
    conv = conv_norm(channels, WIDTHS[0], 7, stride=2)
    return named(
        **dict(conv.named_children()),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(3, stride=2, padding=1),
    )


def _layer(
    block: type[BasicBlock | Bottleneck], inputs: int, width: int, count: int, stride: int
) -> nn.Module:
    blocks: dict[str, nn.Module] = {}
    for number in range(1, count + 1):
        blocks[f"block{number}"] = block(inputs, width, stride if number == 1 else 1)
        inputs = width * block.expansion
    return named(**blocks)


def _head(_options: Options, features: Shape, classes: int) -> nn.Module:
    return named(
        pool=nn.AdaptiveAvgPool2d(1),
        flatten=nn.Flatten(),
        dense=nn.Linear(features[0], classes),
    )


def from_torchvision(key: str) -> str:
    """Torchvision's name of a parameter to ours."""
    key = re.sub(r"^fc\.", "head.dense.", key)
    key = re.sub(r"^conv1\.", "stages.stem.conv.", key)
    key = re.sub(r"^bn1\.", "stages.stem.norm.", key)
    key = re.sub(r"^(layer\d)\.(\d+)\.", lambda m: f"stages.{m[1]}.block{int(m[2]) + 1}.", key)
    key = re.sub(r"\.conv(\d)\.", r".conv\1.conv.", key)
    key = re.sub(r"\.bn(\d)\.", r".conv\1.norm.", key)
    key = key.replace(".downsample.0.", ".shortcut.conv.")
    return key.replace(".downsample.1.", ".shortcut.norm.")


def _resnet(block: type[BasicBlock | Bottleneck], *counts: int) -> Family:
    def stages(options: Options) -> Mapping[str, nn.Module]:
        found = {"stem": _stem(options.shape[0], small=options.small_stem)}
        inputs = WIDTHS[0]
        for at, (width, count) in enumerate(zip(WIDTHS, counts, strict=True)):
            stride = 1 if at == 0 else 2
            found[f"layer{at + 1}"] = _layer(block, inputs, width, count, stride)
            inputs = width * block.expansion
        return found

    return Family(
        stages=stages,
        head=_head,
        draw=draw_he,
        published_input=(3, 224, 224),
        published_classes=1000,
        takes=frozenset({"small_stem"}),
        from_torchvision=from_torchvision,
        note=BOTTLENECK_NOTE if block is Bottleneck else "",
    )


BOTTLENECK_NOTE = (
    "the stride is on the bottleneck's 3×3 convolution, as in the published weights (ResNet v1.5); "
    "the paper has it on the first 1×1"
)

RESNET18 = _resnet(BasicBlock, 2, 2, 2, 2)
RESNET34 = _resnet(BasicBlock, 3, 4, 6, 3)
RESNET50 = _resnet(Bottleneck, 3, 4, 6, 3)
RESNET101 = _resnet(Bottleneck, 3, 4, 23, 3)
RESNET152 = _resnet(Bottleneck, 3, 8, 36, 3)
