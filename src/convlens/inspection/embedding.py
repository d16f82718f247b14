"""Every image as a vector: what the head of a network would read of it."""

import math
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray

from convlens.core.classifier import Classifier
from convlens.core.cores import usable_cores
from convlens.core.errors import ConvlensError
from convlens.core.files import replacing, write_error
from convlens.core.reporter import Reporter
from convlens.data import ImageSet, Skipped, UnreadableImageError, decode, ordered_map
from convlens.inspection.recording import Pixels, as_input, held_in_eval, record

BEFORE_HEAD = "before the head"
_VALUES_A_BATCH = 2**22
_MOST_A_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """What was written.

    Attributes:
        path: the ``.npz`` file.
        layer: whose output it holds.
        shape: images, then the shape of one image's features.
        skipped: images that could not be read, and why.
    """

    path: Path
    layer: str
    shape: tuple[int, ...]
    skipped: tuple[Skipped, ...]

    def as_json(self) -> dict[str, Any]:
        """One JSON object."""
        return {
            "path": str(self.path),
            "layer": self.layer,
            "shape": list(self.shape),
            "skipped": [{"path": file.path, "reason": file.reason} for file in self.skipped],
        }


def features(
    classifier: Classifier, pixels: Pixels, *, layer: str | None = None, pool: bool = True
) -> NDArray[np.float32]:
    """What a network makes of decoded images.

    Args:
        classifier: run in eval mode, and left as it was.
        pixels: uint8 N×H×W×C, as decoded for the network.
        layer: whose output; by default the last stage's, which the head reads.
        pool: average a feature map over its places, so that each image is a vector.

    Returns:
        N×D float32; without pooling the layer's own shape.

    Raises:
        ConvlensError: the layer is unknown, or the images do not fit.
    """
    x = as_input(classifier, pixels)
    if layer is None:
        with held_in_eval(classifier), torch.no_grad():
            output = classifier.stages(x)
    else:
        output = record(classifier, x, [layer])[1][layer]
    output = output.mean(dim=(2, 3)) if pool and output.ndim == 4 else output
    found: NDArray[np.float32] = output.float().cpu().numpy()
    return found


def embed(
    classifier: Classifier,
    images: ImageSet,
    out: Path,
    *,
    layer: str | None = None,
    pool: bool = True,
    reporter: Reporter,
) -> Embedding:
    """Write the features of every image of a set, with names and labels, to an ``.npz`` file.

    The file holds ``features`` (N×D float32), ``names`` (N), ``labels`` (N class numbers, or -1),
    ``classes`` (K names) and ``splits`` (N: train, val, test, or nothing). Images are decoded,
    computed and written a batch at a time, whatever their number.

    Args:
        classifier: run in eval mode, and left as it was.
        images: files or arrays.
        out: the file, which is whole or not there.
        layer: whose output; by default the last stage's, which the head reads.
        pool: average a feature map over its places, so that each image is a vector.
        reporter: sees the progress, and is told what could not be read.

    Raises:
        ConvlensError: the layer is unknown, no image can be read, or ``out`` cannot be written.
        WorkFailedError: the disk is full.
    """
    if out.suffix.lower() != ".npz":
        raise ConvlensError(
            f"the features are to go to {out}; expected a name that ends in .npz", code="bad-option"
        )
    rows: list[int] = []
    skipped: list[Skipped] = []
    with _scratch(out) as file:
        shape: tuple[int, ...] = ()
        with reporter.task("Embedding", len(images)) as task:
            for numbers, pixels, unread in _batches(classifier, images):
                skipped += unread
                if numbers:
                    found = features(classifier, pixels, layer=layer, pool=pool)
                    shape = found.shape[1:]
                    file.write(np.ascontiguousarray(found).data)
                    rows += numbers
                task.update(len(rows) + len(skipped))
        _refuse_nothing(rows, skipped)
        for one in skipped:
            reporter.warn(f"left out {one.path}: {one.reason}")
        _write(out, file, (len(rows), *shape), _labels(images, np.array(rows)))
    return Embedding(
        path=out,
        layer=layer or BEFORE_HEAD,
        shape=(len(rows), *shape),
        skipped=tuple(skipped),
    )


def _batches(
    classifier: Classifier, images: ImageSet
) -> Iterator[tuple[list[int], Pixels, list[Skipped]]]:
    spec = classifier.input_spec

    def read(number: int) -> Pixels | Skipped:
        if images.arrays is not None:
            return decode(images.arrays[number], spec)
        path = (images.paths or ())[number]
        try:
            return decode(path, spec)
        except UnreadableImageError as error:
            return Skipped(path, error.reason, unreadable=True)

    size = max(1, min(_MOST_A_BATCH, _VALUES_A_BATCH // math.prod(spec.shape)))
    reading = ordered_map(read, range(len(images)), threads=usable_cores(), ahead=2 * size)
    with closing(reading) as every:
        for start in range(0, len(images), size):
            results = list(islice(every, size))
            numbers = range(start, start + len(results))
            read_now = {
                number: result
                for number, result in zip(numbers, results, strict=True)
                if not isinstance(result, Skipped)
            }
            pixels = np.stack([*read_now.values()]) if read_now else np.empty(0, np.uint8)
            yield [*read_now], pixels, [one for one in results if isinstance(one, Skipped)]


def _labels(images: ImageSet, rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    splits = np.full(len(images), "", "<U5")
    for split, numbers in images.splits.items():
        splits[numbers] = split
    names = [f"image {number}" for number in range(len(images))]
    return {
        "names": np.array(names if images.paths is None else images.names())[rows],
        "labels": images.labels[rows],
        "classes": np.array(images.classes, np.str_),
        "splits": splits[rows],
    }


def _refuse_nothing(rows: Sequence[int], skipped: Sequence[Skipped]) -> None:
    if not rows:
        named = "; ".join(f"{file.path}: {file.reason}" for file in skipped[:3])
        raise ConvlensError(
            f"none of the {len(skipped)} images could be read ({named or 'there are none'})",
            code="no-images",
        )


@contextmanager
def _scratch(out: Path) -> Iterator[IO[bytes]]:
    """A nameless file beside the one to be written, on the same disk."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent) as file:
            yield file
    except OSError as error:
        raise write_error(out, error) from error


def _write(
    out: Path, content: IO[bytes], shape: tuple[int, ...], beside: Mapping[str, NDArray[Any]]
) -> None:
    """An ``.npz`` file is a zip of ``.npy`` files: a header each, then the bytes."""
    content.seek(0)
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with replacing(out) as partial, zipfile.ZipFile(partial, "w", allowZip64=True) as archive:
        with archive.open("features.npy", "w", force_zip64=True) as entry:
            npy.write_array_header_1_0(entry, header)
            copyfileobj(content, entry, 1 << 20)
        for name, array in beside.items():
            with archive.open(f"{name}.npy", "w") as entry:
                npy.write_array(entry, array, allow_pickle=False)
