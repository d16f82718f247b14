"""What a run's training sees of an image."""

from typing import TYPE_CHECKING

from convlens.augment import AugmentSettings
from convlens.data import ImageSet, decode, margin_in_force
from convlens.recipe.recipe import Recipe

if TYPE_CHECKING:
    from convlens.augment.pictures import FirstEpochs


def augment_preview(
    recipe: Recipe, images: ImageSet, number: int, *, settings: AugmentSettings | None = None
) -> "FirstEpochs":
    """An image as validation sees it, and as training does in its first nine epochs.

    Args:
        recipe: the run's.
        images: the images of its source, split.
        number: which of them.
        settings: what may happen to it; None for all that the recipe says.

    Raises:
        ConvlensError: the image cannot be read.
    """
    from convlens.augment.pictures import first_epochs  # noqa: PLC0415 - it loads matplotlib

    image = (images.paths or ())[number] if images.arrays is None else images.arrays[number]
    train = images.splits["train"]
    margin = margin_in_force(recipe.augment.margin, images, train, recipe.input)
    return first_epochs(
        decode(image, recipe.input, margin=margin),
        settings or recipe.augment,
        original=decode(image, recipe.input),
        seed=recipe.seed,
        index=number,
    )
