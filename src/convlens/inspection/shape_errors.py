"""Shape errors in words: the trace up to the layer that fails, the sum, and what would mend it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.inspection.diagnosis import Case, Diagnosis, diagnose
from convlens.inspection.formulas import Shape, shape_in_words
from convlens.inspection.forward_pass import Failure, ForwardPass, watch
from convlens.inspection.image_shape import mend_batch, probable_channels, validate_spread
from convlens.inspection.layers import Layer, layers_of
from convlens.inspection.min_input_size import WorkingSize
from convlens.models import CustomModelError

_SHOWN = 24


def check_input(module: nn.Module, shape: Sequence[int]) -> None:
    """Refuse a batch that a network cannot take, and say why.

    Args:
        module: any module that takes a batch of images; left as it was.
        shape: the batch's, as it would be handed over.

    Raises:
        ConvlensError: it does not fit. The text shows the trace up to the layer that fails, the sum
            that fails, and what would mend it.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.Flatten(), nn.Linear(16, 10))
        >>> try:
        ...     check_input(net, (60, 28, 28))
        ... except ConvlensError as error:
        ...     print(error)
        60×28×28 (N×H×W) has no channel axis; the network takes N×1×H×W; to mend it: x[:, None]
    """
    shape = tuple(shape)
    passed = watch(module, shape)
    if passed.failure is not None:
        raise explain(module, shape, passed)
    if isinstance(module, Classifier) and len(shape) != 4:  # a convolution takes C×H×W as well
        raise _wrong_axes(shape, module.input_spec.channels)
    validate_spread(module, shape[1] if len(shape) == 4 else 0)


@contextmanager
def explain_custom_errors() -> Iterator[None]:
    """Say of a network of the user's own, where it is built, why it cannot take its input.

    Raises:
        ConvlensError: it cannot; as `check_input` tells it where shapes do not fit.
    """
    try:
        yield
    except CustomModelError as error:
        if isinstance(error.__cause__, RuntimeError):  # torch's own; others name the user's line
            passed = watch(error.network, error.shape)
            if passed.failure is not None:
                raise explain(error.network, error.shape, passed) from error
        raise


def explain(
    module: nn.Module, shape: Shape, passed: ForwardPass, *, one_image: bool = False
) -> ConvlensError:
    """The error for a forward pass that broke off.

    Args:
        module: the network.
        shape: of the batch that it was given.
        passed: its run, which failed.
        one_image: the caller gave one image's shape, and knows of no batch.
    """
    failure = passed.failure
    assert failure is not None  # noqa: S101 - the caller has seen it
    layers = layers_of(passed.outermost) if passed.outermost else ()
    known = _taken_channels(module, failure, layers)
    channels = known or probable_channels(module)
    if channels and (len(shape) != 4 or known == shape[-1] != shape[1]):
        return _wrong_axes(shape, channels, one_image=one_image)
    sizes = WorkingSize(module, shape[1] if len(shape) == 4 else 1)
    diagnosis = diagnose(Case(failure, layers, shape[1:], sizes))
    return ConvlensError(
        "\n".join(_lines(shape, layers, failure, diagnosis)),
        remedy="; or ".join(diagnosis.remedies),
        between="\nto mend it: ",
        code="shape-mismatch",
    )


def _taken_channels(module: nn.Module, failure: Failure, layers: tuple[Layer, ...]) -> int | None:
    """The channels that the network takes; None where its failure does not tell."""
    if isinstance(module, Classifier):
        return module.input_spec.channels
    failing = failure.call.module
    return failing.in_channels if isinstance(failing, nn.Conv2d) and not layers else None


def _wrong_axes(shape: Shape, channels: int, *, one_image: bool = False) -> ConvlensError:
    problem, remedy = mend_batch(shape, channels)
    if one_image:
        problem = f"the image's shape is {shape[1:]}; expected channels, height, width"
        remedy = f"({channels}, {shape[1]}, {shape[2]})"
    return ConvlensError(problem, remedy=remedy, between="; to mend it: ", code="shape-mismatch")


def _lines(
    shape: Shape, layers: tuple[Layer, ...], failure: Failure, diagnosis: Diagnosis
) -> list[str]:
    kind = type(failure.call.module).__name__
    name = failure.call.name.removeprefix("stages.") or kind
    own = [layer for layer in layers if not layer.follows]
    rows = [(layer.name, shape_in_words(layer.output_shape), layer.formula) for layer in own]
    rows = [("input", shape_in_words(shape[1:]), ""), *rows, (name, "", diagnosis.sum)]
    hidden = max(len(rows) - _SHOWN, 0)
    left_out = [f"  … {pluralize(hidden, 'row')} before"] if hidden else []
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [
        f"'{name}' ({kind}) fails: {diagnosis.problem}",
        *left_out,
        *(
            f"  {row:{widths[0]}}  {output:{widths[1]}}  {told}".rstrip()
            for row, output, told in rows[hidden:]
        ),
    ]
