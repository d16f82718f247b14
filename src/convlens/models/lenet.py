"""LeNet-5, for handwritten digits.

LeCun, Bottou, Bengio and Haffner, "Gradient-Based Learning Applied to Document Recognition",
Proceedings of the IEEE 86(11), 1998, section II.B and figure 2. 61,706 parameters at 32×32×1 with
10 classes, against about 60,000 in the paper: this is the usual modern reading of it, whose
differences `NOTE` names.
"""

from collections.abc import Mapping

from torch import nn

from convlens.models.blocks import draw_glorot, named
from convlens.models.family import Family, Options, Shape
from convlens.models.spec import PUBLISHED

NOTE = (
    "LeNet-5 in its usual modern reading: C3 sees all six maps of S2 (in the paper, a chosen few), "
    "pooling has no weights of its own, tanh is not scaled, and a dense layer stands in place of "
    "the radial basis functions: 61,706 parameters at 32×32×1, against about 60,000"
)


def _stages(options: Options) -> Mapping[str, nn.Module]:
    channels = options.shape[0]
    return {
        "block1": named(
            conv=nn.Conv2d(channels, 6, 5),  # C1
            conv_tanh=nn.Tanh(),
            pool=nn.AvgPool2d(2),  # S2
        ),
        "block2": named(
            conv=nn.Conv2d(6, 16, 5),  # C3
            conv_tanh=nn.Tanh(),
            pool=nn.AvgPool2d(2),  # S4
        ),
    }


def _head(_options: Options, features: Shape, classes: int) -> nn.Module:
    channels, height, width = features
    return named(
        flatten=nn.Flatten(),
        dense1=nn.Linear(channels * height * width, 120),  # C5
        dense1_tanh=nn.Tanh(),
        dense2=nn.Linear(120, 84),  # F6
        dense2_tanh=nn.Tanh(),
        dense3=nn.Linear(84, classes),
    )


LENET5 = Family(
    stages=_stages,
    head=_head,
    draw=draw_glorot,
    published_input=(1, 32, 32),
    published_classes=10,
    smallest_side=16,
    training_head=PUBLISHED,
    note=NOTE,
)
