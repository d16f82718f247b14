"""What augmentation makes of one training image."""

from pathlib import Path

from convlens.augment import AugmentSettings
from convlens.data import ImageSet
from convlens.recipe import Recipe
from convlens.reporting.facts import Sheet
from convlens.reporting.pictures import encode
from convlens.runs import augment_preview


def gather_sheet(images: ImageSet, recipe: Recipe) -> Sheet | None:
    """The first training image as training saw it in its first epochs.

    Args:
        images: the run's images.
        recipe: what was asked.

    Returns:
        The sheet; None where nothing is done to an image by itself.

    Raises:
        ConvlensError: the image cannot be read any more.
    """
    mixing = {"mixup": 0.0, "cutmix": 0.0, "early_scale": 1.0, "early_epochs": 0}
    settings = recipe.augment.model_copy(update=mixing)
    numbers = images.splits["train"]
    if settings == AugmentSettings() or not len(numbers):
        return None
    index = int(numbers[0])
    found = augment_preview(recipe, images, index, settings=settings)
    return Sheet(
        name=f"image {index:,}" if images.paths is None else Path(images.paths[index]).name,
        original=encode(found.original),
        epochs=tuple(map(encode, found.images)),
        words=tuple(", ".join(phrases) or "unchanged" for phrases in found.drawn),
    )
