"""``convlens resume``."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli.output import CacheOption, DeviceOption, JsonOption, TrustCodeOption, print_json
from convlens.cli.train import show_run


def resume(
    run: Annotated[
        Path | None,
        typer.Argument(metavar="RUN", help="Run to resume; default the newest unfinished one."),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Epochs of the run in all, past ones included.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the run's images are now, if they have moved.")
    ] = None,
    device: DeviceOption = "auto",
    cache: CacheOption = True,
    trust_code: TrustCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Resume a run that was interrupted, or train a finished one for more epochs.

    With --epochs the schedule spans all epochs, those already trained included.

    Example: convlens resume runs/plants --epochs 40
    """
    from convlens import api
    from convlens.core.distributed import Ranks

    finished = api.resume(
        run, epochs=epochs, source=source, device=device, cache=cache, trust_code=trust_code
    )
    if not Ranks.of_torchrun().is_global_zero:
        return
    if as_json:
        print_json(finished.summary())
    else:
        show_run(finished)
