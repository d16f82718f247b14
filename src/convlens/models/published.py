"""The published ImageNet weights: which file, how to know it, what it scored.

Files and figures are those of torchvision's edition IMAGENET1K_V1, one edition for every network.
Each file's name ends in the first eight digits of its SHA-256; the accuracy is top-1 on ImageNet's
validation images at 224×224 (short side to 256, center crop), from torchvision's documentation,
"Table of all available classification weights".
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from convlens.core.downloads import Download
from convlens.core.errors import ConvlensError

EDITION = "IMAGENET1K_V1"
SOURCE = "torchvision's documentation, table of all available classification weights"
BASE_URL = "https://download.pytorch.org/models"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class PublishedWeights:
    """One network's published weights.

    Attributes:
        file_name: as published; ends in the first digits of its SHA-256.
        top1: accuracy on ImageNet's validation images, in per cent.
    """

    file_name: str
    top1: float

    @property
    def download(self) -> Download:
        """Where the file is, and how it is known.

        ``CONVLENS_WEIGHTS_URL`` names another folder to fetch it from: a mirror.
        """
        base = os.environ.get("CONVLENS_WEIGHTS_URL") or BASE_URL
        return Download(
            file_name=self.file_name,
            urls=(f"{base.rstrip('/')}/{self.file_name}",),
            checksum=f"sha256:{self.file_name.removesuffix('.pth').rpartition('-')[2]}",
        )


PUBLISHED_WEIGHTS: Mapping[str, PublishedWeights] = MappingProxyType(
    {
        "alexnet": PublishedWeights("alexnet-owt-7be5be79.pth", 56.522),
        "mobilenet_v2": PublishedWeights("mobilenet_v2-b0353104.pth", 71.878),
        "resnet18": PublishedWeights("resnet18-f37072fd.pth", 69.758),
        "resnet34": PublishedWeights("resnet34-b627a593.pth", 73.314),
        "resnet50": PublishedWeights("resnet50-0676ba61.pth", 76.130),
        "resnet101": PublishedWeights("resnet101-63fe2227.pth", 77.374),
        "resnet152": PublishedWeights("resnet152-394f9c45.pth", 78.312),
        "vgg11": PublishedWeights("vgg11-8a719046.pth", 69.020),
        "vgg11_bn": PublishedWeights("vgg11_bn-6002323d.pth", 70.370),
        "vgg13": PublishedWeights("vgg13-19584684.pth", 69.928),
        "vgg13_bn": PublishedWeights("vgg13_bn-abd245e5.pth", 71.586),
        "vgg16": PublishedWeights("vgg16-397923af.pth", 71.592),
        "vgg16_bn": PublishedWeights("vgg16_bn-6c64b313.pth", 73.360),
        "vgg19": PublishedWeights("vgg19-dcbb9e9d.pth", 72.376),
        "vgg19_bn": PublishedWeights("vgg19_bn-c79401a0.pth", 74.218),
    }
)


def published_weights(name: str) -> PublishedWeights:
    """The published weights of a network.

    Raises:
        ConvlensError: it has none.

    Example:
        >>> published_weights("resnet50").top1
        76.13
    """
    if name not in PUBLISHED_WEIGHTS:
        raise ConvlensError(
            f"'{name}' has no published weights; networks that have: "
            f"{', '.join(PUBLISHED_WEIGHTS)}. Leave --pretrained out, or pass --weights FILE",
            code="no-published-weights",
        )
    return PUBLISHED_WEIGHTS[name]


def expected_normalization(
    name: str | None, channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Mean and standard deviation that loaded weights of a network are likely to expect.

    Weights for a network that was published with ImageNet's are taken to have begun from them; of
    any other network nothing is known.

    Args:
        name: the network's; None where it has none.
        channels: of its input.

    Example:
        >>> expected_normalization("standard", 3) is None
        True
    """
    if name not in PUBLISHED_WEIGHTS or channels not in {1, 3}:
        return None
    return imagenet_normalization(channels)


def imagenet_normalization(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and standard deviation that the published weights expect, for an `InputSpec`.

    Args:
        channels: 3 for the published values; 1 for their averages, which suits a first kernel
            summed over its colors.

    Raises:
        ConvlensError: another number of channels.

    Example:
        >>> imagenet_normalization(3)[0]
        (0.485, 0.456, 0.406)
    """
    if channels == 3:
        return MEAN, STD
    if channels == 1:
        return (round(sum(MEAN) / 3, 6),), (round(sum(STD) / 3, 6),)
    raise ConvlensError(
        f"the input has {channels} channels; the published weights are for 3 (color), and are "
        "summed for 1 (gray); leave --pretrained out",
        code="bad-channels",
    )
