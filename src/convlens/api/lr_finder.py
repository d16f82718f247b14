"""Find a learning rate by trying rising ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.options import build_config, model_options, opened, reporter_for, source_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from convlens.runs import LrFinderResult


def visualize_lr(
    source: Any = None,
    *,
    model: str | None = None,
    layers: str | Sequence[str] | None = None,
    pretrained: bool = False,
    weights: str | Path | None = None,
    recipe: str | Path | None = None,
    size: str | int | None = None,
    seed: int | None = None,
    settings: Sequence[str] | Mapping[str, Any] = (),
    out: str | Path | None = None,
    device: str = "auto",
    cache: bool = True,
    trust_code: bool = False,
    quiet: bool = False,
) -> LrFinderResult:
    """Try ever higher learning rates on a run's first steps, and suggest one; no run is made.

    Args:
        source: as for `train`, as is all that is not named here.
        model: as for `train`.
        layers: as for `train`.
        pretrained: as for `train`.
        weights: as for `train`.
        recipe: as for `train`.
        size: as for `train`.
        seed: as for `train`.
        settings: any key of the recipe as ``"part.key=value"``, or as ``{"part.key": value}``.
        out: a PNG file to write, or a folder for ``rate.png``; by default none.
        device: where to compute.
        cache: keep decoded images on disk for the run; False holds them in memory.
        trust_code: as for `train`.
        quiet: show nothing.

    Returns:
        The curve, the suggested rate, and the setting that asks `train` for it.

    Raises:
        ConvlensError: the request cannot be carried out as it stands.
        WorkFailedError: the work failed.
    """
    from convlens.core.device import choose_device
    from convlens.core.files import png_path

    path = None if out is None else png_path(out, name="rate.png")
    reporter = reporter_for(quiet)
    asked = build_config(
        recipe,
        model=model_options(model=model, layers=layers, pretrained=pretrained, weights=weights),
        augment=None,
        epochs=None,
        size=size,
        seed=seed,
        settings=settings,
        trust_code=trust_code,
    )
    source, images = opened(source, asked, reporter)

    from convlens.data import CacheSettings
    from convlens.inspection.pictures import draw_rates, save_picture
    from convlens.recipe import resolve_defaults
    from convlens.runs import LrFinderResult, rate_setting, try_rates

    complete_recipe, _ = resolve_defaults({**asked, "source": source_name(source)}, images)
    complete_recipe = complete_recipe.trusting_code()  # `build_config` has seen to it
    where, kept = choose_device(device), CacheSettings(enabled=cache)
    curve = try_rates(complete_recipe, images, device=where, cache=kept, reporter=reporter)
    rate = None if curve.suggestion is None else float(f"{curve.suggestion:.2g}")
    if path is not None:
        training = complete_recipe.training
        figure = draw_rates(
            curve.rates,
            curve.losses,
            suggestion=rate,
            title=f"Learning rates tried on {images.name}",
            detail=f"{complete_recipe.model.name or 'layers'}, "
            f"{training.plan[0].optimizer.name}; one step of {training.batch_size} images "
            f"a rate, {len(curve.rates)} in all; seed {complete_recipe.seed}"
            + "; the loss did not fall: no rate is suggested"
            * (rate is None),
        )
        save_picture(figure, path)
    return LrFinderResult(
        curve=curve,
        recipe=complete_recipe,
        suggestion=rate,
        setting=None if rate is None else rate_setting(asked, rate),
    )
