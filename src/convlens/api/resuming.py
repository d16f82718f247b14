"""Resuming a run: from where it was left, for more epochs, or with its images elsewhere."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.options import reporter_for, source_name
from convlens.api.reporting import report_at_the_end
from convlens.api.trained import run_folder
from convlens.api.trust import trusted_recipe

if TYPE_CHECKING:
    from convlens.api.trained import RunLike
    from convlens.core.distributed import Ranks
    from convlens.core.reporter import Reporter
    from convlens.data import ImageSet
    from convlens.runs import Run


def resume(
    run: RunLike | None = None,
    *,
    epochs: int | None = None,
    source: Any = None,
    device: str = "auto",
    cache: bool = True,
    trust_code: bool = False,
    quiet: bool = False,
) -> Run:
    """Resume a run from its checkpoint, to the same bits as if it had not been interrupted.

    A finished run is measured again; with more epochs it is trained on. The schedule then spans all
    of them: each step from here on has the learning rate that it would have had with so many epochs
    from the start. With a falling schedule the rate of a finished run so rises again, to where
    that schedule stands at this place.

    Args:
        run: a `Run`, or its folder; by default the newest unfinished one under ``runs``.
        epochs: how many epochs the run is to have in all, those already trained included. Of
            several phases the last one gets what the others leave. A budget no longer decides.
        source: where the run's images are now, if they have moved, or the arrays it was trained
            on. They must be the same images.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        cache: keep decoded images on disk for the next run; False holds them in memory.
        trust_code: run the code of a network of the user's own that the run brings along; code
            that was trusted before on this machine needs no such word.
        quiet: show nothing.

    Returns:
        The finished run.

    Raises:
        ConvlensError: there is no such run, its files are damaged, its images are others, or
            another process is writing to it.
        WorkFailedError: the work failed.

    Example:
        >>> run = resume("runs/plants", epochs=40, source="/new/disk/plants")  # doctest: +SKIP
    """
    from convlens.core.distributed import Ranks

    with Ranks.of_torchrun().joined(device) as ranks:
        return resume_run(
            None if run is None else run_folder(run),
            epochs=epochs,
            source=source,
            device=device,
            cache=cache,
            ranks=ranks,
            trust_code=trust_code,
            reporter=reporter_for(quiet or not ranks.is_global_zero),
        )


def resume_run(
    folder: Path | None,
    *,
    epochs: int | None = None,
    source: Any = None,
    device: str,
    cache: bool,
    ranks: Ranks,
    trust_code: bool = False,
    reporter: Reporter,
) -> Run:
    """Resume a run as one of the processes that share it; see `resume`."""
    from convlens.core.files import surviving_folder
    from convlens.data import CacheSettings
    from convlens.runs import (
        RUNS,
        Run,
        moved_images,
        newest_unfinished,
        run_training,
        with_epochs,
        writing,
    )

    if folder is None:
        folder = newest_unfinished(RUNS).folder
        reporter.say(f"going on with {folder}")
    run = Run(folder)
    recipe = trusted_recipe(run, trust_code=trust_code)  # before anything is written there
    if recipe.model.is_own:
        reporter.say(f"the network is built from the code that {folder} carries, not from a file")
    with writing(folder, reporter) if ranks.is_global_zero else nullcontext():
        ranks.barrier()  # until the first process has swept what was half-written
        if epochs is not None:
            recipe = with_epochs(recipe, folder, epochs)
        with ranks.local_zero_first():
            if source is None:
                images = run.images_to_resume(reporter)
            else:
                images = moved_images(run, source, reporter, resuming=True)
                recipe = recipe.model_copy(update={"source": source_name(source)})
        if surviving_folder(folder / "checkpoint") is None and run.history:
            reporter.warn(f"{folder} has no checkpoint: it trains from the first epoch again")
        run = run_training(
            recipe,
            images,
            folder,
            device=ranks.device(device),
            cache=CacheSettings(enabled=cache),
            ranks=ranks,
            reporter=reporter,
        )
        report_of(run, images, device=device, cache=cache, ranks=ranks, reporter=reporter)
    return run


def report_of(
    run: Run, images: ImageSet, *, device: str, cache: bool, ranks: Ranks, reporter: Reporter
) -> None:
    """Write the report, from the first process alone; the others leave with it."""
    if ranks.is_global_zero:
        report_at_the_end(run, images, device=device, cache=cache, reporter=reporter)
    ranks.barrier()
