"""``convlens compare``."""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from convlens.cli.output import DeviceOption, JsonOption, TrustCodeOption, print_json, stdout
from convlens.cli.quantities import short, size
from convlens.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convlens.inspection import Comparison


def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Networks by name, your own as file.py:function, runs, or layers as text.",
        ),
    ],
    input_shape: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="HxWxC",
            help="The image; by default what all were published for, else 224x224x3.",
        ),
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="none for features alone, or a head as text for all.")
    ] = None,
    classes: Annotated[int | None, typer.Option(min=1, help="Outputs of the head.")] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images a batch, for throughput.")] = 8,
    repeats: Annotated[int, typer.Option(min=3, help="Rounds of timing, at most.")] = 15,
    gradients: Annotated[
        bool, typer.Option(help="How much of the gradient reaches the first layer.")
    ] = False,
    device: DeviceOption = "auto",
    trust_code: TrustCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put networks side by side: size, cost, features, published accuracy, and speed here.

    Example: convlens compare vgg16 resnet50 mobilenet_v2 --head none
    """
    from convlens import api

    found = api.compare(
        models,
        input=input_shape,
        head=head,
        classes=classes,
        batch_size=batch_size,
        repeats=repeats,
        gradients=gradients,
        trust_code=trust_code,
        device=device,
    )
    if as_json:
        print_json(found.as_json())
        return
    console = stdout()
    print_table(console, _what_they_are(found))
    console.print()
    print_table(console, _how_fast(found))
    console.print()
    if gradients:
        print_table(console, _gradients(found))
        console.print()
    for line in _notes(found):
        console.print(line, style="dim")
    console.print(found.guidance)


def _what_they_are(found: "Comparison") -> Table:
    from convlens.inspection import shape_in_words

    table = _table("layers", "params", "on disk", "MACs", "features", "field", "ImageNet")
    for network in found.networks:
        field = network.receptive_field
        table.add_row(
            network.name,
            f"{network.weighted_layers:,}",
            f"{network.parameters:,}",
            size(network.weight_bytes),
            short(network.macs),
            shape_in_words(network.feature_shape),
            "-" if field is None else str(field),
            f"{network.top1.percent:.1f} %" if network.top1 else "-",
        )
    return table


def _how_fast(found: "Comparison") -> Table:
    table = _table(
        "1 image, ms", "middle half", f"images/s by {found.batch_size}", "middle half", "n"
    )
    for network in found.networks:
        one, batch = network.latency, network.throughput
        times = [_three_digits(each * 1000) for each in (one.median, one.low, one.high)]
        rates = [
            _three_digits(found.batch_size / each) for each in (batch.median, batch.high, batch.low)
        ]
        table.add_row(
            network.name,
            times[0],
            f"{times[1]}–{times[2]}",
            rates[0],
            f"{rates[1]}–{rates[2]}",
            str(min(one.n, batch.n)),
        )
    return table


def _three_digits(value: float) -> str:
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if rounded >= 100 else f"{rounded:g}"


def _gradients(found: "Comparison") -> Table:
    table = _table("first layer", "last layer", "first / last")
    for network in found.networks:
        norms = [f"{gradient.norm:.2g}" for gradient in network.gradients]
        ratio = network.gradient_ratio
        table.add_row(
            network.name,
            norms[0] if norms else "-",
            norms[-1] if norms else "-",
            "-" if ratio is None else f"{ratio:.2g}",
        )
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("network", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _notes(found: "Comparison") -> "Iterator[str]":
    from convlens.inspection import shape_in_words

    yield (
        f"Images of {shape_in_words(found.input_shape)}. layers: those with weights; features: "
        "what the head reads; field: pixels that a unit of it sees."
    )
    yield (
        f"Times: medians, measured in turns on {found.machine['processor']}, "
        f"{found.machine['threads']} threads, {found.machine['device']}, "
        f"torch {found.machine['torch']}; n: rounds, at least."
    )
    if any(network.gradients for network in found.networks):
        yield "Gradients: size at a typical weight, with the weights that each network begins with."
    sources = {network.top1.source for network in found.networks if network.top1}
    yield from (f"ImageNet: published top-1 accuracy ({source})." for source in sorted(sources))
