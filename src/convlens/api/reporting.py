"""The report of a run: written when training ends, and again when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from convlens.api.asked import reporter_for
from convlens.api.trained import run_folder

if TYPE_CHECKING:
    from convlens.api.trained import RunLike
    from convlens.core.reporter import Reporter
    from convlens.data import ImageSet
    from convlens.recipe import Run


def report(
    run: RunLike,
    *,
    out: str | Path | None = None,
    trust_code: bool = False,
    device: str = "auto",
    cache: bool = True,
    quiet: bool = False,
) -> Path:
    """Write a run's report: one HTML page that needs nothing besides.

    Args:
        run: a finished `Run`, or its folder.
        out: the HTML file, or a folder for ``report.html``; by default the run's own folder.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        cache: keep decoded images on disk for the next time; False holds them in memory.
        quiet: show nothing.

    Returns:
        The file.

    Raises:
        ConvlensError: this is no finished run, or the file cannot be written.
        WorkFailedError: the disk is full.
    """
    from convlens.data import CacheSettings
    from convlens.recipe import Run
    from convlens.reporting import write_report

    return write_report(
        Run(run_folder(run)),
        out=out,
        trust_code=trust_code,
        device=device,
        cache=CacheSettings(enabled=cache),
        reporter=reporter_for(quiet),
    )


def report_at_the_end(
    run: Run, images: ImageSet, *, device: str, cache: bool, reporter: Reporter
) -> None:
    """Write the report of a run that has just finished; a run without one is a run all the same.

    Args:
        run: the finished run.
        images: what it was trained on.
        device: where to compute.
        cache: whether decoded pixels are kept.
        reporter: told where the report cannot be written.
    """
    from convlens.core.errors import ConvlensError
    from convlens.data import CacheSettings
    from convlens.reporting import write_report

    try:
        write_report(
            run,
            images=images,
            trust_code=True,  # it is the code that has just been trained
            device=device,
            cache=CacheSettings(enabled=cache),
            reporter=reporter,
        )
    except ConvlensError as error:
        reporter.warn(
            f"the run is finished, but has no report: {error.message}; "
            f"write it by convlens report {run.folder}{run.recipe.model.trust_option}"
        )
