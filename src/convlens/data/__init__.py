"""What a user points at, made into correct batches.

A *source* is what the user points at: a folder of class folders, an ``.npz`` file, arrays, a name
of the catalog. An *image set* is its labeled images and the split each is in. *Pixels* are
decoded, a *batch* is what a step consumes.

    images = open_source("plants/", seed=0, reporter=Quiet())
    images.classes                   # ("daisy", "rose", "tulip")
    images.splits["val"]             # sorted image numbers
    images.counts()["train"]         # {"daisy": 410, "rose": 398, "tulip": 520}

    spec = InputSpec(height=224, width=224)
    pixels = read_pixels(images, images.splits["train"], spec, reporter=Quiet())
    pixels.array.shape               # (1328, 224, 224, 3), decoded once and kept on disk
    batches = PixelBatches(pixels, images.labels, batch_size=64, seed=0)
    for batch in batches.epoch(0):   # pixels uint8 N×C×H×W, targets, image numbers
        ...

Nothing here loads torch before a batch is asked for, so that a mistyped folder is refused at once.
"""

from convlens.data.arrays import pixels_of
from convlens.data.batches import PixelBatches
from convlens.data.cache_usage import CacheUsage, cache_usage
from convlens.data.calibration_part import split_calibration
from convlens.data.catalog import Dataset, known_datasets
from convlens.data.content import ContentKind, content_digests, content_kind
from convlens.data.datasets import fetch_dataset
from convlens.data.decode import decode
from convlens.data.duplicates import same_files
from convlens.data.file_keys import file_keys
from convlens.data.folds import k_folds
from convlens.data.given_images import Given, list_images, picture_file
from convlens.data.headers import Header, read_header
from convlens.data.image_files import find_images
from convlens.data.image_set import SPLITS, ImageSet, Skipped
from convlens.data.info import CacheInfo, SourceInfo
from convlens.data.kept_features import Features, find_features, keep_features
from convlens.data.limits import ImageLimits, UnreadableImageError
from convlens.data.pixel_cache import CacheEntry, CacheSettings, list_entries
from convlens.data.pixel_store import available_memory, disk_room, gigabytes, memory_room
from convlens.data.pixels import (
    Pixels,
    are_kept,
    margin_in_force,
    one_opencv_thread,
    read_pixels,
)
from convlens.data.resize import fit, kept_shape
from convlens.data.sampling import balanced_weights
from convlens.data.scan import Scan, scan_headers
from convlens.data.settings import DataSettings
from convlens.data.source_changes import SourceChanges
from convlens.data.sources import (
    Source,
    open_for_evaluation,
    open_images,
    open_source,
    reopen_source,
)
from convlens.data.splits_file import read_splits, write_splits
from convlens.data.table_files import CLEANED_COLUMNS
from convlens.data.tables import LEFT_OUT
from convlens.data.thread_map import ordered_map
from convlens.data.wide_values import value_range

__all__ = [
    "CLEANED_COLUMNS",
    "LEFT_OUT",
    "SPLITS",
    "CacheEntry",
    "CacheInfo",
    "CacheSettings",
    "CacheUsage",
    "ContentKind",
    "DataSettings",
    "Dataset",
    "Features",
    "Given",
    "Header",
    "ImageLimits",
    "ImageSet",
    "PixelBatches",
    "Pixels",
    "Scan",
    "Skipped",
    "Source",
    "SourceChanges",
    "SourceInfo",
    "UnreadableImageError",
    "are_kept",
    "available_memory",
    "balanced_weights",
    "cache_usage",
    "content_digests",
    "content_kind",
    "decode",
    "disk_room",
    "fetch_dataset",
    "file_keys",
    "find_features",
    "find_images",
    "fit",
    "gigabytes",
    "k_folds",
    "keep_features",
    "kept_shape",
    "known_datasets",
    "list_entries",
    "list_images",
    "margin_in_force",
    "memory_room",
    "one_opencv_thread",
    "open_for_evaluation",
    "open_images",
    "open_source",
    "ordered_map",
    "picture_file",
    "pixels_of",
    "read_header",
    "read_pixels",
    "read_splits",
    "reopen_source",
    "same_files",
    "scan_headers",
    "split_calibration",
    "value_range",
    "write_splits",
]
