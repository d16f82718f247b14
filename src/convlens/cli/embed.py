"""``convlens embed``."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli.output import DeviceOption, JsonOption, TrustCodeOption, print_json, stdout
from convlens.cli.visualize_options import (
    InputOption,
    ModelArgument,
    PretrainedOption,
    WeightsOption,
)
from convlens.core.formatting import pluralize


def embed(
    model: ModelArgument,
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A folder of class folders or of images, an archive, an .npz file, a table, or a "
            "catalog name such as digits.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    layer: Annotated[
        str | None,
        typer.Option(help="As inspect names it; by default the last stage, before the head."),
    ] = None,
    pool: Annotated[
        bool, typer.Option(help="Average feature maps over their places, to a vector an image.")
    ] = True,
    pretrained: PretrainedOption = False,
    weights: WeightsOption = None,
    input_shape: InputOption = None,
    seed: Annotated[
        int, typer.Option(min=0, help="For random weights, and splits that are to be cut.")
    ] = 0,
    trust_code: TrustCodeOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Write what a network makes of every image, as vectors, with names and labels.

    Example: convlens embed resnet18 plants --pretrained --out features.npz
    """
    from convlens import api

    found = api.embed(
        model,
        source,
        out=out,
        layer=layer,
        pool=pool,
        pretrained=pretrained,
        weights=weights,
        input=input_shape,
        seed=seed,
        trust_code=trust_code,
        device=device,
    )
    if as_json:
        print_json(found.as_json())
        return
    images, *shape = found.shape
    console = stdout()
    wide = "×".join(map(str, shape))
    console.print(f"{pluralize(images)}, {wide} features each ({found.layer})")
    console.print(f"written to {found.path}", soft_wrap=True)
