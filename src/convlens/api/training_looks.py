"""Pictures of what training would do: augmented images, and learning rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.options import build_config, model_options, opened, reporter_for, source_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from convlens.augment.pictures import FirstEpochs
    from convlens.core.reporter import Reporter
    from convlens.data import ImageSet
    from convlens.runs import LrFinderResult


def visualize_augment(
    source: Any,
    *,
    policy: str | None = None,
    size: str | int | None = None,
    number: int = 0,
    seed: int = 0,
    settings: Sequence[str] | Mapping[str, Any] = (),
    out: str | Path | None = None,
    quiet: bool = False,
) -> FirstEpochs:
    """Show what training makes of an image: the original, and what its first nine epochs see.

    Args:
        source: an image file, or labeled images in any form that `train` takes.
        policy: ``"none"``, ``"light"``, ``"standard"``, ``"strong"`` or ``"trivial"``; by default
            the one that `train` would choose, as is all else that is not said here.
        size: the network's input in pixels: 224, or ``"96x160"`` (height × width).
        number: of a source, which of its training images.
        seed: the run's seed.
        settings: any key of the recipe as ``"part.key=value"``, or as ``{"part.key": value}``.
        out: a PNG file to write; by default none.
        quiet: show nothing.

    Returns:
        The original, the nine images, and in words what was drawn for each.

    Raises:
        ConvlensError: the source cannot be read, or what is asked for is not valid.
    """
    from convlens.augment.pictures import draw_sheet, picture_path
    from convlens.core.canvas import save_picture
    from convlens.core.errors import ConvlensError
    from convlens.recipe import resolve_defaults
    from convlens.runs import augment_preview

    path = None if out is None else picture_path(out)
    nothing = {"name": None, "layers": None}
    asked = build_config(
        None, model=nothing, augment=policy, epochs=None, size=size, seed=seed, settings=settings
    )
    images = _images_or_image(source, seed=seed, reporter=reporter_for(quiet))
    recipe, reasons = resolve_defaults({**asked, "source": source_name(source)}, images)
    numbers = images.splits["train"]
    if not 0 <= number < len(numbers):
        raise ConvlensError(
            f"image number {number} is asked for; {images.name} has {len(numbers):,} training "
            f"images: give a number from 0 to {len(numbers) - 1}",
            code="no-such-image",
        )
    index = int(numbers[number])
    found = augment_preview(recipe, images, index)
    if path is not None:
        name = (
            f"{images.name}, image {index}"
            if images.paths is None
            else Path(images.paths[index]).name
        )
        chosen = reasons.get("augment") or f"policy {asked['augment']['policy']}"
        figure = draw_sheet(
            found,
            title=f"Augmentation of {name}",
            detail=f"{chosen}; seed {recipe.seed}"
            + "; MixUp and CutMix, which need a batch, are not shown" * recipe.augment.mixes,
        )
        save_picture(figure, path)
    return found


def _images_or_image(source: Any, *, seed: int, reporter: Reporter) -> ImageSet:
    """Labeled images, or a single image file as if it were the only training image."""
    import numpy as np

    from convlens.core.errors import ConvlensError
    from convlens.data import ImageSet, open_source

    try:
        return open_source(source, seed=seed, reporter=reporter)
    except ConvlensError as error:
        path = Path(source) if isinstance(source, str | Path) else None
        if error.code != "unknown-source" or path is None or not path.is_file():
            raise
        none = np.zeros(0, np.int64)
        return ImageSet(
            name=path.name,
            classes=("image",),
            labels=np.zeros(1, np.int64),
            splits={"train": np.zeros(1, np.int64), "val": none, "test": none},
            paths=[str(path)],
        )


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
    complete_recipe = complete_recipe.trusting_code()  # `what_is_asked` has seen to it
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
