"""``convlens visualize augment``."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli.output import JsonOption, print_json, stdout
from convlens.cli.run_options import SettingsOption, SizeOption


def augment(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE|SOURCE", help="An image file, or labeled images as for train."
        ),
    ],
    policy: Annotated[
        str | None,
        typer.Option(
            help="none, light, standard, strong or trivial; by default what train would choose."
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The PNG file to write, or a folder for augmentation.png.")
    ] = Path("visualize"),
    size: SizeOption = None,
    number: Annotated[int, typer.Option(min=0, help="Which training image of a source.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Fixes every draw.")] = 0,
    settings: SettingsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what training makes of an image: the original and what nine epochs see of it.

    Example: convlens visualize augment leaf.jpg --policy standard --out sheet.png
    """
    from convlens import api
    from convlens.augment.pictures import picture_path

    found = api.visualize_augment(
        source,
        policy=policy,
        size=size,
        number=number,
        seed=seed,
        settings=settings or (),
        out=out,
    )
    path = str(picture_path(out))
    if as_json:
        print_json({"epochs": [list(phrases) for phrases in found.drawn], "files": [path]})
        return
    console = stdout()
    for epoch, phrases in enumerate(found.drawn, start=1):
        line = f"epoch {epoch}  {', '.join(phrases) or 'unchanged'}"
        console.print(line, soft_wrap=True)
    console.print(f"written to {path}", soft_wrap=True)
