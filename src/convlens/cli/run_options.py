"""The options that say which run is meant: of `train`, `check`, `visualize rate` and others."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

ModelOption: TypeAlias = Annotated[
    str | None, typer.Option(help="A network by name, or your own as file.py:function.")
]
LayersOption: TypeAlias = Annotated[
    str | None, typer.Option(help='A network as text: "conv 32 3 same relu, maxpool 2, ...".')
]
HeadOption: TypeAlias = Annotated[
    str | None,
    typer.Option(help='After the stages: "globalavgpool, dense 256 relu, dropout 0.5, dense".'),
]
PretrainedOption: TypeAlias = Annotated[
    bool, typer.Option("--pretrained", help="Begin from the published ImageNet weights.")
]
WeightsOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="Begin from a .safetensors or .pth file.")
]
RecipeOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|NAME",
        help="A TOML file to begin from, or a ready recipe: chapter-cifar10, chapter-transfer, "
        "cifar10-sprint, cifar10-sprint-15m, cifar10-sprint-30m. Options come before it.",
    ),
]
AugmentOption: TypeAlias = Annotated[
    str | None, typer.Option(help="Of training images: none, light, standard, strong or trivial.")
]
EpochsOption: TypeAlias = Annotated[int | None, typer.Option(min=1, help="Passes over the images.")]
SizeOption: TypeAlias = Annotated[
    str | None, typer.Option(help="The network's input in pixels: 224, or 96x160 (H x W).")
]
SeedOption: TypeAlias = Annotated[
    int | None, typer.Option(min=0, help="Fixes every draw; default 0.")
]
SettingsOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PART.KEY=VALUE", help="Any key of the recipe; repeatable."),
]
