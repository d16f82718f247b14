"""What is shown of augmentation is what training sees."""

import numpy as np

from convlens.augment import AugmentSettings
from convlens.core.reporter import Quiet
from convlens.data import open_source
from convlens.recipe import resolve_defaults
from convlens.runs import augment_preview


def test_images_of_the_inputs_size_are_shown_without_a_margin() -> None:
    """As `read_pixels` decodes them for training: see `margin_in_force`."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 24, 24, 3), np.uint8)
    images = open_source((pixels, np.arange(40) % 2), reporter=Quiet())
    recipe, _ = resolve_defaults({"source": "arrays", "augment": {"policy": "standard"}}, images)
    assert recipe.augment.margin > 0
    number = int(images.splits["train"][3])
    unchanged = augment_preview(recipe, images, number, settings=AugmentSettings())
    assert (unchanged.original == pixels[number]).all()
    assert all((image == pixels[number]).all() for image in unchanged.images)
    changed = augment_preview(recipe, images, number)
    assert not (changed.images[0] == pixels[number]).all()


def test_larger_images_keep_their_margin() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48, 48, 3), np.uint8)
    images = open_source((pixels, np.arange(40) % 2), reporter=Quiet())
    asked = {"source": "arrays", "augment": {"policy": "standard"}}
    recipe, _ = resolve_defaults({**asked, "input": {"height": 24, "width": 24}}, images)
    number = int(images.splits["train"][0])
    found = augment_preview(recipe, images, number)
    assert found.original.shape == (24, 24, 3)
    assert found.images.shape[1:] == (24, 24, 3)
