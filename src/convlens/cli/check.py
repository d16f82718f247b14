"""``convlens check``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli.output import (
    CacheOption,
    DeviceOption,
    JsonOption,
    TrustCodeOption,
    print_json,
    stdout,
)
from convlens.cli.run_options import (
    AugmentOption,
    EpochsOption,
    HeadOption,
    LayersOption,
    ModelOption,
    PretrainedOption,
    RecipeOption,
    SeedOption,
    SettingsOption,
    SizeOption,
    WeightsOption,
)
from convlens.core.console import styled
from convlens.core.errors import LAID_OUT

if TYPE_CHECKING:
    from convlens.core.console import PlainConsole
    from convlens.preflight import Finding, Preflight

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "cyan"}
_FILES = 3


def check(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE|RECIPE",
            help="Labeled images in any form that train takes, or a recipe's .toml file.",
        ),
    ] = None,
    model: ModelOption = None,
    layers: LayersOption = None,
    head: HeadOption = None,
    pretrained: PretrainedOption = False,
    weights: WeightsOption = None,
    recipe: RecipeOption = None,
    splits: Annotated[Path | None, typer.Option(help="A run's splits.csv to keep.")] = None,
    augment: AugmentOption = None,
    epochs: EpochsOption = None,
    size: SizeOption = None,
    seed: SeedOption = None,
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
    device: DeviceOption = "auto",
    cache: CacheOption = True,
    settings: SettingsOption = None,
    trust_code: TrustCodeOption = False,
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
        splits=splits,
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
        trust_code=trust_code,
    )
    if as_json:
        print_json(found.as_json())
    else:
        _show(found)
    if found.blocking:
        raise typer.Exit(2)


def _show(found: "Preflight") -> None:
    from convlens.preflight.codes import CODES

    console = stdout()
    for finding in found.findings:
        _show_finding(console, finding, allowed=finding.code in found.allowed)
    console.print(found.in_a_line())
    if found.estimate is not None:
        console.print(f"a run would take {found.estimate.describe()}")
    elif found.blocking:
        known = any(finding.code in CODES for finding in found.blocking)
        console.print("errors stop training" + "; --allow CODE lets one pass" * known)


def _show_finding(console: "PlainConsole", finding: "Finding", *, allowed: bool) -> None:
    """Severity and code, a sentence, up to three files, the remedy."""
    from rich.padding import Padding

    note = " (allowed)" if allowed and finding.severity == "error" else ""
    heading = (finding.severity, _COLOURS[finding.severity])
    console.print(styled(heading, (f" {finding.code}", "bold"), note))
    lines = finding.message.split("\n") if finding.code in LAID_OUT else [finding.message]
    for line in lines:
        console.print(Padding(styled(line), (0, 0, 0, 2), expand=False))
    for file in finding.files[:_FILES]:
        console.print(styled((f"    {file}", "dim")), soft_wrap=True)
    if (more := len(finding.files) - _FILES) > 0:
        console.print(styled((f"    and {more:,} more (--json lists them)", "dim")))
    if "convlens " in finding.remedy or "--" in finding.remedy:  # to be typed: never broken
        console.print(f"  → {finding.remedy}", soft_wrap=True)
    else:
        console.print(Padding(styled(f"→ {finding.remedy}"), (0, 0, 0, 2), expand=False))
    console.print()
