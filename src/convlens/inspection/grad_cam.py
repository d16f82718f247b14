"""Grad-CAM: where in the image a class finds its evidence."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.inspection.recording import (
    Pixels,
    as_input,
    held_in_eval,
    last_stage,
    layers_with_maps,
    no_feature_map,
    run_tapped,
)


@dataclass(frozen=True)
class GradCam:
    """Each image's evidence for one class, place by place.

    Attributes:
        layer: where it was taken.
        heat: N×h×w float32, zero or more, at the layer's own resolution.
        classes: (N,) the class number asked about in each image.
        logits: N×K float32.
    """

    layer: str
    heat: NDArray[np.float32]
    classes: NDArray[np.int64]
    logits: NDArray[np.float32]


def grad_cam(
    classifier: Classifier,
    pixels: Pixels,
    *,
    class_index: int | None = None,
    layer: str | None = None,
) -> GradCam:
    """Where the network finds its evidence for a class.

    Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based
    localization", ICCV 2017 (arXiv 1610.02391), equations 1 and 2: every channel of the layer is
    weighted by the mean gradient of the class's logit, the channels are summed, and what speaks
    against the class is cut off. Only what follows the layer is differentiated, so frozen networks
    are as good as any.

    Args:
        classifier: run in eval mode, and left as it was.
        pixels: uint8 N×H×W×C, as decoded for the network.
        class_index: the class asked about; each image's likeliest unless given.
        layer: whose feature map to weight; the last stage unless given.

    Raises:
        ConvlensError: the layer or class is unknown, the layer gives no feature map, or the images
            do not fit.
    """
    name = layer.removeprefix("stages.") if layer else last_stage(classifier)
    kept: list[Tensor] = []
    x = as_input(classifier, pixels)
    with torch.inference_mode(False), torch.enable_grad(), held_in_eval(classifier):
        logits = run_tapped(classifier, x.clone(), {name: _start_of_graph(kept)})
        maps = kept[-1]
        if maps.ndim != 4:
            raise no_feature_map(name, maps, layers_with_maps(classifier, x))
        classes = _classes(logits.detach(), class_index)
        score = logits.gather(1, classes[:, None]).sum()
        gradients = _gradients(score, maps, name)
    weights = gradients.flatten(2).mean(2)  # equation 1
    heat = torch.einsum("nc,nchw->nhw", weights, maps.detach()).relu()  # equation 2
    return GradCam(
        name,
        heat.float().cpu().numpy(),
        classes.cpu().numpy(),
        logits.detach().float().cpu().numpy(),
    )


def _start_of_graph(kept: list[Tensor]) -> Callable[[Tensor], Tensor]:
    def cut(output: Tensor) -> Tensor:
        leaf = output.detach().clone().requires_grad_()
        kept.append(leaf)
        return leaf.clone()  # what follows may overwrite it in place

    return cut


def _classes(logits: Tensor, class_index: int | None) -> Tensor:
    count = logits.shape[1]
    if class_index is None:
        return logits.argmax(1)
    if not 0 <= class_index < count:
        raise ConvlensError(
            f"class number is {class_index}; expected 0 to {count - 1}", code="unknown-class"
        )
    return torch.full((len(logits),), class_index, device=logits.device)


def _gradients(score: Tensor, maps: Tensor, layer: str) -> Tensor:
    gradients = (
        torch.autograd.grad(score, maps, allow_unused=True)[0] if score.requires_grad else None
    )
    if gradients is None:
        raise ConvlensError(
            f"no class depends on layer '{layer}' by a gradient; name a layer that leads to the "
            "logits",
            code="no-gradient",
        )
    return gradients
