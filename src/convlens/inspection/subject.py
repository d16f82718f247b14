"""A network to look into: a trained one, or a named one with the weights asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError, unknown_name
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Reporter
from convlens.core.rng import Stream, derived_seed
from convlens.inspection.formulas import Shape
from convlens.inspection.named import shape_and_classes
from convlens.inspection.recording import as_input, record
from convlens.inspection.shape_errors import explain_custom_errors
from convlens.models import ModelSpec, build, expected_normalization


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network to look into.

    Attributes:
        name: what to call it, its weights included where they are not its own training's.
        classifier: the network, with weights.
        classes: K class names, in the order of its logits.
        temperature: what its logits are divided by before the softmax; 1 where it was never
            calibrated.
    """

    name: str
    classifier: Classifier
    classes: tuple[str, ...]
    temperature: float = 1.0

    def probabilities(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K), the same as a prediction gives, from (N, K) logits."""
        scaled = logits.astype(np.float64) / self.temperature
        exponents = np.exp(scaled - scaled.max(axis=1, keepdims=True))
        shares: NDArray[np.float64] = exponents / exponents.sum(axis=1, keepdims=True)
        return shares.astype(np.float32)

    def class_number(self, wanted: str | int) -> int:
        """A class's number, from its name or from the number itself.

        Raises:
            ConvlensError: there is no such class.
        """
        if isinstance(wanted, str) and wanted in self.classes:
            return self.classes.index(wanted)
        if str(wanted).isdecimal() and int(wanted) < len(self.classes):
            return int(wanted)
        if self.classes[:1] == ("class 0",):
            raise ConvlensError(
                f"class is '{wanted}'; {self.name} numbers its classes from 0 to "
                f"{len(self.classes) - 1}: pass one of those",
                code="unknown-class",
            )
        raise unknown_name("class", str(wanted), self.classes, code="unknown-class")


def trained_subject(
    name: str,
    classifier: Classifier,
    classes: Sequence[str] | None = None,
    *,
    temperature: float = 1.0,
) -> Subject:
    """A network with weights of its own.

    Args:
        name: what to call it.
        classifier: the network.
        classes: K class names; numbers by default.
        temperature: what its logits are divided by before the softmax.
    """
    if not isinstance(classifier, Classifier):
        raise ConvlensError(
            f"model is a {type(classifier).__name__}; expected a network's name, a Run, a "
            "Predictor, a Bundle, a run's or bundle's folder, or a Classifier",
            code="bad-model",
        )
    if classes is None:
        spec = classifier.input_spec
        pixels = np.zeros((1, spec.height, spec.width, spec.channels), np.uint8)
        logits, _ = record(classifier, as_input(classifier, pixels), ())
        classes = _numbered(logits.shape[1])
    return Subject(
        name=name, classifier=classifier, classes=tuple(classes), temperature=temperature
    )


def named_subject(
    model: ModelSpec,
    *,
    pretrained: bool = False,
    weights: Path | None = None,
    input_shape: Shape | None = None,
    classes: int | None = None,
    seed: int = 0,
    reporter: Reporter,
) -> Subject:
    """Build a network by its description, weights and all.

    Args:
        model: which network.
        pretrained: give it its published ImageNet weights.
        weights: give it the weights in this file; drawn at random where it is given none.
        input_shape: channels, height, width; that of its publication by default.
        classes: outputs; those of its publication by default, or 10.
        seed: for the weights that are drawn.
        reporter: is told which weights the network has.

    Raises:
        ConvlensError: its input is not known, it cannot take it, or the weights do not fit.
        WorkFailedError: published weights could not be downloaded.
    """
    asked = {"pretrained": pretrained, "weights": weights}
    trusted = model.code_is_trusted
    model = ModelSpec.model_validate({**model.model_dump(), **asked})
    model = model.trusting_code() if trusted else model
    shape, count = shape_and_classes(model, input_shape, classes)
    called = model.name or "a network in the layer notation"
    with torch.random.fork_rng(), explain_custom_errors():
        torch.manual_seed(derived_seed(seed, slot=Stream.WEIGHTS))
        classifier = build(model, _input(model, shape), classes=count, reporter=reporter)
    if not model.loads_weights:
        reporter.warn(f"{called} has random weights: it has learned nothing yet")
    name = f"{called} with {_weights_in_words(model)}"
    return Subject(name=name, classifier=classifier.eval(), classes=_numbered(count))


def validate_options(asked: Mapping[str, object]) -> None:
    """Refuse what is asked of a network that has all of it already.

    Raises:
        ConvlensError: something is.
    """
    given = [f"--{name}" for name, value in asked.items() if value]
    if given:
        raise ConvlensError(
            f"{', '.join(given)} can be asked of a network by name only; a trained network has its "
            "own weights, input and classes: leave it out",
            code="bad-option",
        )


def _input(model: ModelSpec, shape: Shape) -> InputSpec:
    """Weights of a published network expect the published normalization, wherever they are from."""
    channels, height, width = shape
    spec = InputSpec(height=height, width=width, channels=channels)
    expected = expected_normalization(model.name, channels) if model.loads_weights else None
    if expected is None:
        return spec
    mean, std = expected
    return spec.model_copy(update={"mean": mean, "std": std})


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(count))


def _weights_in_words(model: ModelSpec) -> str:
    if model.pretrained:
        return "published ImageNet weights"
    return f"weights from {Path(model.weights).name}" if model.weights else "random weights"
