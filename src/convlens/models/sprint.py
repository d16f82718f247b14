"""A network made to reach a given accuracy soonest on small images, for training without a GPU.

The first layer is not learnt: it whitens 4×4 patches of the training images, so that the layers
after it need not spend epochs on decorrelating neighbouring pixels and colours, and it takes every
other pixel, which leaves a quarter of the work. Kernels begin as identities, each convolution is
normalised, and the last feature map is reduced to its maxima. Train all but the first layer::

    [[training.phases]]
    train = "stage:block1"

Source:
    Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024, arXiv 2404.00498, sections 3.1
    and 3.2 (whitening after Page's "How to train your ResNet", 2019); the strides, widths and
    depths are our own, measured on two cores.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from convlens.models.blocks import draw_he, named
from convlens.models.family import Family, Options, Shape
from convlens.models.spec import PUBLISHED

WIDTHS = (64, 128, 256)
PATCH = 4
_EPSILON = 5e-4


def _stages(options: Options) -> Mapping[str, nn.Module]:
    channels = options.shape[0]
    filters = channels * PATCH**2
    whiten = nn.Conv2d(channels, filters, PATCH, stride=2, padding=1, bias=False)
    found: dict[str, nn.Module] = {"whiten": named(conv=whiten, gelu=_activation())}
    for number, width in enumerate(WIDTHS, start=1):
        outputs = max(8, 8 * round(options.width * width / 8))
        pool = {"pool": nn.MaxPool2d(2)} if number < len(WIDTHS) else {}
        found[f"block{number}"] = named(
            conv1=nn.Conv2d(filters, outputs, 3, padding=1, bias=False),
            norm1=nn.BatchNorm2d(outputs),
            gelu1=_activation(),
            conv2=nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            norm2=nn.BatchNorm2d(outputs),
            gelu2=_activation(),
            **pool,
        )
        filters = outputs
    return found


def _activation() -> nn.Module:
    return nn.GELU(approximate="tanh")


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
        stages: as this family builds them, the normalising one first.
        images: N×C×H×W, uint8 or float in [0, 1]; a few thousand suffice.

    Source:
        Jordan, 2024, arXiv 2404.00498, section 3.1.
    """
    conv = stages.get_submodule("whiten.conv")
    normalised = stages[0](images).double()
    patches = F.unfold(normalised, PATCH, stride=PATCH // 2)  # N × C·PATCH² × positions
    vectors = patches.transpose(1, 2).reshape(-1, patches.shape[1])
    variances, directions = torch.linalg.eigh(vectors.T @ vectors / len(vectors))
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
    smallest_side=8,
    takes=frozenset({"width"}),
    training_head=PUBLISHED,
    prepare=whiten,
)
