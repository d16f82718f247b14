"""Images decoded once: in threads, kept on disk or in memory."""

import hashlib
import math
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from convlens.core.cores import usable_cores
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.formatting import some
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet, Reporter
from convlens.data.decode import decode
from convlens.data.file_keys import file_keys
from convlens.data.headers import read_header
from convlens.data.image_set import ImageSet, Skipped
from convlens.data.limits import UnreadableImageError
from convlens.data.pixel_cache import (
    CacheEntry,
    CacheSettings,
    array_digests,
    entry_folder,
    known_rows,
    open_entry,
)
from convlens.data.pixel_store import PixelStore
from convlens.data.resample import Pixels8
from convlens.data.resize import kept_shape
from convlens.data.thread_map import ordered_map

_BLOCK_BYTES = 1 << 24
_BLOCK_IMAGES = 16
_LOOKED_AT = 200


@dataclass(frozen=True, eq=False)
class Pixels:
    """Decoded images of a split.

    Attributes:
        array: M×H×W×C uint8; memory-mapped and read-only where it is cached.
        rows: (M,) int64, the number in the image set of each.
        skipped: images that could not be read, and why.
        origin: a digest of what they were read from, and how; empty where that is not known.
    """

    array: Pixels8
    rows: NDArray[np.int64]
    skipped: tuple[Skipped, ...] = ()
    origin: bytes = b""

    def __len__(self) -> int:
        return len(self.rows)

    def identity(self) -> bytes:
        """A digest that tells these pixels from any others: of their origin, else of each byte."""
        digest = hashlib.blake2b(self.origin, digest_size=16)
        digest.update(repr(self.array.shape).encode() + self.rows.tobytes())
        if not self.origin:
            digest.update(np.ascontiguousarray(self.array).reshape(-1).data)
        return digest.digest()


def read_pixels(
    image_set: ImageSet,
    numbers: NDArray[np.int64],
    spec: InputSpec,
    *,
    margin: float = 0.0,
    settings: CacheSettings | None = None,
    reporter: Reporter,
) -> Pixels:
    """Decode images once and keep them; those that cannot be read are left out and named.

    Without a margin each row equals `convlens.data.decode` of its file, bit for bit.

    Args:
        image_set: files or arrays.
        numbers: which of its images, in the order wanted.
        spec: what the network is fed.
        margin: keep more than the network's input, for training: see `convlens.data.kept_shape`,
            and `convlens.data.margin_in_force`.
        settings: whether and where the pixels are kept; None for the defaults.
        reporter: is told of progress, and once of every image left out.

    Raises:
        ConvlensError: none of the images can be read, or the arrays do not fit the network.
        WorkFailedError: there is room for the pixels neither on disk nor in memory.
    """
    numbers = np.asarray(numbers, np.int64)
    margin = margin_in_force(margin, image_set, numbers, spec)
    shape = *kept_shape(spec, margin), spec.channels
    arrays = image_set.arrays
    if not len(numbers):
        return Pixels(np.empty((0, *shape), np.uint8), numbers)
    if arrays is not None and arrays.shape[1:] == shape:
        return Pixels(arrays[numbers], numbers)
    reading = _Reading.of(image_set, numbers, spec, margin, reporter)
    array, failed = _kept(reading, settings or CacheSettings())
    skipped = tuple(Skipped(reading.names[at], reason, unreadable=True) for at, reason in failed)
    if skipped:
        _report(skipped, len(numbers), reporter)
    rows = np.delete(numbers, [at for at, _ in failed])
    return Pixels(array, rows, skipped, reading.entry.as_posix().encode())


def are_kept(
    image_set: ImageSet,
    numbers: NDArray[np.int64],
    spec: InputSpec,
    *,
    margin: float = 0.0,
    settings: CacheSettings | None = None,
) -> bool:
    """Whether `read_pixels` would find these images decoded; the arguments are its own."""
    settings, arrays = settings or CacheSettings(), image_set.arrays
    margin = margin_in_force(margin, image_set, numbers, spec)
    if arrays is not None and arrays.shape[1:] == (*kept_shape(spec, margin), spec.channels):
        return True
    if not settings.enabled or not len(numbers):
        return not len(numbers)
    reading = _Reading.of(image_set, np.asarray(numbers, np.int64), spec, margin, Quiet())
    return _kept_entry(reading, settings) is not None


