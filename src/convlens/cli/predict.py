"""``convlens predict``."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli.output import JsonOption, TrustCodeOption, percent, print_json, stdout


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a bundle's.")],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders.")
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name an image.")] = 3,
    trust_code: TrustCodeOption = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Classify images with a trained network.

    Example: convlens predict runs/plants leaf.jpg --top 3
    """
    from rich.markup import escape

    from convlens import api

    predictions = api.predict(run, images, top=top, trust_code=trust_code, device=device)
    if as_json:
        print_json([prediction.as_json() for prediction in predictions])
        return
    console = stdout()
    for prediction in predictions:
        guesses = "  ".join(f"{g.name} {percent(g.probability)}" for g in prediction.top)
        console.print(f"{escape(str(prediction.path))}  [bold]{escape(guesses)}[/bold]")
