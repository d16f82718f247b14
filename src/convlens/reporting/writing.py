"""Writing a report where it is looked for."""

from pathlib import Path

from convlens.core.errors import ConvlensError
from convlens.core.files import write_text
from convlens.core.reporter import Reporter
from convlens.data import CacheSettings, ImageSet
from convlens.prediction import Predictor
from convlens.reporting.gather import finished_metrics, gather
from convlens.reporting.page import render
from convlens.runs import Run


def write_report(
    run: Run,
    *,
    out: str | Path | None = None,
    images: ImageSet | None = None,
    predictor: Predictor | None = None,
    trust_code: bool = False,
    device: str = "auto",
    cache: CacheSettings | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Write a run's report.

    Args:
        run: a finished run.
        out: the HTML file, or a folder for ``report.html``; the run's folder by default.
        images: the run's images; None to open its source.
        predictor: its network; None for that of its bundle.
        trust_code: run the code that the bundle of a network of the user's own carries.
        device: where to compute.
        cache: where decoded pixels are kept; None for the defaults.
        reporter: shows the progress; nobody by default.

    Returns:
        The file.

    Raises:
        ConvlensError: the run has not finished, its bundle cannot be read, or the file cannot be
            written.
        WorkFailedError: the disk is full.
    """
    path = report_path(run.folder if out is None else out)
    finished_metrics(run)
    predictor = predictor or run.predictor(trust_code=trust_code, device=device)
    facts = gather(run, predictor, images=images, cache=cache, reporter=reporter)
    write_text(path, render(facts))
    return path


def report_path(out: str | Path) -> Path:
    """Where a report is written: an HTML file, or ``report.html`` in a folder.

    Raises:
        ConvlensError: the name is that of another kind of file.

    Example:
        >>> report_path("plants.html").name, report_path("reports").name
        ('plants.html', 'report.html')
    """
    path = Path(out)
    if path.suffix.lower() in {".html", ".htm"} and not path.is_dir():
        return path
    if path.suffix and not path.is_dir():
        raise ConvlensError(
            f"out is '{out}'; the report is an HTML file: name it {path.with_suffix('.html')}",
            code="bad-out",
        )
    return path / "report.html"
