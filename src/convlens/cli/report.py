"""``convlens report``."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli.output import (
    CacheOption,
    DeviceOption,
    JsonOption,
    TrustCodeOption,
    print_json,
    stdout,
)


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The HTML file, or a folder for report.html; by default RUN."),
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the run's images are now, if they have moved.")
    ] = None,
    trust_code: TrustCodeOption = False,
    device: DeviceOption = "auto",
    cache: CacheOption = True,
    as_json: JsonOption = False,
) -> None:
    """Write a run's report: one HTML page with its figures, curves, mistakes and recipe.

    Example: convlens report runs/plants --out plants.html
    """
    from convlens import api

    path = api.report(
        run, out=out, source=source, trust_code=trust_code, device=device, cache=cache
    )
    if as_json:
        print_json({"report": str(path), "bytes": path.stat().st_size})
    else:
        stdout().print(f"written to {path}", soft_wrap=True)
