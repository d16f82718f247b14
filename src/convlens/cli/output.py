"""What every verb prints: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NoReturn, TypeAlias

import typer
from rich.console import Console
from rich.markup import escape

from convlens.core.json_text import finite
from convlens.core.words import percent

JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")
]
TrustCodeOption: TypeAlias = Annotated[
    bool,
    typer.Option("--trust-code", help="Run the code that the bundle of an own network carries."),
]
DeviceOption: TypeAlias = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
CacheOption: TypeAlias = Annotated[
    bool,
    typer.Option(" /--no-cache", help="Keep decoded images in memory, not on disk for later."),
]
ViewsOption: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="VIEWS", help="Ask about other views of every image too: flip, crops, flip,crops."
    ),
]


def stdout() -> Console:
    """The console for results; it keeps to the terminal's width."""
    return Console(highlight=False)


def with_ends(share: float | None, ends: Sequence[float] | None) -> str:
    """A share with the ends of its interval, as far as there are such.

    Example:
        >>> with_ends(0.98, (0.95, 0.99)), with_ends(0.98, None), with_ends(None, None)
        ('98.0 % (95.0 to 99.0)', '98.0 %', 'none')
    """
    if share is None:
        return "none"
    if ends is None:
        return percent(share)
    return f"{percent(share)} ({100 * ends[0]:.1f} to {100 * ends[1]:.1f})"


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON object on stdout; a number that is not finite becomes null."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    sys.stdout.write(text + "\n")


def fail(message: str, *, code: str, status: int, as_json: bool) -> NoReturn:
    """Say what went wrong, and leave with its exit status."""
    if as_json:
        print_json({"error": {"code": code, "message": message}})
    else:
        Console(stderr=True, highlight=False).print(f"[bold red]error[/bold red] {escape(message)}")
    sys.exit(status)
