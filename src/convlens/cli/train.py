"""``convlens train``."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli.output import JsonOption, print_json, stdout


def train(
    source: Annotated[
        str,
        typer.Argument(
            help="A folder of class folders (with or without train, val and test above them), "
            "an archive, an .npz file, a table, or a catalogue name such as digits."
        ),
    ],
    model: Annotated[
        str | None, typer.Option(help="A network by name, or your own as file.py:function.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help='A network as text: "conv 32 3 same relu, maxpool 2, …".')
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the images.")] = None,
    size: Annotated[
        str | None, typer.Option(help="The network's input in pixels: 224, or 96x160 (H x W).")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every draw of the run.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder; default runs/DATE-TIME-SOURCE-MODEL.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PART.KEY=VALUE", help="Any key of the recipe; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a network on labelled images, and measure it on images it never saw.

    Example: convlens train plants --model standard --epochs 20
    """
    from convlens import api

    run = api.train(
        source,
        model=model,
        layers=layers,
        epochs=epochs,
        size=size,
        seed=seed,
        out=out,
        device=device,
        settings=settings or (),
    )
    if as_json:
        print_json(run.summary())
        return
    console = stdout()
    console.print(run.describe())
