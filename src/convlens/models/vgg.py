"""VGG: depth from 3×3 convolutions alone.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
ICLR 2015, table 1, columns A, B, D and E. 138,357,544 parameters for VGG16 at 224×224×3 with 1,000
classes, of which 14,714,688 are in the stages. The ``_bn`` variants, not in the paper, normalize
every convolution.
"""

from collections.abc import Mapping, Sequence

from torch import nn

from convlens.models.blocks import draw_he, named, renamed
from convlens.models.family import Family, Options, Shape

FILTERS = (64, 128, 256, 512, 512)  # of the five blocks, whatever the depth


def _block(inputs: int, filters: int, convolutions: int, *, norm: bool) -> nn.Module:
    layers: dict[str, nn.Module] = {}
    for number in range(1, convolutions + 1):
        conv = f"conv{number}"
        layers[conv] = nn.Conv2d(inputs, filters, 3, padding=1)
        if norm:
            layers[f"{conv}_norm"] = nn.BatchNorm2d(filters)
        layers[f"{conv}_relu"] = nn.ReLU()
        inputs = filters
    return named(**layers, pool=nn.MaxPool2d(2))


def _head(options: Options, features: Shape, classes: int) -> nn.Module:
    rate = 0.5 if options.dropout is None else options.dropout
    return named(
        pool=nn.AdaptiveAvgPool2d(7),  # 7×7 already, at 224×224
        flatten=nn.Flatten(),
        dense1=nn.Linear(features[0] * 7 * 7, 4096),
        dense1_relu=nn.ReLU(),
        dense1_dropout=nn.Dropout(rate),
        dense2=nn.Linear(4096, 4096),
        dense2_relu=nn.ReLU(),
        dense2_dropout=nn.Dropout(rate),
        dense3=nn.Linear(4096, classes),
    )


def _torchvision_names(convolutions: Sequence[int], *, norm: bool) -> dict[str, str]:
    """Torchvision numbers every module of the five blocks in one sequence."""
    names = {f"classifier.{at}": f"head.dense{n}" for n, at in enumerate((0, 3, 6), 1)}
    position = 0
    for block, count in enumerate(convolutions, 1):
        for number in range(1, count + 1):
            conv = f"stages.block{block}.conv{number}"
            names[f"features.{position}"] = conv
            if norm:
                names[f"features.{position + 1}"] = f"{conv}_norm"
            position += 3 if norm else 2
        position += 1  # the pool
    return names


def _vgg(*convolutions: int, norm: bool = False) -> Family:
    names = _torchvision_names(convolutions, norm=norm)

    def stages(options: Options) -> Mapping[str, nn.Module]:
        inputs = (options.shape[0], *FILTERS)
        return {
            f"block{at + 1}": _block(inputs[at], FILTERS[at], count, norm=norm)
            for at, count in enumerate(convolutions)
        }

    return Family(
        stages=stages,
        head=_head,
        draw=draw_he,
        published_input=(3, 224, 224),
        published_classes=1000,
        smallest_side=32,
        takes=frozenset({"dropout"}),
        from_torchvision=lambda key: renamed(key, names),
    )


VGG11 = _vgg(1, 1, 2, 2, 2)
VGG13 = _vgg(2, 2, 2, 2, 2)
VGG16 = _vgg(2, 2, 3, 3, 3)
VGG19 = _vgg(2, 2, 4, 4, 4)
VGG11_BN = _vgg(1, 1, 2, 2, 2, norm=True)
VGG13_BN = _vgg(2, 2, 2, 2, 2, norm=True)
VGG16_BN = _vgg(2, 2, 3, 3, 3, norm=True)
VGG19_BN = _vgg(2, 2, 4, 4, 4, norm=True)
