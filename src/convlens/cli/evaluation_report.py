"""What an evaluation prints: every figure with its interval, at 80 columns."""

from typing import TYPE_CHECKING

from rich.table import Table

from convlens.cli.output import stdout, with_ends
from convlens.cli.tables import print_table
from convlens.core.console import styled
from convlens.core.formatting import percent

if TYPE_CHECKING:
    from convlens.core.console import PlainConsole
    from convlens.evaluation import Metrics
    from convlens.runs import CalibratedMetrics, Evaluation

    Ends = tuple[float, float] | None

_PAIRS = 5


def show_evaluation(found: "Evaluation") -> None:
    """Print it."""
    console = stdout()
    _show_figures(console, found.figures)
    _show_calibration(console, found.judged)
    _show_abstaining(console, found.judged)
    _show_comparisons(console, found)
    _show_confused(console, found.figures)
    console.print()
    _show_classes(console, found.figures)


def _show_figures(console: "PlainConsole", figures: "Metrics") -> None:
    correct = round(figures.accuracy * figures.n)
    rows = [
        ("accuracy", figures.accuracy, figures.interval, True),
        ("top-5 accuracy", figures.top5, figures.top5_interval, True),
        ("balanced accuracy", figures.balanced_accuracy, figures.balanced_accuracy_interval, True),
        ("log loss", figures.log_loss, figures.log_loss_interval, False),
        ("Brier score", figures.brier, figures.brier_interval, False),
        ("calibration error", figures.calibration_error, figures.calibration_error_interval, True),
        ("ROC AUC", figures.roc_auc, figures.roc_auc_interval, False),
    ]
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{correct:,} of {figures.n:,} right")
    table.add_column("", justify="right")
    table.add_column("95 % interval")
    for name, value, ends, share in rows:
        if value is not None:
            write = percent if share else "{:.4f}".format
            interval = "-" if ends is None else f"{write(ends[0])} to {write(ends[1])}"
            table.add_row(name, write(value), interval)
    print_table(console, table)
    if warning := figures.majority.warning:
        console.print(styled((warning, "bold red")))


def _show_calibration(console: "PlainConsole", judged: "CalibratedMetrics") -> None:
    calibration, before = judged.calibration, judged.before
    if not calibration.fitted_on:
        return
    loss, ends = before.log_loss, before.log_loss_interval
    interval = "" if ends is None else f" ({ends[0]:.4f} to {ends[1]:.4f})"
    error = with_ends(before.calibration_error, before.calibration_error_interval)
    console.print(
        f"Temperature {calibration.temperature:.2f}, fitted on {calibration.fitted_on:,} "
        f"validation images. Without it: log loss {loss:.4f}{interval}, calibration error {error}."
    )


def _show_abstaining(console: "PlainConsole", judged: "CalibratedMetrics") -> None:
    rule, figures = judged.calibration.selective, judged.selective
    if rule is None or figures is None:
        return
    unsure = tuple(1 - end for end in reversed(figures.answered_interval))
    wrong = f"{with_ends(figures.error_rate, figures.error_rate_interval)} of the sure answers"
    console.print(
        f"Not sure of {with_ends(1 - figures.answered, unsure)}"
        + (f"; wrong in {wrong}" if figures.answered else "")
        + "; the true class is among those named for "
        f"{with_ends(figures.coverage, figures.coverage_interval)}."
    )
    console.print(f"Promised: {rule.promise}.")


def _show_comparisons(console: "PlainConsole", found: "Evaluation") -> None:
    if (views := found.tta) is not None:
        times = views.milliseconds / views.milliseconds_without
        console.print(
            f"With {views.count} views an image ({', '.join(views.views)}): "
            f"{views.gain.describe()}. It takes {views.milliseconds:.2g} ms an image in place of "
            f"{views.milliseconds_without:.2g} ({times:.1f} times)."
        )
    if (against := found.baseline) is not None:
        both = against.comparison
        console.print(
            styled(
                f"Against {against.other} on {both.n:,} images, {percent(both.first)} to "
                f"{percent(both.second)}: ",
                (both.describe(), "bold"),
                ".",
            )
        )


def _show_confused(console: "PlainConsole", figures: "Metrics") -> None:
    pairs = [
        f"{pair.true} taken for {pair.predicted} {pair.count:,} times "
        f"({with_ends(pair.share, pair.share_interval)})"
        for pair in figures.confused[:_PAIRS]
    ]
    if pairs:
        console.print(f"Confused most: {'; '.join(pairs)}.")


def _show_classes(console: "PlainConsole", figures: "Metrics") -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("class", "images", "recall, %", "precision, %", "F1, %"):
        table.add_column(heading, justify="left" if heading == "class" else "right")
    for own in figures.classes:
        table.add_row(
            own.name,
            f"{own.support:,}",
            _in_a_cell(own.recall, own.recall_interval),
            _in_a_cell(own.precision, own.precision_interval),
            _in_a_cell(own.f1, own.f1_interval),
        )
    print_table(console, table)


def _in_a_cell(share: float | None, ends: "Ends") -> str:
    if share is None or ends is None:
        return "-"
    return f"{100 * share:.1f} ({100 * ends[0]:.1f}–{100 * ends[1]:.1f})"
