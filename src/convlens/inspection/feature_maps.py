"""What each channel of a layer answers to an image."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convlens.core.classifier import Classifier
from convlens.inspection.recording import Pixels, as_input, as_maps, chosen_layers, record


@dataclass(frozen=True)
class FeatureMaps:
    """One layer's output for several images.

    Attributes:
        layer: its name.
        maps: N×C×h×w float32; a dense layer's vector counts as 1×1 maps.
        dead: the channels that say the same everywhere in all images: see `dead_channels`.
    """

    layer: str
    maps: NDArray[np.float32]
    dead: NDArray[np.int64]


def feature_maps(
    classifier: Classifier, pixels: Pixels, *, layers: Sequence[str] = ()
) -> tuple[FeatureMaps, ...]:
    """Run the images through the network and keep the named layers' outputs.

    Args:
        classifier: run in eval mode, and left as it was.
        pixels: uint8 N×H×W×C, as decoded for the network.
        layers: names such as ``"layer1"`` or ``"layer4.0.conv1"``; every stage unless given.

    Raises:
        ConvlensError: a layer is unknown or has no feature map, or the images do not fit.

    Example:
        >>> from torch import nn
        >>> from convlens.core.input_spec import InputSpec
        >>> spec = InputSpec(height=8, width=8, channels=1)
        >>> head = nn.Sequential(nn.Flatten(), nn.Linear(144, 10))
        >>> net = Classifier({"block1": nn.Conv2d(1, 4, 3)}, head, spec)
        >>> feature_maps(net, np.zeros((2, 8, 8, 1), np.uint8))[0].maps.shape
        (2, 4, 6, 6)
    """
    names = chosen_layers(classifier, layers)
    _, outputs = record(classifier, as_input(classifier, pixels), names)
    found = {name: as_maps(name, outputs[name]) for name in names}
    return tuple(FeatureMaps(name, maps, dead_channels(maps)) for name, maps in found.items())


def dead_channels(maps: NDArray[np.float32]) -> NDArray[np.int64]:
    """The channels of N×C×h×w maps that say the same everywhere, in every image.

    A rectifier that never opens gives zeros, and a normalization behind it makes of them another
    constant: nothing of the images comes through either way. Of a single number only 0 is dead.

    Example:
        >>> maps = np.array([[[[0, 0]], [[7, 7]], [[0, 1]]]], np.float32)
        >>> dead_channels(maps).tolist()
        [0, 1]
    """
    values = maps.swapaxes(0, 1).reshape(maps.shape[1], -1)
    if values.shape[1] == 1:
        return np.flatnonzero(values[:, 0] == 0)
    return np.flatnonzero(values.max(axis=1) == values.min(axis=1))
