"""What every verb prints: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

import typer

from convlens.core.console import PlainConsole, styled
from convlens.core.formatting import percent
from convlens.core.json_text import finite
from convlens.core.printable import printable_json

JsonOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout, all else on stderr.")
]
TrustCodeOption: TypeAlias = Annotated[
    bool,
    typer.Option("--trust-code", help="Run the code that a bundle, run or recipe brings."),
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


def stdout() -> PlainConsole:
    """The console for results; it keeps to the terminal's width."""
    return PlainConsole()


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
    """One JSON object on stdout: a number that is not finite is null.

    In ASCII where stdout's encoding does not hold every character.
    """
    unicode = (sys.stdout.encoding or "utf-8").lower().replace("-", "").startswith("utf")
    text = json.dumps(finite(value), indent=2, ensure_ascii=not unicode, allow_nan=False)
    sys.stdout.write(printable_json(text) + "\n")


def show_error(message: str, *, code: str, as_json: bool, laid_out: bool = False) -> None:
    """Say what went wrong.

    Args:
        message: what.
        code: the error's code.
        as_json: on stdout, as JSON.
        laid_out: its line breaks are kept.
    """
    if as_json:
        print_json({"error": {"code": code, "message": message}})
        return
    console = PlainConsole(stderr=True)
    first, *others = message.split("\n") if laid_out else [message]
    console.print(styled(("error", "bold red"), " ", first), soft_wrap=True)
    for line in others:
        console.print(line, soft_wrap=True)
