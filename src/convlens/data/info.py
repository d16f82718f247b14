"""What is known of a source before it is trained on, and of the cache."""

from dataclasses import dataclass
from typing import Any

from convlens.data.cache_usage import CacheUsage
from convlens.data.catalog import Dataset
from convlens.data.image_set import ImageSet
from convlens.data.pixel_cache import CacheEntry


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """What training would find in a source.

    Attributes:
        dataset: what its publisher says, where the source is a dataset's name; else None.
        images: the images, their classes and splits; None for a dataset that is not fetched yet.
    """

    dataset: Dataset | None
    images: ImageSet | None

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        about = {} if self.dataset is None else {"dataset": self.dataset.as_json()}
        if self.images is None:
            return about
        return {
            **about,
            "name": self.images.name,
            "classes": list(self.images.classes),
            "images": self.images.counts(),
            "skipped": [{"path": own.path, "reason": own.reason} for own in self.images.skipped],
            "notes": list(self.images.notes),
            "fingerprint": self.images.fingerprint(),
        }


@dataclass(frozen=True, kw_only=True)
class CacheInfo:
    """What is kept in the cache.

    Attributes:
        usage: how much room each kind of thing takes.
        entries: decoded pixels and feature maps, least recently used first.
    """

    usage: tuple[CacheUsage, ...]
    entries: tuple[CacheEntry, ...]

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        of_kind: dict[str, list[dict[str, Any]]] = {"pixels": [], "features": []}
        for entry in self.entries:
            own = {"name": entry.name, "shape": list(entry.shape), "bytes": entry.size}
            of_kind[entry.kind].append(own)
        kinds = [
            {"kind": use.kind, "folder": str(use.folder), "files": use.files, "bytes": use.bytes}
            for use in self.usage
        ]
        return {"cache": kinds, **of_kind}