def margin_in_force(
    margin: float, image_set: ImageSet, numbers: NDArray[np.int64], spec: InputSpec
) -> float:
    """The margin, or 0 where every image looked at has the input's size: there is no more to keep.

    Args:
        margin: what is asked for.
        image_set: files, of which at most some hundred headers are read, or arrays.
        numbers: which of its images.
        spec: what the network is fed.
    """
    if not margin:
        return 0.0
    asked = spec.height, spec.width
    if image_set.arrays is not None:
        return margin if image_set.arrays.shape[1:3] != asked else 0.0
    for number in numbers[:: max(1, len(numbers) // _LOOKED_AT)].tolist():
        with suppress(UnreadableImageError):  # the reading of the pixels names it
            header = read_header((image_set.paths or ())[number])
            if (header.height, header.width) != asked:
                return margin
    return 0.0


Failed = tuple[int, str]


class _Reading(NamedTuple):
    """What is to be read; a position counts among the images asked for.

    Attributes:
        set_name: what the image set is called.
        names: each image's, for the user.
        images: each image, as `decode` takes it.
        digests: what tells it from any other; b"" where the file is not there.
        spec: the network's input.
        margin: as in `read_pixels`.
        reporter: whom to tell.
    """

    set_name: str
    names: Sequence[str]
    images: Sequence[str | Pixels8]
    digests: Sequence[bytes]
    spec: InputSpec
    margin: float
    reporter: Reporter

    @classmethod
    def of(
        cls,
        image_set: ImageSet,
        numbers: NDArray[np.int64],
        spec: InputSpec,
        margin: float,
        reporter: Reporter,
    ) -> "_Reading":
        how = spec, margin, reporter
        if image_set.arrays is None:
            paths = [(image_set.paths or ())[number] for number in numbers.tolist()]
            return cls(image_set.name, paths, paths, file_keys(paths), *how)
        images = [image_set.arrays[number] for number in numbers]
        names = [f"image {number}" for number in numbers.tolist()]
        return cls(image_set.name, names, images, array_digests(images), *how)

    @property
    def shape(self) -> tuple[int, int, int]:
        return *kept_shape(self.spec, self.margin), self.spec.channels

    @property
    def entry(self) -> Path:
        """Where in the cache its pixels are or would be: a digest of how and of what."""
        return entry_folder(Path(), self.digests, self.spec, self.margin)


def _kept(reading: _Reading, settings: CacheSettings) -> tuple[Pixels8, Sequence[Failed]]:
    """The pixels from the cache, or decoded now and kept as well as can be."""
    if not settings.enabled:
        return _decoded(reading, None, settings)
    folder = settings.place / reading.entry
    entry = _kept_entry(reading, settings)
    if entry is None or any(_can_be_read(reading, at) for at, _ in entry.failed):
        shutil.rmtree(folder, ignore_errors=True)  # it does not fit, or what hindered has passed
        entry = None
    if entry is not None:
        with suppress(OSError):  # another process may just have removed it
            return entry.pixels(), entry.failed
    return _decoded(reading, folder, settings)


def _kept_entry(reading: _Reading, settings: CacheSettings) -> CacheEntry | None:
    """The entry whose rows are the images to be read; None where there is none that fits."""
    entry = open_entry(settings.place / reading.entry)
    return entry if entry is not None and entry.holds(reading.digests, reading.shape) else None


def _can_be_read(reading: _Reading, at: int) -> bool:
    try:
        decode(reading.images[at], reading.spec, margin=reading.margin)
    except UnreadableImageError:
        return False
    return True


def _decoded(
    reading: _Reading, folder: Path | None, settings: CacheSettings
) -> tuple[Pixels8, Sequence[Failed]]:
    """Decode every image, in threads, in order; what another entry holds already is copied."""
    total, failed, started = len(reading.images), list[Failed](), time.perf_counter()
    known = known_rows(folder.parent, reading.digests) if folder else {}
    size = max(1, min(_BLOCK_IMAGES, _BLOCK_BYTES // math.prod(reading.shape)))
    blocks = (range(at, min(at + size, total)) for at in range(0, total, size))
    threads = usable_cores()

    def read(block: range) -> tuple[Pixels8, list[Failed]]:
        return _read_block(reading, block, known)

    with (
        PixelStore(
            total, reading.shape, folder=folder, settings=settings, reporter=reading.reporter
        ) as store,
        one_opencv_thread(),
        reading.reporter.task("decoding images", total) as task,
        closing(ordered_map(read, blocks, threads=threads, ahead=2 * threads)) as results,
    ):
        done = 0
        for images, missing in results:
            store.append(images)
            failed += missing
            done += len(images) + len(missing)
            task.update(done, f"{done / (time.perf_counter() - started):,.0f} images/s")
        _refuse_none(failed, reading)
        gone = {at for at, _ in failed}
        digests = [digest for at, digest in enumerate(reading.digests) if at not in gone]
        return store.finish(reading.set_name, digests, failed), failed


def _read_block(
    reading: _Reading, block: range, known: Mapping[bytes, Pixels8]
) -> tuple[Pixels8, list[Failed]]:
    images, failed = np.empty((len(block), *reading.shape), np.uint8), list[Failed]()
    count = 0
    for at in block:
        digest = reading.digests[at]
        try:
            found = known.get(digest)
            if found is None:
                found = decode(reading.images[at], reading.spec, margin=reading.margin)
            if not digest:  # without a key its pixels could not be told from another file's
                raise UnreadableImageError(
                    reading.names[at], "it was missing when the images were listed"
                )
        except UnreadableImageError as error:
            failed.append((at, error.reason))
            continue
        except Exception as error:  # a fault of ours or of a library: say at which file
            raise WorkFailedError(
                f"decoding {reading.names[at]} failed ({type(error).__name__}: {error})",
                remedy="leave it out, and report it",
                code="decode-failed",
            ) from error
        images[count] = found
        count += 1
    return images[:count], failed


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Within it OpenCV has one thread: its own would fight with ours over the same cores."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _listed(skipped: Iterable[Skipped]) -> str:
    return some([f"{image.path} ({image.reason})" for image in skipped], limit=3)


def _report(skipped: Sequence[Skipped], total: int, reporter: Reporter) -> None:
    reporter.warn(
        f"left out {len(skipped):,} of {total:,} images that cannot be read: {_listed(skipped)}"
    )


def _refuse_none(failed: Sequence[Failed], reading: _Reading) -> None:
    if len(failed) == len(reading.images):
        skipped = [Skipped(reading.names[at], reason, unreadable=True) for at, reason in failed]
        raise ConvlensError(
            f"none of {len(failed):,} images can be read: {_listed(skipped)}",
            remedy="are these JPEG, PNG, WebP, AVIF, HEIC, BMP, GIF, TIFF or PPM files, and may "
            "you read them?",
            code="no-images",
        )
