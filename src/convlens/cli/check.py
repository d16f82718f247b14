"""``convlens check``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli.output import CacheOption, JsonOption, print_json, stdout

if TYPE_CHECKING:
    from rich.console import Console

    from convlens.preflight import Finding, Preflight

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_FILES = 3


def check(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE|RECIPE",
            help="Labelled images in any form that train takes, or a recipe's .toml file.",
        ),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A network by name, or your own as file.py:function.")
    ] = None,
    layers: Annotated[
        str | None, typer.Option(help='A network as text: "conv 32 3 same relu, maxpool 2, …".')
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(help='After the stages: "globalavgpool, dense 256 relu, dropout 0.5, dense".'),
    ] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Begin from the published ImageNet weights.")
    ] = False,
    weights: Annotated[
        Path | None, typer.Option(help="Begin from a .safetensors or .pth file.")
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="A TOML file to begin from; options come before it.")
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(help="Of training images: none, light, standard, strong or trivial."),
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Passes over the images.")] = None,
    size: Annotated[
        str | None, typer.Option(help="The network's input in pixels: 224, or 96x160 (H x W).")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Fixes every draw; default 0.")] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="An error that is not to stop a run; repeatable."),
    ] = None,
    fix: Annotated[
        Path | None,
        typer.Option(metavar="FILE.csv", help="Write a cleaned table, which train takes."),
    ] = None,
    measure: Annotated[
        bool, typer.Option(" /--no-estimate", help="Take no steps to estimate time and memory.")
    ] = True,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    cache: CacheOption = True,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PART.KEY=VALUE", help="Any key of the recipe; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find what is wrong with images or a recipe before an epoch is spent; nothing is trained.

    The exit status is 2 where an error would stop training.

    Example: convlens check plants --fix clean.csv
    """
    from convlens import api

    found = api.check(
        source,
        model=model,
        layers=layers,
        head=head,
        pretrained=pretrained,
        weights=weights,
        recipe=recipe,
        augment=augment,
        epochs=epochs,
        size=size,
        seed=seed,
        allow=allow or (),
        fix=fix,
        measure=measure,
        device=device,
        cache=cache,
        settings=settings or (),
    )
    if as_json:
        print_json(found.as_json())
    else:
        _show(found)
    if found.blocking:
        raise typer.Exit(2)


def _show(found: "Preflight") -> None:
    console = stdout()
    for finding in found.findings:
        _show_finding(console, finding, allowed=finding.code in found.allowed)
    console.print(found.in_a_line(), markup=False)
    if found.estimate is not None:
        console.print(f"a run would take {found.estimate.in_words()}", markup=False)
    elif found.blocking:
        console.print("errors stop training; --allow CODE lets one pass", markup=False)


def _show_finding(console: "Console", finding: "Finding", *, allowed: bool) -> None:
    """Severity and code, a sentence, up to three files, the remedy."""
    from rich.padding import Padding
    from rich.text import Text

    heading = Text(f"{finding.severity}", _COLOURS[finding.severity])
    heading.append(f" {finding.code}", "bold")
    heading.append(" (allowed)" if allowed and finding.severity == "error" else "")
    console.print(heading)
    console.print(Padding(Text(finding.message), (0, 0, 0, 2)))
    for file in finding.files[:_FILES]:
        console.print(Padding(Text(file, "dim", overflow="fold"), (0, 0, 0, 4)))
    if (more := len(finding.files) - _FILES) > 0:
        console.print(Padding(Text(f"and {more:,} more (--json lists them)", "dim"), (0, 0, 0, 4)))
    console.print(Padding(Text.assemble("→ ", finding.remedy), (0, 0, 0, 2)))
    console.print()
