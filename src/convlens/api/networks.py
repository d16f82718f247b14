"""Networks as such: layer by layer, and side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convlens.api.options import reporter_for
from convlens.api.resolve import named_models, network_meant, not_one_network, refuse_no_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from convlens.api.trained import Trained
    from convlens.inspection import Comparison, Trace


def inspect(
    model: Trained | nn.Module | None = None,
    *,
    layers: str | Sequence[str] | None = None,
    input: str | None = None,  # noqa: A002 - the verb's own word
    head: str | None = None,
    classes: int | None = None,
    trust_code: bool = False,
) -> Trace:
    """A network layer by layer: shapes and how they follow, parameters, cost, receptive fields.

    Args:
        model: a network by name, your own as ``"file.py:function"``, a `Run`, `Predictor` or
            `Bundle`, a run's or bundle's folder, or any module that takes a batch of images.
        layers: a network in the layer notation, in place of ``model``.
        input: the image as ``"28x28x1"``, height x width x channels; by default what the network
            was published or trained for.
        head: ``"none"``, or a head in the layer notation, in place of the network's own.
        classes: outputs of the head; by default those that the network was published with, or 10.
        trust_code: run the code that the bundle of a network of the user's own carries.

    Raises:
        ConvlensError: the network is unknown, or cannot take such an image: the text shows where.

    Example:
        >>> found = inspect("simple")
        >>> found.parameters, found.layers[0].formula
        (98442, '(28 − 3 + 2·0)/1 + 1 = 26')
    """
    from convlens.inspection import parse_image_shape, trace

    if (model is None) == (layers is None):
        raise not_one_network(model)
    shape = parse_image_shape(input) if input is not None else None
    named = network_meant(
        model, layers=layers, shape=shape, head=head, classes=classes, trust_code=trust_code
    )
    return trace(named.network, shape or named.input_shape, notes=named.notes)


def compare(
    models: Sequence[Trained],
    *,
    input: str | None = None,  # noqa: A002 - the verb's own word
    head: str | None = None,
    classes: int | None = None,
    batch_size: int = 8,
    repeats: int = 15,
    gradients: bool = False,
    trust_code: bool = False,
    device: str = "auto",
    quiet: bool = False,
) -> Comparison:
    """Networks side by side: size, cost, features, published accuracy, and speed measured here.

    Args:
        models: networks by name, in the layer notation, your own as ``"file.py:function"``; runs
            and bundles, or their folders.
        input: the image as ``"224x224x3"``, height x width x channels; by default what all of them
            were published or trained for, where that is the same.
        head: ``"none"`` compares features alone; or a head in the layer notation for all of them.
        classes: outputs of the head; by default those that each network was published with, or 10.
        batch_size: images in the batch that throughput is measured with.
        repeats: rounds of timing, at most.
        gradients: also measure how much of the gradient reaches each depth at initialization.
        trust_code: as for `inspect`.
        device: where to compute.
        quiet: show nothing.

    Raises:
        ConvlensError: a network is unknown, or cannot take such an image.
    """
    from convlens.core.device import choose_device
    from convlens.inspection import common_input, parse_image_shape, published_accuracy
    from convlens.inspection import compare as side_by_side

    refuse_no_list(models)
    asked: dict[str, Any] = {"head": head, "classes": classes, "trust_code": trust_code}
    if input is not None:
        shape = parse_image_shape(input)
    else:
        shape = common_input(network_meant(model, **asked).input_shape for model in models)
    networks = {
        name: network_meant(model, shape=shape, numbers=True, **asked).network
        for name, model in named_models(models).items()
    }
    return side_by_side(
        networks,
        shape,
        batch_size=batch_size,
        repeats=repeats,
        top1=published_accuracy(networks),
        gradients=gradients,
        device=choose_device(device),
        reporter=reporter_for(quiet),
    )
