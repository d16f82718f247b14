"""Reaching into a network: find a layer by name, keep what comes out of it, leave no trace."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from convlens.core.classifier import Classifier, class_logits
from convlens.core.errors import ConvlensError
from convlens.core.modes import kept_modes

Pixels = NDArray[np.uint8]

_PROPOSED = 6


def stage_names(classifier: Classifier) -> tuple[str, ...]:
    """The stages first to last, without the one that normalizes."""
    return tuple(name for name, _ in classifier.stages.named_children())[1:]


def last_stage(classifier: Classifier) -> str:
    """The stage whose feature map the head reads."""
    return stage_names(classifier)[-1]


def layer_names(classifier: Classifier) -> tuple[str, ...]:
    """Every name that `find_layer` knows: the module's path, without ``stages.`` before it."""
    return tuple(_layers(classifier))


def find_layer(classifier: Classifier, name: str) -> nn.Module:
    """The module of a name such as ``"layer4"``, ``"layer4.0.conv1"`` or ``"head.1"``.

    Raises:
        ConvlensError: there is none; the text names the stages and the nearest layers.
    """
    layers = _layers(classifier)
    layer = layers.get(name.removeprefix("stages."))
    if layer is None:
        nearest = get_close_matches(name, layers, n=3)
        hint = f"did you mean {' or '.join(nearest)}? " if nearest else ""
        raise ConvlensError(
            f"unknown layer '{name}'; {hint}Stages: {', '.join(stage_names(classifier))}; "
            "layers inside them are named with a dot, as convlens inspect lists them",
            code="unknown-layer",
        )
    return layer


def chosen_layers(classifier: Classifier, layers: Sequence[str]) -> tuple[str, ...]:
    """Each layer once, by its shortest name; every stage where none is chosen.

    Raises:
        ConvlensError: one is unknown.
    """
    for name in layers:
        find_layer(classifier, name)
    names = tuple(dict.fromkeys(name.removeprefix("stages.") for name in layers))
    return names or stage_names(classifier)


def as_input(classifier: Classifier, pixels: Pixels) -> Tensor:
    """Decoded images as what the network is fed, on the device where its weights are.

    Args:
        classifier: says the shape that it expects.
        pixels: uint8 N×H×W×C.

    Returns:
        uint8 N×C×H×W in channels-last memory.

    Raises:
        ConvlensError: the images have another shape or type.
    """
    spec = classifier.input_spec
    expected = (spec.height, spec.width, spec.channels)
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or pixels.shape[1:] != expected:
        raise ConvlensError(
            f"pixels are {pixels.dtype} {'×'.join(map(str, pixels.shape))}; "
            f"expected uint8 N×{'×'.join(map(str, expected))}: decode the images with the "
            "network's input specification",
            code="bad-pixels",
        )
    weights = next(chain(classifier.parameters(), classifier.buffers()))
    return torch.from_numpy(pixels).to(weights.device).permute(0, 3, 1, 2)


def record(
    classifier: Classifier, x: Tensor, layers: Sequence[str]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run the network in eval mode, and keep what the named layers give.

    A module that runs several times in one pass is kept at its last.

    Args:
        classifier: left as it was: hooks, modes and gradients.
        x: N×C×H×W pixels.
        layers: names as `find_layer` knows them.

    Returns:
        N×K logits, and each layer's output by name.

    Raises:
        ConvlensError: a layer is unknown, does not run, or gives something other than a tensor.
    """
    kept: dict[str, Tensor] = {}
    with held_in_eval(classifier), torch.no_grad():
        logits = run_tapped(classifier, x, {name: _keep_in(kept, name) for name in layers})
    return logits, kept


def run_tapped(
    classifier: Classifier, x: Tensor, taps: dict[str, Callable[[Tensor], Tensor]]
) -> Tensor:
    """Run the network with each named layer's output replaced by what its tap makes of it."""
    reached: set[str] = set()

    def hook(name: str) -> Callable[[nn.Module, object, object], Tensor]:
        def replace(module: nn.Module, given: object, output: object) -> Tensor:
            if not isinstance(output, Tensor):
                raise ConvlensError(
                    f"layer '{name}' gives a {type(output).__name__}; expected a tensor: "
                    "name a layer inside it",
                    code="no-feature-map",
                )
            reached.add(name)
            return taps[name](output)

        return replace

    modules = {name: find_layer(classifier, name) for name in taps}
    handles = [module.register_forward_hook(hook(name)) for name, module in modules.items()]
    try:
        logits: Tensor = classifier(x)
    finally:
        for handle in handles:
            handle.remove()
    unreached = [name for name in taps if name not in reached]
    if unreached:
        raise ConvlensError(
            f"layer '{unreached[0]}' does not run when an image is classified; "
            f"name another (stages: {', '.join(stage_names(classifier))})",
            code="no-feature-map",
        )
    return class_logits(logits) if logits.ndim == 2 else logits


@contextmanager
def held_in_eval(classifier: Classifier) -> Iterator[None]:
    """Eval mode inside; outside, every module is in the mode that it was in."""
    with kept_modes(classifier):
        for module in classifier.modules():
            module.training = False
        yield


def as_maps(layer: str, output: Tensor) -> NDArray[np.float32]:
    """A layer's output as N×C×h×w float32; a vector counts as 1×1 maps.

    Raises:
        ConvlensError: it is neither a feature map nor a vector.
    """
    if output.ndim == 2:
        output = output[:, :, None, None]
    if output.ndim != 4:
        raise no_feature_map(layer, output)
    return output.float().cpu().numpy()


def no_feature_map(layer: str, output: Tensor, instead: Sequence[str] = ()) -> ConvlensError:
    """The error for a layer whose output has no places to look at.

    Args:
        layer: its name.
        output: what it gave.
        instead: layers that give feature maps, the best first.
    """
    named = f"pass --layer {instead[0]}" if instead else "name a stage, or a layer inside one"
    if instead[1:]:
        named += f", or another that gives one: {', '.join(instead[1:_PROPOSED])}"
    return ConvlensError(
        f"layer '{layer}' gives {output.ndim} axes ({'×'.join(map(str, output.shape))}); "
        f"expected a feature map of four, N×C×h×w",
        remedy=named,
        between=": ",
        code="no-feature-map",
    )


def layers_with_maps(classifier: Classifier, x: Tensor) -> tuple[str, ...]:
    """The layers that give a feature map with more than one place, the last to run first.

    Args:
        classifier: left as it was.
        x: N×C×H×W pixels.
    """
    found: dict[str, None] = {}

    def hook(name: str) -> Callable[[nn.Module, object, object], None]:
        def note(module: nn.Module, given: object, output: object) -> None:
            if isinstance(output, Tensor) and output.ndim == 4 and output[0, 0].numel() > 1:
                found.pop(name, None)
                found[name] = None

        return note

    layers = {name: module for name, module in _layers(classifier).items() if name != "normalize"}
    handles = [module.register_forward_hook(hook(name)) for name, module in layers.items()]
    try:
        with held_in_eval(classifier), torch.no_grad():
            classifier(x)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(reversed(found))


def _layers(classifier: Classifier) -> dict[str, nn.Module]:
    paths = classifier.named_modules(remove_duplicate=False)
    outer = {"", "stages"}
    return {path.removeprefix("stages."): layer for path, layer in paths if path not in outer}


def _keep_in(kept: dict[str, Tensor], name: str) -> Callable[[Tensor], Tensor]:
    def keep(output: Tensor) -> Tensor:
        kept[name] = output.detach().clone()  # what follows may overwrite it in place
        return output

    return keep
