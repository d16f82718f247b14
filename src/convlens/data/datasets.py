"""Reading a dataset of the catalog: fetched once, verified, then offline."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convlens.core.downloads import fetch
from convlens.core.errors import ConvlensError
from convlens.core.reporter import Reporter
from convlens.data.archives import read_archive, unpack
from convlens.data.catalog import IDX_KINDS, dataset
from convlens.data.dataset_formats import read_cifar, read_idx, read_names
from convlens.data.digits import read_digits
from convlens.data.image_files import Walk
from convlens.data.image_set import SPLITS
from convlens.data.labeled import Labeled

_FASHION_CLASSES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
    "Ankle boot",
)  # fmt: skip
_IMAGENETTE_CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


def fetch_dataset(name: str, reporter: Reporter) -> Path:
    """Fetch the files of a dataset that are not there yet, and verify all of them.

    Returns:
        The folder they are in.

    Raises:
        ConvlensError: there is no dataset of that name, or the cache cannot be written to.
        WorkFailedError: a file cannot be fetched, or is not as published.
    """
    entry = dataset(name)
    for file in entry.files:
        fetch(file, entry.folder, reporter)
    return entry.folder


def read_dataset(name: str, *, for_training: bool, reporter: Reporter) -> Labeled:
    """Read a dataset of the catalog, fetching it first where it is not there.

    Args:
        name: one of the catalog's.
        for_training: whether its training images are wanted.
        reporter: sees the fetching.

    Raises:
        ConvlensError: there is no dataset of that name, or its files are damaged.
        WorkFailedError: a file cannot be fetched.
    """
    folder = fetch_dataset(name, reporter)
    labeled = _READERS[name](folder, for_training, reporter)
    return replace(labeled, name=name)


def _digits(folder: Path, for_training: bool, reporter: Reporter) -> Labeled:
    return read_digits()


def _mnist(folder: Path, for_training: bool, reporter: Reporter) -> Labeled:
    return _idx(folder, tuple("0123456789"))


def _fashion_mnist(folder: Path, for_training: bool, reporter: Reporter) -> Labeled:
    return _idx(folder, _FASHION_CLASSES)


def _cifar10(folder: Path, for_training: bool, reporter: Reporter) -> Labeled:
    train = [f"data_batch_{number}.bin" for number in range(1, 6)]
    parts = {**dict.fromkeys(train, "train"), "test_batch.bin": "test"}
    return _cifar(folder / "cifar-10-binary.tar.gz", parts, "batches.meta.txt", label_bytes=1)


def _cifar100(folder: Path, for_training: bool, reporter: Reporter) -> Labeled:
    parts = {"train.bin": "train", "test.bin": "test"}
    archive = folder / "cifar-100-binary.tar.gz"
    return _cifar(archive, parts, "fine_label_names.txt", label_bytes=2)


def _imagenette(folder: Path, for_training: bool, reporter: Reporter) -> Labeled:
    archive = folder / "imagenette2-160.tgz"
    labeled = read_archive(archive, for_training=for_training, reporter=reporter)
    names = [_IMAGENETTE_CLASSES.get(name, name) for name in labeled.classes]
    return _sorted(labeled, names)


def _flowers102(folder: Path, for_training: bool, reporter: Reporter) -> Labeled:
    root = unpack(folder / "102flowers.tgz", reporter)
    labels, split_of = read_flower_labels(folder / "imagelabels.mat", folder / "setid.mat")
    paths = sorted(Walk(root).images(root))
    if len(paths) != len(labels):
        raise ConvlensError(
            f"{folder} has {len(paths):,} images and {len(labels):,} labels; expected as many: "
            "remove the folder, and the dataset is fetched again",
            code="damaged-dataset",
        )
    classes = tuple(f"{number:03}" for number in range(1, int(labels.max()) + 1))
    return Labeled(
        name="flowers102",
        classes=classes,
        labels=labels - 1,
        given=split_of,
        paths=paths,
        root=str(root),
    )


def read_flower_labels(
    labels_file: Path, splits_file: Path
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """The class (from 1) and the split of each of the Oxford flowers, from its MATLAB files.

    Source: M-E. Nilsback and A. Zisserman, "Automated flower classification over a large number of
    classes", ICVGIP 2008; the files ``imagelabels.mat`` and ``setid.mat``.

    Raises:
        ConvlensError: a file is damaged.
    """
    from scipy.io import loadmat  # noqa: PLC0415 - it takes a while to import
    from scipy.io.matlab import MatReadError  # noqa: PLC0415

    try:
        labels = loadmat(labels_file)["labels"].ravel().astype(np.int64)
        splits = loadmat(splits_file)
        split_of = np.full(len(labels), -1, np.int8)
        for key, split in (("trnid", "train"), ("valid", "val"), ("tstid", "test")):
            split_of[splits[key].ravel().astype(np.int64) - 1] = SPLITS.index(split)
    except (OSError, MatReadError, ValueError, KeyError, IndexError, TypeError) as error:
        raise ConvlensError(
            f"{labels_file} or {splits_file} is damaged ({error}); expected the files as they are "
            "published: remove them, and they are fetched again",
            code="damaged-dataset",
        ) from error
    return labels, split_of


def _idx(folder: Path, names: Sequence[str]) -> Labeled:
    parts = {
        split: tuple(read_idx(folder / f"{prefix}-{kind}-ubyte.gz") for kind in IDX_KINDS)
        for split, prefix in (("train", "train"), ("test", "t10k"))
    }
    return _labeled({split: (x[..., None], y) for split, (x, y) in parts.items()}, names, folder)


def _cifar(
    archive: Path, parts: Mapping[str, str], names_file: str, *, label_bytes: int
) -> Labeled:
    found = read_cifar(archive, [*parts], label_bytes=label_bytes)
    together = {
        split: tuple(
            np.concatenate([found[part][i] for part, own in parts.items() if own == split])
            for i in (0, 1)
        )
        for split in ("train", "test")
    }
    return _labeled(together, read_names(archive, names_file), archive)


def _labeled(
    parts: Mapping[str, tuple[NDArray[np.generic], ...]], names: Sequence[str], where: Path
) -> Labeled:
    labels = np.concatenate([y for _, y in parts.values()]).astype(np.int64)
    given = [np.full(len(x), SPLITS.index(split), np.int8) for split, (x, _) in parts.items()]
    images = np.concatenate([x for x, _ in parts.values()]).astype(np.uint8, copy=False)
    if len(images) != len(labels) or labels.max(initial=0) >= len(names):
        raise ConvlensError(
            f"{where} is damaged: its images, labels and class names do not fit together; expected "
            "the files as they are published: remove them, and they are fetched again",
            code="damaged-dataset",
        )
    unsorted = Labeled(
        name=where.name,
        classes=tuple(names),
        labels=labels,
        given=np.concatenate(given),
        arrays=images,
    )
    return _sorted(unsorted, names)


def _sorted(labeled: Labeled, names: Sequence[str]) -> Labeled:
    """With other class names, in the order of the names."""
    order = sorted(range(len(names)), key=names.__getitem__)
    rank = np.argsort(order).astype(np.int64)
    return replace(
        labeled,
        classes=tuple(names[number] for number in order),
        labels=rank[labeled.labels],
    )


_READERS: Mapping[str, Callable[[Path, bool, Reporter], Labeled]] = {
    "digits": _digits,
    "mnist": _mnist,
    "fashion-mnist": _fashion_mnist,
    "cifar10": _cifar10,
    "cifar100": _cifar100,
    "imagenette": _imagenette,
    "flowers102": _flowers102,
}
