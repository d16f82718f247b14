"""The kernels that a convolution has learned."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.inspection.recording import find_layer, layer_names


@dataclass(frozen=True)
class Filters:
    """A convolution's weights.

    Attributes:
        layer: the convolution's name.
        weights: O×I×k_h×k_w float32; I counts the input channels of one group.
        norms: (O,) each filter's Euclidean norm.
        sees_color: this convolution reads the image itself, in red, green and blue.
    """

    layer: str
    weights: NDArray[np.float32]
    norms: NDArray[np.float32]
    sees_color: bool


def filters(classifier: Classifier, *, layer: str | None = None) -> Filters:
    """A convolution's kernels.

    Args:
        classifier: where to look.
        layer: a convolution's name, or that of a stage or block, whose first convolution is
            meant; the network's first unless given.

    Raises:
        ConvlensError: the layer is unknown or holds no convolution.
    """
    convolutions = {
        name: module
        for name in layer_names(classifier)
        if isinstance(module := find_layer(classifier, name), nn.Conv2d)
    }
    if layer is not None:
        find_layer(classifier, layer)
    wanted = layer.removeprefix("stages.") if layer else ""
    inside = [name for name in convolutions if not wanted or f"{name}.".startswith(f"{wanted}.")]
    if not inside:
        where = f"layer '{layer}'" if layer else "the network"
        raise ConvlensError(
            f"{where} holds no convolution; "
            f"expected one of: {', '.join(list(convolutions)[:12]) or 'none is there'}",
            code="no-filters",
        )
    weights = convolutions[inside[0]].weight.detach().float().cpu().numpy().copy()
    norms = np.sqrt((weights.astype(np.float64) ** 2).sum(axis=(1, 2, 3))).astype(np.float32)
    first = inside[0] == next(iter(convolutions))
    sees_color = first and classifier.input_spec.channels == 3 and weights.shape[1] == 3
    return Filters(inside[0], weights, norms, sees_color)
