"""Which network a name, a text, a file or a folder means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.core.paths import exists, is_dir, is_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from convlens.core.classifier import Classifier
    from convlens.core.errors import ConvlensError
    from convlens.core.reporter import Reporter
    from convlens.inspection import Named
    from convlens.inspection.subject import Subject


def network_meant(
    model: str | Path | nn.Module | None,
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

    if layers is None and isinstance(model, str | Path) and _means_run(str(model)):
        from convlens.prediction import load_bundle

        bundle = load_bundle(model, trust_code=trust_code)
        return trained_network(bundle.classifier, bundle.model, head=head, classes=classes)
    if layers is None and not isinstance(model, str | Path | None):
        return given_network(model, shape)
    asked = describe(layers or str(model), written=layers is not None, head=head or "published")
    return build_named(
        asked.trusting_code(),  # a file of code that the caller names is the caller's word for it
        input_shape=shape,
        classes=classes,
        numbers=numbers,
    )


def subject_meant(
    model: str | Path | Classifier,
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
    from convlens.inspection.subject import named_subject, refuse_options, trained_subject
    from convlens.models import ModelSpec

    where = choose_device(device)
    options = {"pretrained": pretrained, "weights": weights, "input": input, "classes": classes}
    if not isinstance(model, str | Path):
        refuse_options(options)
        return trained_subject("the network", model)
    if _means_run(str(model)):
        from convlens.prediction import load_bundle

        refuse_options(options)
        bundle = load_bundle(model, trust_code=trust_code)
        found = trained_subject(
            Path(model).resolve().name,
            bundle.classifier,
            bundle.classes,
            temperature=bundle.calibration.temperature,
        )
    else:
        named_file = is_file(str(model))  # no network: its name says what it is instead
        asked = ModelSpec(name=str(model)) if named_file else describe(str(model))
        found = named_subject(
            asked.trusting_code(),  # as for `network_meant`
            pretrained=pretrained,
            weights=None if weights is None else Path(weights),
            input_shape=parse_image_shape(input) if input is not None else None,
            classes=classes,
            seed=seed,
            reporter=reporter,
        )
    placed(found.classifier, where)
    return found


def _means_run(text: str) -> bool:
    """Whether a folder is meant, be it there or not, rather than a network by name."""
    if exists(text):
        return is_dir(text)
    return len(Path(text).parts) > 1 and not any(sign in text for sign in (" ", ",", ".py:"))


def not_one_network(model: Any) -> ConvlensError:
    """What to raise where a network and layers are given, or neither."""
    from convlens.core.errors import ConvlensError

    given = "no network was named" if model is None else f"model is '{model}', and layers too"
    return ConvlensError(
        f"{given}; give a model (a name, a file of your own, a run's folder) or layers, not both",
        code="bad-model",
    )
