"""From a finished run to the facts of its report."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from convlens.core.command_line import command
from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet, Reporter
from convlens.data import CacheSettings, ImageSet
from convlens.inspection import Trace, trace
from convlens.prediction import Predictor
from convlens.reporting.augmentation import gather_sheet
from convlens.reporting.facts import Facts, Gallery, measured_split
from convlens.reporting.gallery import gather_gallery
from convlens.runs import Run, parts_of, read_preflight

Part = TypeVar("Part")

_CHANGED = (
    "The images are not as they were when this run was trained: the pictures below show them as "
    "they are now, the figures are those of then."
)


def gather(
    run: Run,
    predictor: Predictor,
    *,
    images: ImageSet | None = None,
    cache: CacheSettings | None = None,
    reporter: Reporter | None = None,
) -> Facts:
    """All that a report shows of a run.

    What cannot be had any more (images that are gone) is left out, with a word on why.

    Args:
        run: a finished run.
        predictor: its network.
        images: its images; None to open the run's source.
        cache: where decoded pixels are kept; None for the defaults.
        reporter: shows the progress; nobody by default.

    Raises:
        ConvlensError: the run has not finished, or is damaged.
    """
    metrics = finished_metrics(run)
    environment = run.environment
    reporter = reporter or Quiet()
    shown, changes, why = (images, (), "") if images is not None else _own_images(run)
    missing: dict[str, str] = {}

    def part(name: str, make: Callable[[ImageSet], Part]) -> Part | None:
        """What is made of the images; None, with a word on why, where it cannot be."""
        if shown is None:
            missing[name] = why
            return None
        try:
            return make(shown)
        except ConvlensError as error:
            missing[name] = error.message
            return None

    def gallery(found: ImageSet) -> Gallery | None:
        split = measured_split(metrics)
        if split is None:
            return None
        numbers = parts_of(run.recipe, found)[split]
        return gather_gallery(found, numbers, predictor, cache=cache, reporter=reporter)

    return Facts(
        folder=str(run.folder),
        recipe=run.recipe,
        classes=predictor.classes,
        environment=environment,
        history=run.history,
        metrics=metrics,
        provenance=predictor.bundle.provenance,
        preflight=read_preflight(run.folder),
        network=_network(predictor, missing),
        gallery=part("gallery", gallery),
        sheet=part("sheet", lambda found: gather_sheet(found, run.recipe)),
        missing=missing,
        notes=_notes(shown, changes, environment),
    )


def finished_metrics(run: Run) -> dict[str, Any]:
    """The figures of a finished run.

    Raises:
        ConvlensError: it is no run, or has not finished.
    """
    _ = run.recipe
    if not (run.folder / "metrics.json").is_file():
        raise ConvlensError(
            f"{run.folder} has not finished: there are no figures to report yet; go on with it by "
            + command("resume", run.folder),
            code="unfinished-run",
        )
    return run.metrics


def _own_images(run: Run) -> tuple[ImageSet | None, tuple[str, ...], str]:
    """The images of the run's source and what changed; or None, and why they cannot be had."""
    try:
        found = run.reopen(Quiet())
    except ConvlensError as error:
        return None, (), error.message.rstrip(".")
    return found.images, found.changes.lines(), ""


def _notes(
    images: ImageSet | None, changes: Sequence[str], environment: Mapping[str, Any]
) -> tuple[str, ...]:
    known = environment.get("data", {}).get("fingerprint")
    if images is None or known is None or (not changes and images.is_as(known)):
        return ()
    return (_CHANGED, *(f"{line[:1].upper()}{line[1:]}." for line in changes))


def _network(predictor: Predictor, missing: dict[str, str]) -> Trace | None:
    try:
        return trace(predictor.bundle.classifier, predictor.bundle.input_spec.shape)
    except ConvlensError as error:  # a module of the user's that cannot be followed
        missing["network"] = error.message.partition("\n")[0]
        return None
