"""``convlens visualize``: one command a look."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from convlens.cli.output import DeviceOption, JsonOption, TrustCodeOption
from convlens.cli.visualize_augment import augment
from convlens.cli.visualize_by_hand import convolution, pooling
from convlens.cli.visualize_lr import rate
from convlens.cli.visualize_options import (
    ImagesArgument,
    InputOption,
    LayersOption,
    ModelArgument,
    OutOption,
    PretrainedOption,
    ScaleOption,
    SeedOption,
    WeightsOption,
    sides,
    tell,
)
from convlens.core.formatting import percent

app = typer.Typer(
    name="visualize",
    help="See inside: feature maps, filters, Grad-CAM, learning rates, convolution by hand.",
    no_args_is_help=True,
)
app.command()(convolution)
app.command()(pooling)
app.command()(augment)
app.command()(rate)


@app.command()
def features(
    model: ModelArgument,
    images: ImagesArgument,
    layers: LayersOption = None,
    scale: ScaleOption = "own",
    channels: Annotated[
        int, typer.Option(min=1, help="Show so many at most: those that vary most.")
    ] = 64,
    out: OutOption = Path("visualize"),
    pretrained: PretrainedOption = False,
    weights: WeightsOption = None,
    input_shape: InputOption = None,
    seed: SeedOption = 0,
    trust_code: TrustCodeOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show what each channel of a layer answers to each image.

    Example: convlens visualize features runs/plants leaf.jpg --layer layer2 --out pictures
    """
    from convlens import api

    looker = api.visualize(
        model,
        pretrained=pretrained,
        weights=weights,
        input=input_shape,
        seed=seed,
        trust_code=trust_code,
        device=device,
    )
    found = looker.features(images, layers=layers or (), scale=scale, channels=channels)
    lines = [
        f"{row['layer']}  {sides(row['shape'])}  {row['dead']} of {row['shape'][-1]} channels dead"
        for row in found.summary["layers"]
    ]
    tell(found, out, lines, as_json=as_json)


@app.command()
def filters(
    model: ModelArgument,
    layers: LayersOption = None,
    scale: ScaleOption = "own",
    most: Annotated[int, typer.Option(min=1, help="Show so many at most: the strongest.")] = 64,
    out: OutOption = Path("visualize"),
    pretrained: PretrainedOption = False,
    weights: WeightsOption = None,
    input_shape: InputOption = None,
    seed: SeedOption = 0,
    trust_code: TrustCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show the kernels that a convolution has learned: the first one's in color, others by norm.

    Example: convlens visualize filters resnet18 --pretrained --out pictures
    """
    from convlens import api

    looker = api.visualize(
        model,
        pretrained=pretrained,
        weights=weights,
        input=input_shape,
        seed=seed,
        trust_code=trust_code,
        device="cpu",
    )
    found = looker.filters(layers=layers or (), scale=scale, most=most)
    lines = [
        f"{row['layer']}  {row['filters']} filters of {sides(row['kernel'])}; "
        f"the strongest is {row['strongest']}"
        for row in found.summary["layers"]
    ]
    tell(found, out, lines, as_json=as_json)


@app.command()
def gradcam(
    model: ModelArgument,
    images: ImagesArgument,
    class_name: Annotated[
        str | None,
        typer.Option("--class", help="By name or number; each image's likeliest by default."),
    ] = None,
    layer: Annotated[str | None, typer.Option(help="The last stage by default.")] = None,
    out: OutOption = Path("visualize"),
    pretrained: PretrainedOption = False,
    weights: WeightsOption = None,
    input_shape: InputOption = None,
    seed: SeedOption = 0,
    trust_code: TrustCodeOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Show where in each image the network finds its evidence for a class.

    Example: convlens visualize gradcam runs/plants leaf.jpg --class tulsi --out pictures
    """
    from convlens import api

    looker = api.visualize(
        model,
        pretrained=pretrained,
        weights=weights,
        input=input_shape,
        seed=seed,
        trust_code=trust_code,
        device=device,
    )
    found = looker.gradcam(images, class_name=class_name, layer=layer)
    lines = [
        f"{row['image']}  {row['class']} {percent(row['probability'])}"
        + ("" if row["evidence"] else "  (no evidence for it at this layer)")
        for row in found.summary["images"]
    ]
    tell(found, out, lines, as_json=as_json)


@app.command()
def shift(
    model: ModelArgument,
    image: Annotated[Path, typer.Argument(help="An image file.")],
    by: Annotated[
        int | None, typer.Option(min=1, help="Pixels either way; 16 or a quarter by default.")
    ] = None,
    axis: Annotated[Literal["x", "y"], typer.Option(help="x: to the right; y: down.")] = "x",
    layers: LayersOption = None,
    out: OutOption = Path("visualize"),
    pretrained: PretrainedOption = False,
    weights: WeightsOption = None,
    input_shape: InputOption = None,
    seed: SeedOption = 0,
    trust_code: TrustCodeOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Move an image pixel by pixel: how the feature maps follow, and how the answer holds.

    Example: convlens visualize shift runs/plants leaf.jpg --by 8 --out pictures
    """
    from convlens import api

    looker = api.visualize(
        model,
        pretrained=pretrained,
        weights=weights,
        input=input_shape,
        seed=seed,
        trust_code=trust_code,
        device=device,
    )
    found = looker.shift(image, reach=by, axis=axis, layers=layers or ())
    told = found.summary
    low, high = percent(told["lowest_probability"]), percent(told["highest_probability"])
    line = (
        f"'{told['class']}' is the answer at {told['same_answer']} of {told['offsets']} offsets, "
        f"its probability from {low} to {high}"
    )
    tell(found, out, [line], as_json=as_json)
