"""``convlens evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli.output import (
    CacheOption,
    DeviceOption,
    JsonOption,
    TrustCodeOption,
    ViewsOption,
    print_json,
)


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a bundle's.")],
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="Labeled images; by default the test images that the run kept apart.",
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="RUN2", help="Compare with another run on the same images."),
    ] = None,
    tta: ViewsOption = "",
    trust_code: TrustCodeOption = False,
    device: DeviceOption = "auto",
    cache: CacheOption = True,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PART.KEY=VALUE",
            help="How to read SOURCE (data.label_column=species); or what 'not sure' is to promise "
            "from now on (selective.error_rate=0.02, or selective.coverage=0.9). Repeatable.",
        ),
    ] = None,
    run_source: Annotated[
        str | None,
        typer.Option("--source", help="Where the run's own images are now, if they have moved."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a trained network on labeled images, with 95 % intervals.

    Example: convlens evaluate runs/plants --baseline runs/plants-resnet18
    """
    from convlens import api
    from convlens.cli.evaluation_report import show_evaluation

    found = api.evaluate(
        run,
        source,
        baseline=baseline,
        tta=tta,
        settings=settings or (),
        run_source=run_source,
        trust_code=trust_code,
        device=device,
        cache=cache,
    )
    if as_json:
        print_json(found.as_json())
    else:
        show_evaluation(found)
