"""``convlens inspect``."""

from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli.layer_table import layer_table
from convlens.cli.output import JsonOption, TrustCodeOption, print_json, stdout
from convlens.cli.quantities import short, size
from convlens.cli.run_options import LayersOption

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convlens.inspection import Trace

_LEGEND = (
    "A row takes in the normalization, activation and dropout behind it; --json has them apart. "
    "field: pixels of the input that a unit sees, those of padding included; jump: pixels from "
    "one unit's field to the next; memory: of the row's outputs, for one image."
)


def inspect(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL|RUN",
            help="A network by name, your own as file.py:function, or a run's or bundle's folder.",
        ),
    ] = None,
    layers: LayersOption = None,
    input_shape: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="HxWxC", help="The image: 28x28x1; by default the network's own."
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(help='none, or a head as text: "globalavgpool, dense 256 relu, dense".'),
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Outputs of the head.")] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="For the memory that training takes.")
    ] = 32,
    trust_code: TrustCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show a network layer by layer: shapes, parameters, cost and receptive fields.

    Example: convlens inspect vgg16 --head none
    """
    from convlens import api

    trace = api.inspect(
        model, layers=layers, input=input_shape, head=head, classes=classes, trust_code=trust_code
    )
    if as_json:
        memory = trace.training_memory(batch_size)
        print_json({**trace.as_json(), "training_memory": memory.as_json() if memory else None})
        return
    console = stdout()
    for line in layer_table(trace.layers, width=console.width):
        console.print(line, soft_wrap=True)
    console.print()
    for total in _totals(trace, batch_size):
        console.print(total)
    console.print(_LEGEND, style="dim")
    for note in trace.notes:
        console.print(f"Note: {note}.")


def _totals(trace: "Trace", batch_size: int) -> "Iterator[str]":
    frozen = trace.parameters - trace.trainable_parameters
    learnable = f"{trace.trainable_parameters:,} trainable, {frozen:,} frozen (*)"
    statistics = f", and {trace.statistics:,} statistics" if trace.statistics else ""
    yield (
        f"{trace.parameters:,} parameters ({learnable if frozen else 'all trainable'})"
        f"{statistics}: {size(trace.weight_bytes)}"
    )
    yield (
        f"{short(trace.macs)} multiply-adds and {size(trace.activation_bytes)} of outputs an "
        f"image; {trace.weighted_layers} layers with weights"
    )
    memory = trace.training_memory(batch_size)
    if memory is not None:
        yield (
            f"Training with Adam in batches of {batch_size}: about {size(memory.total)} "
            f"({size(memory.weights)} weights, {size(memory.gradients)} gradients, "
            f"{size(memory.optimizer)} averages, {size(memory.activations)} kept of the images)"
        )
