"""A network made to reach a given accuracy soonest on small images, for training without a GPU.

The first layer is not learned: it whitens 2×2 patches of the training images, so that the layers
after it need not spend epochs on decorrelating neighboring pixels and colors. Each block widens,
pools at once, and then works on a quarter of the pixels, with a way around what follows. Kernels
begin as identities, each convolution is normalized, and the last feature map is reduced to its
maxima. Train all but the first layer::

    [[training.phases]]
    train = "stage:block1"

Source:
    Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, arXiv 2404.00498, sections 3.1,
    3.2 and 4 (whitening after Page's "How to train your ResNet", 2019); widths, depths and
    activation are our own, chosen among some fifty variants of equal cost.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convlens.models.blocks import Residual, draw_he, named
from convlens.models.family import Family, Options, Shape
from convlens.models.spec import PUBLISHED

WIDTHS = (64, 192, 384)
AFTER_POOLING = (1, 2, 2)
"""Convolutions of each block after its pool."""

PATCH = 2
_EPSILON = 5e-4
_AT_ONCE = 250


def _stages(options: Options) -> Mapping[str, nn.Module]:
    channels = options.shape[0]
    filters = channels * PATCH**2
    whiten = nn.Conv2d(channels, filters, PATCH, bias=False)
    found: dict[str, nn.Module] = {"whiten": named(conv=whiten, relu=nn.ReLU())}
    for number, (width, after) in enumerate(zip(WIDTHS, AFTER_POOLING, strict=True), start=1):
        outputs = max(8, 8 * round(options.width * width / 8))
        found[f"block{number}"] = named(
            conv=_conv(filters, outputs),
            pool=nn.MaxPool2d(2),
            norm=nn.BatchNorm2d(outputs),
            relu=nn.ReLU(),
            residual=Residual(_convolutions(outputs, after)),
        )
        filters = outputs
    return found


def _convolutions(width: int, count: int) -> nn.Sequential:
    layers: dict[str, nn.Module] = {}
    for number in range(1, count + 1):
        layers[f"conv{number}"] = _conv(width, width)
        layers[f"norm{number}"] = nn.BatchNorm2d(width)
        layers[f"relu{number}"] = nn.ReLU()
    return named(**layers)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)


def _head(_options: Options, features: Shape, classes: int) -> nn.Module:
    return named(
        pool=nn.AdaptiveMaxPool2d(1),
        flatten=nn.Flatten(),
        dense=nn.Linear(features[0], classes, bias=False),
    )


def _draw(module: nn.Module) -> None:
    """As identities where channels have one to pass on, else after He."""
    draw_he(module)
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            nn.init.dirac_(layer.weight.data[: layer.in_channels])


@torch.no_grad()
def whiten(stages: nn.Sequential, images: Tensor) -> None:
    """Fill the first layer from images, in place: patch directions, each at unit variance.

    These are the half of all directions that vary most, and their negatives, so that the activation
    loses nothing of them.

    Args:
        stages: as this family builds them, the normalizing one first.
        images: N×C×H×W, uint8 or float in [0, 1]; a few thousand suffice.

    Source:
        Jordan, 2024, arXiv 2404.00498, section 3.1.
    """
    conv = stages.get_submodule("whiten.conv")
    moments, count = torch.zeros((), dtype=torch.float64), 0
    for some in images.split(_AT_ONCE):  # all patches of all images would fill a gigabyte
        patches = F.unfold(stages[0](some).double(), PATCH)  # N × C·PATCH² × positions
        vectors = patches.transpose(1, 2).reshape(-1, patches.shape[1])
        moments, count = moments + vectors.T @ vectors, count + len(vectors)
    variances, directions = torch.linalg.eigh(moments / count)
    filters = (directions / torch.sqrt(variances + _EPSILON)).T.flip(0)
    weight = conv.get_parameter("weight")
    kernels = filters[: len(weight) // 2].reshape(-1, *weight.shape[1:])
    weight.copy_(torch.cat([kernels, -kernels]).to(weight.dtype))


SPRINT = Family(
    stages=_stages,
    head=_head,
    draw=_draw,
    published_input=(3, 32, 32),
    published_classes=10,
    smallest_side=9,
    takes=frozenset({"width"}),
    training_head=PUBLISHED,
    prepare=whiten,
)
