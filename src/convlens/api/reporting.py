"""The report of a run: written when training ends, and again when it is asked for."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.options import reporter_for
from convlens.api.trained import run_folder

if TYPE_CHECKING:
    from convlens.api.trained import RunLike
    from convlens.core.reporter import Reporter
    from convlens.data import ImageSet
    from convlens.runs import Run


def report(
    run: RunLike,
    *,
    out: str | Path | None = None,
    source: Any = None,
    trust_code: bool = False,
    device: str = "auto",
    cache: bool = True,
    quiet: bool = False,
) -> Path:
    """Write a run's report: one HTML page that needs nothing besides.

    Args:
        run: a finished `Run`, or its folder.
        out: the HTML file, or a folder for ``report.html``; by default the run's own folder.
        source: where the run's images are now, if they have moved. They must be the same images.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        cache: keep decoded images on disk for the next time; False holds them in memory.
        quiet: show nothing.

    Returns:
        The file.

    Raises:
        ConvlensError: this is no finished run, its files are damaged, the report cannot be
            written, or another process is writing to the run.
        WorkFailedError: the disk is full.
    """
    from convlens.data import CacheSettings
    from convlens.reporting import report_path, write_report
    from convlens.runs import Run, moved_images, writing

    shown, reporter = Run(run_folder(run)), reporter_for(quiet)
    _ = shown.recipe  # a folder that is no run is refused before anything is written there
    own = report_path(shown.folder if out is None else out).resolve().parent
    # Written elsewhere, a report only reads the run, which may be on a disk that is read-only.
    inside = own == shown.folder.resolve()
    with writing(shown.folder, reporter) if inside else nullcontext():
        return write_report(
            shown,
            out=out,
            images=None if source is None else moved_images(shown, source, reporter),
            trust_code=trust_code,
            device=device,
            cache=CacheSettings(enabled=cache),
            reporter=reporter,
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
    from convlens.core.command_line import command
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
            "write it by " + command("report", run.folder, *run.recipe.model.trust_words)
        )
