"""AlexNet: the network that won ImageNet in 2012.

Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NeurIPS 2012. As in the published weights, the channels are those of the same author's one-GPU
version: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
61,100,840 parameters at 224×224×3 with 1,000 classes.
"""

from collections.abc import Mapping

from torch import nn

from convlens.models.blocks import draw_he, named, renamed
from convlens.models.family import Family, Options, Shape

NOTE = (
    "AlexNet in its one-GPU version (64, 192, 384, 256, 256 filters), without the 2012 paper's "
    "local response normalization"
)


def _stages(options: Options) -> Mapping[str, nn.Module]:
    channels = options.shape[0]
    return {
        "block1": named(
            conv=nn.Conv2d(channels, 64, 11, stride=4, padding=2),
            conv_relu=nn.ReLU(),
            pool=nn.MaxPool2d(3, stride=2),
        ),
        "block2": named(
            conv=nn.Conv2d(64, 192, 5, padding=2),
            conv_relu=nn.ReLU(),
            pool=nn.MaxPool2d(3, stride=2),
        ),
        "block3": named(conv=nn.Conv2d(192, 384, 3, padding=1), conv_relu=nn.ReLU()),
        "block4": named(conv=nn.Conv2d(384, 256, 3, padding=1), conv_relu=nn.ReLU()),
        "block5": named(
            conv=nn.Conv2d(256, 256, 3, padding=1),
            conv_relu=nn.ReLU(),
            pool=nn.MaxPool2d(3, stride=2),
        ),
    }


def _head(options: Options, features: Shape, classes: int) -> nn.Module:
    rate = 0.5 if options.dropout is None else options.dropout
    return named(
        pool=nn.AdaptiveAvgPool2d(6),  # 6×6 already, at 224×224
        flatten=nn.Flatten(),
        flatten_dropout=nn.Dropout(rate),
        dense1=nn.Linear(features[0] * 6 * 6, 4096),
        dense1_relu=nn.ReLU(),
        dense1_dropout=nn.Dropout(rate),
        dense2=nn.Linear(4096, 4096),
        dense2_relu=nn.ReLU(),
        dense3=nn.Linear(4096, classes),
    )


_TORCHVISION = {
    "features.0": "stages.block1.conv",
    "features.3": "stages.block2.conv",
    "features.6": "stages.block3.conv",
    "features.8": "stages.block4.conv",
    "features.10": "stages.block5.conv",
    "classifier.1": "head.dense1",
    "classifier.4": "head.dense2",
    "classifier.6": "head.dense3",
}


def from_torchvision(key: str) -> str:
    """Torchvision's name of a parameter to ours."""
    return renamed(key, _TORCHVISION)


ALEXNET = Family(
    stages=_stages,
    head=_head,
    draw=draw_he,
    published_input=(3, 224, 224),
    published_classes=1000,
    smallest_side=63,
    takes=frozenset({"dropout"}),
    from_torchvision=from_torchvision,
    note=NOTE,
)
