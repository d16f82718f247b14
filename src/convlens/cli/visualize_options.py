"""What the looks have in common: their options, and how they tell what was found."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from convlens.cli.output import print_json, stdout

if TYPE_CHECKING:
    from convlens.inspection.pictures import Look

ModelArgument: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="MODEL|RUN",
        help="A network by name, your own as file.py:function, or a run's or bundle's folder.",
    ),
]
ImagesArgument: TypeAlias = Annotated[
    list[Path], typer.Argument(metavar="IMAGE...", help="Image files, or folders of them.")
]
PretrainedOption: TypeAlias = Annotated[
    bool, typer.Option("--pretrained", help="Give a named network its published ImageNet weights.")
]
WeightsOption: TypeAlias = Annotated[
    Path | None, typer.Option(help="Give a named network the weights in this file.")
]
InputOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--input", metavar="HxWxC", help="A named network's image: 28x28x1; default its own."
    ),
]
SeedOption: TypeAlias = Annotated[int, typer.Option(min=0, help="For random weights.")]
OutOption: TypeAlias = Annotated[Path, typer.Option(help="The folder for pictures and arrays.")]
LayersOption: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--layer", help="A stage, or a layer as inspect names it; repeatable."),
]
ScaleOption: TypeAlias = Annotated[
    Literal["own", "shared"], typer.Option(help="Colors over each one's own range, or over all.")
]


def tell(
    found: "Look", out: Path, lines: list[str], *, as_json: bool, animate: str | None = None
) -> None:
    """Write a look's files, and say in lines, or as JSON, what was found."""
    from convlens.core.terminal import Terminal

    files = found.save(out, animate=animate, reporter=Terminal())
    if as_json:
        print_json({**found.summary, "files": [str(path) for path in files]})
        return
    console = stdout()
    for line in lines:
        console.print(line, soft_wrap=True)
    for path in files:
        console.print(f"written to {path}", soft_wrap=True)


def sides(shape: list[int]) -> str:
    """Height, width and channels as they are read aloud."""
    return "×".join(map(str, shape))
