"""A network layer by layer: shapes and how they follow, parameters, cost, receptive fields."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from convlens.inspection.formulas import Shape, channels_last
from convlens.inspection.forward_pass import watch
from convlens.inspection.image_shape import checked_image_shape, validate_spread
from convlens.inspection.layers import Layer, layers_of
from convlens.inspection.shape_errors import explain
from convlens.inspection.training_memory import TrainingMemory, saved_bytes

_BATCH = 2  # one image could lose its axis to a squeeze()


@dataclass(frozen=True, kw_only=True)
class Trace:
    """A network layer by layer, and its totals.

    Attributes:
        input_shape: channels, height, width of one image.
        layers: one row a layer, in the order in which they run.
        parameters: learnable numbers of the whole network.
        trainable_parameters: those of them that are not frozen.
        statistics: numbers kept beside them, such as batch normalization's running means.
        macs: multiply-adds for one image.
        activation_bytes: all outputs of one image together.
        weight_bytes: parameters and statistics, as a file of weights holds them.
        trainable_bytes: the parameters that are not frozen.
        saved_bytes: what training keeps of one image for the backward pass; None where the network
            does not run in training mode.
        notes: what a reader should know besides.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]
    parameters: int
    trainable_parameters: int
    statistics: int
    macs: int
    activation_bytes: int
    weight_bytes: int
    trainable_bytes: int
    saved_bytes: int | None
    notes: tuple[str, ...]

    @property
    def weighted_layers(self) -> int:
        """Convolutions and dense layers: the number in names such as VGG16."""
        return sum(layer.macs > 0 and layer.parameters > 0 for layer in self.layers)

    @property
    def output_shape(self) -> Shape:
        """What comes out for one image; the image's own shape where there are no layers."""
        return self.layers[-1].output_shape if self.layers else self.input_shape

    @property
    def receptive_field(self) -> int | None:
        """Pixels that a unit of the output sees; None where it is not known."""
        return self.layers[-1].receptive_field if self.layers else 1

    def training_memory(self, batch_size: int, *, averages: int = 2) -> TrainingMemory | None:
        """What a training step takes; None where the network does not run in training mode.

        Args:
            batch_size: images a step.
            averages: numbers that the optimizer keeps for each trainable parameter: 2 for Adam, 1
                for SGD with momentum.
        """
        if self.saved_bytes is None:
            return None
        return TrainingMemory(
            batch_size=batch_size,
            weights=self.weight_bytes,
            gradients=self.trainable_bytes,
            optimizer=averages * self.trainable_bytes,
            activations=batch_size * self.saved_bytes,
        )

    def as_json(self) -> dict[str, Any]:
        """The trace as one JSON object: shapes are height, width, channels."""
        told = {name: value for name, value in vars(self).items() if name != "input_shape"}
        layers = [layer.as_json() for layer in self.layers]
        return {"input": channels_last(self.input_shape), **told, "layers": layers} | {
            "notes": list(self.notes)
        }


def trace(module: nn.Module, input_shape: Sequence[int], *, notes: Sequence[str] = ()) -> Trace:
    """Run a network once on an image of zeros, and write down what happens, layer by layer.

    Args:
        module: any module that takes a batch of images; it is left as it was.
        input_shape: channels, height, width of one image.
        notes: what a reader of the trace should know besides.

    Raises:
        ConvlensError: the network cannot take such an image. The text shows the trace up to the
            layer that fails, the sum that fails, and what would mend it.

    Example:
        >>> found = trace(nn.Sequential(nn.Conv2d(1, 16, 3), nn.MaxPool2d(2)), (1, 28, 28))
        >>> [(layer.name, layer.output_shape, layer.parameters) for layer in found.layers]
        [('0', (16, 26, 26), 160), ('1', (16, 13, 13), 0)]
        >>> found.layers[0].formula
        '(28 − 3 + 2·0)/1 + 1 = 26'
    """
    shape = checked_image_shape(module, input_shape)
    passed = watch(module, (_BATCH, *shape))
    if passed.failure is not None:
        raise explain(module, (_BATCH, *shape), passed, one_image=True)
    validate_spread(module, shape[0])
    layers = layers_of(passed.outermost) if passed.outermost else ()
    parameters = list(passed.module.parameters())
    known = set(map(id, parameters))
    kept = [t for t in passed.module.state_dict(keep_vars=True).values() if id(t) not in known]
    total = sum(p.numel() for p in parameters)
    unused = total - sum(layer.parameters for layer in layers)
    if unused:
        notes = [*notes, f"{unused:,} parameters are not used when an image is classified"]
    return Trace(
        input_shape=shape,
        layers=layers,
        parameters=total,
        trainable_parameters=sum(p.numel() for p in parameters if p.requires_grad),
        statistics=sum(t.numel() for t in kept if t.is_floating_point()),
        macs=sum(layer.macs for layer in layers),
        activation_bytes=sum(layer.activation_bytes for layer in layers),
        weight_bytes=sum(t.numel() * t.element_size() for t in (*parameters, *kept)),
        trainable_bytes=sum(p.numel() * p.element_size() for p in parameters if p.requires_grad),
        saved_bytes=saved_bytes(module, shape),
        notes=tuple(notes),
    )
