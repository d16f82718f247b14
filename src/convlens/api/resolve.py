"""Which network a name, a text, a file or a folder means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from convlens.api.trained import (
    device_for,
    is_run,
    loaded,
    run_file,
    trained_bundle,
    trained_folder,
)
from convlens.core.paths import exists, is_dir, is_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from convlens.api.trained import Trained
    from convlens.core.classifier import Classifier
    from convlens.core.errors import ConvlensError
    from convlens.core.reporter import Reporter
    from convlens.inspection import Named
    from convlens.inspection.subject import Subject
    from convlens.prediction import Bundle


def network_meant(
    model: Trained | nn.Module | None,
    *,
    layers: str | Sequence[str] | None = None,
    shape: tuple[int, ...] | None = None,
    head: str | None = None,
    classes: int | None = None,
    numbers: bool = False,
    trust_code: bool,
) -> Named:
    """The network that a name, the layer notation, a file, a run or a bundle stands for."""
    from convlens.inspection import build_named, describe, given_network, trained_network

    if layers is None and _means_trained(model):
        bundle = trained_bundle(model, trust_code=trust_code, name="model")
        return trained_network(bundle.classifier, bundle.model, head=head, classes=classes)
    if layers is None and not isinstance(model, str | os.PathLike):
        return given_network(model, shape)
    asked = describe(layers or str(model), written=layers is not None, head=head or "published")
    return build_named(
        asked.trusting_code(),  # a file of code that the caller names is the caller's word for it
        input_shape=shape,
        classes=classes,
        numbers=numbers,
    )


def subject_meant(
    model: Trained | Classifier,
    *,
    pretrained: bool,
    weights: str | Path | None,
    input: str | None,  # noqa: A002 - the verb's own word
    classes: int | None,
    seed: int,
    trust_code: bool,
    device: str,
    reporter: Reporter,
) -> Subject:
    """The network that is to be looked into, with its weights."""
    from convlens.core.device import choose_device, placed
    from convlens.inspection import describe, parse_image_shape
    from convlens.inspection.subject import named_subject, trained_subject, validate_options
    from convlens.models import ModelSpec

    where = choose_device(device_for(model, device))
    asked = {"pretrained": pretrained, "weights": weights, "input": input, "classes": classes}
    if _means_trained(model):
        validate_options(asked)
        bundle = trained_bundle(model, trust_code=trust_code, name="model")
        found = trained_subject(
            _name(model, bundle),
            bundle.classifier,
            bundle.classes,
            temperature=bundle.calibration.temperature,
        )
    elif not isinstance(model, str | os.PathLike):
        validate_options(asked)
        return trained_subject("the network", cast("Classifier", model))  # which refuses others
    else:
        named_file = is_file(str(model))  # no network: its name says what it is instead
        spec = ModelSpec(name=str(model)) if named_file else describe(str(model))
        found = named_subject(
            spec.trusting_code(),  # as for `network_meant`
            pretrained=pretrained,
            weights=None
            if weights is None
            else run_file(weights, "bundle/model.safetensors", name="weights"),
            input_shape=parse_image_shape(input) if input is not None else None,
            classes=classes,
            seed=seed,
            reporter=reporter,
        )
    placed(found.classifier, where)
    return found


def _means_trained(model: Any) -> bool:
    """Whether a trained network is meant: a `Run`, a loaded network, or a folder."""
    if isinstance(model, str | os.PathLike):
        return _means_run(os.fsdecode(model))
    return is_run(model) or loaded(model) is not None


def _name(model: Any, bundle: Bundle) -> str:
    """What to call a trained network: its folder's name, where it has one."""
    if loaded(model) is None or bundle.folder is not None:
        return trained_folder(model).resolve().name
    return "the network"


def _means_run(text: str) -> bool:
    """Whether a folder is meant, be it there or not, rather than a network by name."""
    if exists(text):
        return is_dir(text)
    return len(Path(text).parts) > 1 and not any(sign in text for sign in (" ", ",", ".py:"))


def refuse_no_list(models: Any) -> None:
    """Refuse a single network, or anything else, where several are to be passed.

    Raises:
        ConvlensError: it is no list of networks.
    """
    from convlens.core.errors import ConvlensError

    if not isinstance(models, list | tuple) or not models:
        given = "empty" if isinstance(models, list | tuple) else f"of type {type(models).__name__}"
        raise ConvlensError(
            f"models is {given}; expected a list of networks: names, layers as text, runs, "
            'bundles or their folders, as in ["resnet18", "vgg16"]',
            code="bad-model",
        )


def named_models(models: Sequence[Any]) -> dict[str, Any]:
    """Networks by what to call them: names and paths as they were passed."""
    named = {}
    for number, model in enumerate(models, start=1):
        bundle = loaded(model)
        if bundle is not None:
            name = str(bundle.folder or f"network {number}")
        else:
            name = str(model.folder) if is_run(model) else str(model)
        named[name if name not in named or loaded(model) is None else f"{name} ({number})"] = model
    return named


def not_one_network(model: Any) -> ConvlensError:
    """What to raise where a network and layers are given, or neither."""
    from convlens.core.errors import ConvlensError

    given = "no network was named" if model is None else f"model is '{model}', and layers too"
    return ConvlensError(
        f"{given}; give a model (a name, a file of your own, a run's folder) or layers, not both",
        code="bad-model",
    )
