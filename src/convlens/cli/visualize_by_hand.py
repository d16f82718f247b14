"""``convlens visualize convolution`` and ``convlens visualize pooling``."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import typer

from convlens.cli.output import JsonOption
from convlens.cli.visualize_options import OutOption, sides, tell
from convlens.core.errors import ConvlensError

NumbersOption: TypeAlias = Annotated[
    str | None, typer.Option(help='In place of an image: "1 2 0; 0 1 2; 1 0 1".')
]
ImageArgument: TypeAlias = Annotated[
    Path | None,
    typer.Argument(help="An image file, taken in gray; a 5×5 example by default."),
]
AtOption: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="ROW,COLUMN", help="The number to explain, counted from 0."),
]
LongestOption: TypeAlias = Annotated[
    int, typer.Option(min=1, max=1024, help="Bring the image's longer side to so many pixels.")
]
AnimateOption: TypeAlias = Annotated[
    bool, typer.Option("--animate", help="Also write the sliding window as a moving picture.")
]
FormatOption: TypeAlias = Annotated[
    Literal["gif", "webp"], typer.Option("--format", help="Of the moving picture.")
]


def convolution(
    image: ImageArgument = None,
    kernel: Annotated[
        str,
        typer.Option(
            help='"vertical edge", blur, sharpen, emboss, …; or "-1 0 1; -1 0 1; -1 0 1".'
        ),
    ] = "vertical edge",
    stride: Annotated[int, typer.Option(min=1, help="Pixels from stop to stop.")] = 1,
    padding: Annotated[str, typer.Option(help="Pixels on every side, same or valid.")] = "0",
    dilation: Annotated[int, typer.Option(min=1, help="Pixels from weight to weight.")] = 1,
    numbers: NumbersOption = None,
    at: AtOption = None,
    size: LongestOption = 224,
    animate: AnimateOption = False,
    form: FormatOption = "gif",
    out: OutOption = Path("visualize"),
    as_json: JsonOption = False,
) -> None:
    """Slide one kernel over one image, and show the sum that makes one number.

    Example: convlens visualize convolution leaf.jpg --kernel blur --animate --out pictures
    """
    from convlens import api

    found = api.visualize_convolution(
        _image(image, numbers),
        kernel=kernel,
        stride=stride,
        padding=_padding(padding),
        dilation=dilation,
        at=_row_and_column(at),
        size=size,
    )
    told = found.summary
    row, column = told["at"]
    lines = [
        f"{told['kernel']}, {sides(told['image'])} → {sides(told['output'])}: {told['formula']}",
        *_matrix_lines(told, "image", "kernel"),
        f"at ({row}, {column}): {_sum(told)} = {told['sum']:g}",
        *_matrix_lines(told, "feature_map"),
    ]
    tell(found, out, lines, as_json=as_json, animate=form if animate else None)


def pooling(
    image: ImageArgument = None,
    window: Annotated[int, typer.Option(min=1, help="Its side in pixels.")] = 2,
    stride: Annotated[
        int | None, typer.Option(min=1, help="Pixels from stop to stop; default the window's side.")
    ] = None,
    padding: Annotated[int, typer.Option(min=0, help="Pixels on every side.")] = 0,
    numbers: NumbersOption = None,
    at: AtOption = None,
    size: LongestOption = 224,
    animate: AnimateOption = False,
    form: FormatOption = "gif",
    out: OutOption = Path("visualize"),
    as_json: JsonOption = False,
) -> None:
    """Slide a window over one image, keeping the largest number and the mean.

    Example: convlens visualize pooling --window 2 --stride 1 --animate --out pictures
    """
    from convlens import api

    found = api.visualize_pooling(
        _image(image, numbers),
        window=window,
        stride=stride,
        padding=padding,
        at=_row_and_column(at),
        size=size,
    )
    told = found.summary
    row, column = told["at"]
    lines = [
        f"{sides(told['image'])} → {sides(told['output'])}: {told['formula']}",
        *_matrix_lines(told, "image"),
        f"at ({row}, {column}): largest {told['max']:g}, mean {told['average']:g}",
        *_matrix_lines(told, "max", "average"),
    ]
    tell(found, out, lines, as_json=as_json, animate=form if animate else None)


def _image(image: Path | None, numbers: str | None) -> Any:
    if image is not None and numbers is not None:
        raise ConvlensError(
            f"both an image ({image}) and --numbers are given; give one", code="bad-option"
        )
    if numbers is None:
        return image
    from convlens.inspection import read_matrix

    return read_matrix(numbers, what="--numbers")


def _padding(text: str) -> int | Literal["same", "valid"]:
    if text == "same":
        return "same"
    if text == "valid":
        return "valid"
    if not text.isdecimal():
        raise ConvlensError(
            f"--padding is '{text}'; expected 0 or more pixels, same or valid", code="bad-option"
        )
    return int(text)


def _row_and_column(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"\s*(\d+)\s*[, ]\s*(\d+)\s*", text)
    if match is None:
        raise ConvlensError(
            f"--at is '{text}'; expected row and column, such as 0,2", code="bad-option"
        )
    return int(match[1]), int(match[2])


def _sum(told: dict[str, Any]) -> str:
    """Each pixel times its weight, added up; where there are many, how many."""
    terms = [
        f"{pixel:.4g}·{weight:.4g}" if weight >= 0 else f"{pixel:.4g}·({weight:.4g})"
        for pixels, weights in zip(told["window"], told["weights"], strict=True)
        for pixel, weight in zip(pixels, weights, strict=True)
    ]
    return " + ".join(terms) if len(terms) <= 25 else f"the sum of {len(terms)} products"


def _matrix_lines(told: dict[str, Any], *names: str) -> list[str]:
    """Small matrices as text, one below the other; nothing where they are large."""
    lines = []
    for name in names:
        matrix = told.get("numbers", {}).get(name)
        if matrix:
            cells = [[f"{value:.4g}" for value in row] for row in matrix]
            width = max(len(cell) for row in cells for cell in row)
            lines += [f"{name.replace('_', ' ')}:"]
            lines += ["  " + " ".join(cell.rjust(width) for cell in row) for row in cells]
    return lines
