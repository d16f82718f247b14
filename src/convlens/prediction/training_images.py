"""Which images a network was trained or chosen on, as digests in its bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.core.bounded_file import read_bounded
from convlens.core.errors import ConvlensError
from convlens.core.files import write_bytes
from convlens.core.reporter import Reporter
from convlens.data import ContentKind, ImageSet, content_digests, content_kind

_FILE = "training_images.bin"


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainingImages:
    """Digests of the training and validation images of a network.

    Attributes:
        kind: what the digests are made of: see `convlens.data.content_digests`.
        digests: (N,) uint64, sorted, each once.
    """

    kind: ContentKind
    digests: NDArray[np.uint64]

    @classmethod
    def of(cls, images: ImageSet, reporter: Reporter) -> "TrainingImages":
        """Those of an image set's training and validation splits."""
        numbers = np.concatenate([images.splits["train"], images.splits["val"]])
        digests = np.unique(content_digests(images, numbers, reporter))
        return cls(kind=content_kind(images), digests=digests[digests > 0])

    def among(
        self, images: ImageSet, numbers: NDArray[np.int64], reporter: Reporter
    ) -> NDArray[np.bool_] | None:
        """(N,) which of some images are among these; None where that cannot be known.

        Args:
            images: an image set; arrays cannot be compared with files.
            numbers: (N,) which of its images.
            reporter: sees the reading.
        """
        if content_kind(images) != self.kind:
            return None
        return np.isin(content_digests(images, numbers, reporter), self.digests)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write them into a bundle's folder; what its manifest says of them."""
        write_bytes(folder / _FILE, self.digests.astype("<u8").tobytes())
        return {"file": _FILE, "kind": self.kind, "count": len(self.digests)}


def read_training_images(folder: Path, about: Any) -> TrainingImages | None:
    """Read the digests in a bundle's folder.

    Args:
        folder: the bundle's.
        about: what its manifest says of them; None for a bundle of an earlier version.

    Returns:
        The digests; None where the bundle has none, or was copied without them.

    Raises:
        ConvlensError: they are not as the manifest says.
    """
    if about is None:
        return None
    if not (folder / _FILE).exists():  # a network can be used without
        return None
    try:
        content = read_bounded(folder / _FILE, 8 * int(about["count"]))
        if len(content) != 8 * about["count"] or about["kind"] not in ("files", "arrays"):
            raise ValueError(f"{len(content)} bytes")
        digests = np.frombuffer(content, "<u8").astype(np.uint64)
        return TrainingImages(kind=about["kind"], digests=digests)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConvlensError(
            f"{folder / _FILE} is damaged ({error}); restore the bundle, or train again",
            code="damaged-bundle",
        ) from error
