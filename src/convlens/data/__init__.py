"""What a user points at, made into correct batches.

A *source* is what the user points at: a folder of class folders, an ``.npz`` file, arrays, a name
of the catalogue. An *image set* is its labelled images and the split each is in. *Pixels* are
decoded, a *batch* is what a step consumes.

    images = open_source("plants/", seed=0, reporter=Quiet())
    images.classes                   # ("daisy", "rose", "tulip")
    images.splits["val"]             # sorted image numbers
    images.counts()["train"]         # {"daisy": 410, "rose": 398, "tulip": 520}

Nothing here loads torch before a batch is asked for, so that a mistyped folder is refused at once.
"""

from convlens.data.arrays import pixels_of
from convlens.data.image_files import find_images
from convlens.data.image_set import SPLITS, ImageSet, Skipped
from convlens.data.settings import DataSettings
from convlens.data.sources import Source, open_for_evaluation, open_source

__all__ = [
    "SPLITS",
    "DataSettings",
    "ImageSet",
    "Skipped",
    "Source",
    "find_images",
    "open_for_evaluation",
    "open_source",
    "pixels_of",
]
