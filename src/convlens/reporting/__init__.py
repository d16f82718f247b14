"""The report of a run: one HTML page that needs nothing besides, for whoever has to decide.

`gather` collects the facts of a finished run, `render` makes the page of them alone, and
`write_report` does both.

Example:
    >>> from convlens.runs import Run
    >>> from convlens.reporting import write_report
    >>> write_report(Run(Path("runs/plants")))          # doctest: +SKIP
    PosixPath('runs/plants/report.html')
"""

from convlens.reporting.facts import Answer, Facts, Gallery, Picture, Sheet
from convlens.reporting.gather import gather
from convlens.reporting.page import render
from convlens.reporting.writing import report_path, write_report

__all__ = [
    "Answer",
    "Facts",
    "Gallery",
    "Picture",
    "Sheet",
    "gather",
    "render",
    "report_path",
    "write_report",
]
