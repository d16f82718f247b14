"""``convlens evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli.output import (
    CacheOption,
    JsonOption,
    TrustCodeOption,
    percent,
    print_json,
    stdout,
)

if TYPE_CHECKING:
    from convlens.evaluation import Figures


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a bundle's.")],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="Labelled images; by default the test images that the run kept apart.",
        ),
    ] = None,
    trust_code: TrustCodeOption = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    cache: CacheOption = True,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="data.KEY=VALUE", help="How to read SOURCE; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a trained network on labelled images, with 95 % intervals.

    Example: convlens evaluate runs/plants more-plants
    """
    from convlens import api

    figures = api.evaluate(
        run, source, settings=settings or (), trust_code=trust_code, device=device, cache=cache
    )
    if as_json:
        print_json(figures.as_json())
    else:
        _show(figures)


def _show(figures: "Figures") -> None:
    from rich.markup import escape
    from rich.table import Table

    console = stdout()
    low, high = figures.interval
    correct = round(figures.accuracy * figures.n)
    console.print(
        f"accuracy {percent(figures.accuracy)}  "
        f"(95 % interval {percent(low)} to {percent(high)}, {correct:,} of {figures.n:,} images)"
    )
    if figures.top5 is not None:
        console.print(f"top-5    {percent(figures.top5)}")
    console.print(f"log loss {figures.log_loss:.4f}")
    table = Table(box=None, pad_edge=False)
    for heading in ("class", "images", "recall", "95 % interval", "precision", "f1"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for own in figures.classes:
        interval = own.recall_interval
        table.add_row(
            escape(own.name),
            f"{own.support:,}",
            percent(own.recall),
            f"{percent(interval[0])} to {percent(interval[1])}" if interval else "-",
            percent(own.precision),
            f"{own.f1:.3f}",
        )
    console.print(table)
