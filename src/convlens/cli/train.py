"""``convlens train``."""

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
    with_ends,
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
from convlens.core.command_line import command
from convlens.core.console import styled
from convlens.core.formatting import percent

if TYPE_CHECKING:
    from convlens.core.console import PlainConsole
    from convlens.runs import Run


def train(
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="SOURCE",
            help="A folder of class folders (with or without train, val and test above them), "
            "an archive, an .npz file, a table, or a catalog name such as digits.",
        ),
    ] = None,
    model: ModelOption = None,
    layers: LayersOption = None,
    head: HeadOption = None,
    pretrained: PretrainedOption = False,
    weights: WeightsOption = None,
    recipe: RecipeOption = None,
    splits: Annotated[
        Path | None, typer.Option(help="A run's splits.csv to keep; new images are dealt out.")
    ] = None,
    augment: AugmentOption = None,
    epochs: EpochsOption = None,
    budget: Annotated[
        str | None, typer.Option(help="Fit the epochs to a time: 90s, 5m, 1h30m.")
    ] = None,
    size: SizeOption = None,
    seed: SeedOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The run's folder. Default: a new one in runs.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            metavar="[RUN]", help="Go on with an unfinished run; by default the newest under runs."
        ),
    ] = None,
    device: DeviceOption = "auto",
    cache: CacheOption = True,
    settings: SettingsOption = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="An error found beforehand that is not to stop the run."),
    ] = None,
    trust_code: TrustCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a network on labeled images, and measure it on images it never saw.

    Example: convlens train plants --model standard --epochs 20
    """
    from convlens import api
    from convlens.core.distributed import Ranks

    run = api.train(
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
        budget=budget,
        size=size,
        seed=seed,
        out=out,
        resume=resume == "" or resume,
        device=device,
        cache=cache,
        settings=settings or (),
        allow=allow or (),
        trust_code=trust_code,
    )
    if not Ranks.of_torchrun().is_global_zero:
        return
    if as_json:
        print_json(run.summary())
    else:
        show_run(run)


def _show_weak_result(console: "PlainConsole", found: dict[str, str] | None) -> None:
    """Warn that the network is no better than guessing, and why that is likely."""
    if found:
        console.print(styled((found["warning"], "bold red")))
        console.print(f"Likely reason: {found['reason']}.", soft_wrap=True)
        console.print(f"What to do: {found['remedy']}.", soft_wrap=True)


def show_run(run: "Run") -> None:
    """Print the figures of a finished run, and what to type next."""
    console = stdout()
    metrics = run.metrics
    split = "test" if metrics["test"] else "val"
    figures = metrics[split]
    if figures:
        low, high = figures["interval"]
        correct = round(figures["accuracy"] * figures["n"])
        console.print()
        console.print(
            styled(
                (f"{split} accuracy {percent(figures['accuracy'])}", "bold"),
                f"  95 % interval {percent(low)} to {percent(high)}  "
                f"({correct:,} of {figures['n']:,} images)",
            )
        )
        _show_weak_result(console, metrics.get("weak_result"))
        shown = [own for own in figures["classes"] if own["support"]]
        weakest = min(shown, key=lambda own: float(own["recall"]))
        console.print(
            f"weakest class '{weakest['name']}': "
            f"{with_ends(weakest['recall'], weakest['recall_interval'])} of "
            f"{weakest['support']:,} found",
            markup=False,
        )
    unsure = metrics["selective"]["figures"]
    if unsure:
        ends = [1 - end for end in reversed(unsure["answered_interval"])]
        console.print(
            f"not sure of {with_ends(1 - unsure['answered'], ends)}; the true class is among "
            f"those named for {with_ends(unsure['coverage'], unsure['coverage_interval'])}"
        )
    console.print(
        f"{metrics['epochs']} epoch{'s' * (metrics['epochs'] != 1)} in {metrics['seconds']:.1f} s, "
        f"{metrics['images_per_second']:,.0f} images/s; "
        f"the weights are those of epoch {metrics['best_epoch']}"
    )
    console.print()
    report = run.folder / "report.html"
    if report.is_file():
        console.print(f"To see it all, open {report}", soft_wrap=True)
        console.print()
    console.print("Next, type:")
    trust = run.recipe.model.trust_words
    for suggested in (
        command("evaluate", run.folder, *trust),
        command("predict", run.folder, "IMAGE...", *trust),
    ):
        console.print(f"  {suggested}", soft_wrap=True)
