"""``convlens predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli.output import (
    DeviceOption,
    JsonOption,
    TrustCodeOption,
    ViewsOption,
    print_json,
    stdout,
)
from convlens.core.words import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convlens.prediction import Guess, Prediction


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a bundle's.")],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders.")
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name an image.")] = 3,
    views: ViewsOption = "",
    trust_code: TrustCodeOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Classify images with a trained network, which says "not sure" where it is not.

    Example: convlens predict runs/plants leaf.jpg --top 3
    """
    from rich.markup import escape

    from convlens import api

    predictions = api.predict(
        run, images, top=top, views=views, trust_code=trust_code, device=device
    )
    if as_json:
        print_json({"predictions": [prediction.as_json() for prediction in predictions]})
        return
    console = stdout()
    for prediction in predictions:
        console.print(f"{escape(str(prediction.path))}  {_answer(prediction, top)}")


def _answer(prediction: "Prediction", top: int) -> str:
    from rich.markup import escape

    if prediction.candidates is None or prediction.sure:
        return f"[bold]{escape('  '.join(_named(prediction.top)))}[/bold]"
    more = len(prediction.candidates) - top
    named = ", ".join(_named(prediction.candidates[:top])) + f" and {more} more" * (more > 0)
    return f"[bold]not sure[/bold]: {escape(named)}"


def _named(guesses: "Sequence[Guess]") -> list[str]:
    return [f"{guess.name} {percent(guess.probability)}" for guess in guesses]
