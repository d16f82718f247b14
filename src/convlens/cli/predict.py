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
from convlens.core.formatting import percent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convlens.prediction import ClassProbability, Prediction


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a bundle's.")],
    images: Annotated[
        list[str], typer.Argument(metavar="IMAGE...", help="Image files, folders, or URLs.")
    ],
    top: Annotated[int, typer.Option(min=1, help="How many classes to name an image.")] = 3,
    tta: ViewsOption = "",
    allow_url: Annotated[
        bool, typer.Option("--allow-url", help="Fetch images named by http:// or https://.")
    ] = False,
    trust_code: TrustCodeOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Classify images with a trained network, which says "not sure" where it is not.

    Example: convlens predict runs/plants leaf.jpg --top 3
    """
    from convlens import api
    from convlens.core.console import styled

    predictions = api.predict(
        run,
        images,
        top=top,
        tta=tta,
        allow_url=allow_url,
        trust_code=trust_code,
        device=device,
    )
    if as_json:
        print_json({"predictions": [prediction.as_json() for prediction in predictions]})
        return
    console = stdout()
    for prediction in predictions:
        line = styled(str(prediction.path), "  ", *_answer(prediction, top))
        console.print(line, soft_wrap=True)  # one image, one line


def _answer(prediction: "Prediction", top: int) -> "tuple[str | tuple[str, str], ...]":
    """The parts of a line, those in bold with their style."""
    if prediction.candidates is None or prediction.sure:
        return (("  ".join(_named(prediction.top)), "bold"),)
    more = len(prediction.candidates) - top
    named = ", ".join(_named(prediction.candidates[:top])) + f" and {more} more" * (more > 0)
    return (("not sure", "bold"), f": {named}")


def _named(guesses: "Sequence[ClassProbability]") -> list[str]:
    return [f"{guess.name} {percent(guess.probability)}" for guess in guesses]
