"""``convlens visualize rate``."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    LayersOption,
    ModelOption,
    PretrainedOption,
    RecipeOption,
    SeedOption,
    SettingsOption,
    SizeOption,
    WeightsOption,
)

if TYPE_CHECKING:
    from convlens.runs import LrFinderResult


def rate(
    source: Annotated[
        str | None, typer.Argument(metavar="SOURCE", help="Labeled images, as for train.")
    ] = None,
    model: ModelOption = None,
    layers: LayersOption = None,
    pretrained: PretrainedOption = False,
    weights: WeightsOption = None,
    recipe: RecipeOption = None,
    size: SizeOption = None,
    seed: SeedOption = None,
    settings: SettingsOption = None,
    out: Annotated[
        Path, typer.Option(help="The PNG file to write, or a folder for rate.png.")
    ] = Path("visualize"),
    device: DeviceOption = "auto",
    cache: CacheOption = True,
    trust_code: TrustCodeOption = False,
    as_json: JsonOption = False,
) -> None:
    """Try ever higher learning rates on train's first steps, and suggest one to train at.

    Example: convlens visualize rate plants --model resnet18 --out rate.png
    """
    from convlens import api
    from convlens.core.files import png_path

    found = api.visualize_lr(
        source,
        model=model,
        layers=layers,
        pretrained=pretrained,
        weights=weights,
        recipe=recipe,
        size=size,
        seed=seed,
        settings=settings or (),
        out=out,
        device=device,
        cache=cache,
        trust_code=trust_code,
    )
    path = str(png_path(out, name="rate.png"))
    if as_json:
        print_json(_as_json(found) | {"files": [path]})
        return
    console = stdout()
    for line in _in_words(found):
        console.print(line, soft_wrap=True)
    console.print(f"written to {path}", soft_wrap=True)


def _as_json(found: "LrFinderResult") -> dict[str, Any]:
    return {
        "suggestion": found.suggestion,
        "setting": found.setting,
        "unasked": found.recipe.training.plan[0].optimizer.learning_rate,
        "rates": list(found.curve.rates),
        "losses": list(found.curve.losses),
    }


def _in_words(found: "LrFinderResult") -> list[str]:
    """What was found, and what to type, in lines of at most 80 columns."""
    training, curve = found.recipe.training, found.curve
    own = training.plan[0].optimizer
    tried = f"{len(curve.rates)} rates from {curve.rates[0]:.2g} to {curve.rates[-1]:.2g}"
    asked = f"as it is asked, train takes {own.learning_rate:g}"
    if found.suggestion is None:
        return _wrapped(
            f"no learning rate to suggest: the loss did not fall at any of {tried}; {asked}. Look "
            "whether the labels are those of the images, take more images a step (--set "
            f"training.batch_size={2 * training.batch_size}), or try another --model"
        )
    lines = _wrapped(
        f"learning rate {found.suggestion:g} for {own.name}: there the loss was well on its way "
        f"down, from {curve.losses[0]:.2f} to {min(curve.losses):.2f}, of {tried}; {asked}"
    )
    if found.setting is not None:
        return [*lines, "to train at it, pass to convlens train:", f"  --set {found.setting}"]
    return [
        *lines,
        "phases state rates of their own; write in the recipe's first phase:",
        f"  optimizer.learning_rate = {found.suggestion:g}",
    ]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 80, break_on_hyphens=False)
