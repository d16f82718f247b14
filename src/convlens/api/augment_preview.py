"""Preview the augmentation of a training image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.options import build_config, reporter_for, source_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from convlens.augment.pictures import FirstEpochs
    from convlens.core.reporter import Reporter
    from convlens.data import ImageSet


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
