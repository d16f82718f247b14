"""What changed in a source since a run was trained on it, by class and by image."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from convlens.core.formatting import pluralize, some
from convlens.data.image_set import SPLITS, normalized
from convlens.data.labeled import Labeled
from convlens.data.splits_file import SplitRow

_NAMED = 3
_SAME_CLASS = 0.5  # the share of a class's file names that another class has where it was renamed


@dataclass(frozen=True, kw_only=True)
class SourceChanges:
    """How a source differs from what a run was trained on.

    Attributes:
        added: images of each class that the run did not have; they are left out.
        removed: images that each class had of which none is left.
        renamed: the added class whose files have the names of a removed one, by the removed one.
        missing: images of other classes that are gone.
        new: images of the run's classes that it did not have; they are left out.
        relabeled: images with another of the run's classes as their label.
        examples: a few names of missing images, then of new ones.
    """

    added: Mapping[str, int] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    new: int = 0
    relabeled: int = 0
    examples: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())

    def __bool__(self) -> bool:
        return self != SourceChanges()

    def of_images(self) -> bool:
        """Whether images of the run are gone or relabeled, others that came left aside."""
        return bool(self.removed or self.missing or self.relabeled)

    def lines(self) -> tuple[str, ...]:
        """Each change in a sentence, classes by name; none where nothing changed."""
        removed = [name for name in self.removed if name not in self.renamed]
        added = [name for name in self.added if name not in self.renamed.values()]
        lines = [
            f"class '{new}' looks like '{old}' renamed: {pluralize(self.added[new])} left out; "
            f"to measure them, rename it to '{old}'"
            for old, new in self.renamed.items()
        ]
        if added:
            names = some((f"'{name}' ({pluralize(self.added[name])})" for name in added), 10)
            lines.append(f"classes that the network was not trained on are left out: {names}")
        if removed:
            names = some(
                (f"'{name}' (had {pluralize(self.removed[name])})" for name in removed), 10
            )
            lines.append(f"classes without images now: {names}")
        if self.missing:
            names = _named(self.examples[0], self.missing)
            lines.append(f"{pluralize(self.missing)} of this run missing{names}")
        if self.new:
            names = _named(self.examples[1], self.new)
            lines.append(f"{pluralize(self.new)} added since training, left out{names}")
        if self.relabeled:
            lines.append(f"{pluralize(self.relabeled)} relabeled since: the new label counts")
        return tuple(lines)

    def as_json(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {
            "added": dict(self.added),
            "removed": dict(self.removed),
            "renamed": dict(self.renamed),
            "missing": self.missing,
            "new": self.new,
            "relabeled": self.relabeled,
        }


def changes_since(
    rows: Mapping[str, SplitRow],
    labeled: Labeled,
    names: Sequence[str],
    *,
    classes: Sequence[str],
    only_test: bool = False,
) -> SourceChanges:
    """Compare what a source holds with what a run was trained on.

    Args:
        rows: the run's images by name, as its file of splits has them.
        labeled: what the source holds.
        names: (N,) what its images are called.
        classes: the run's.
        only_test: whether the source was read for its test images alone.
    """
    known = {normalized(name) for name in classes}
    now = [labeled.classes[number] for number in labeled.labels.tolist()]
    before = {name: row for name, row in rows.items() if not only_test or row.split == SPLITS[-1]}
    added = Counter(label for label in now if label not in known)
    had = Counter(normalized(row.label) for row in before.values())
    left = set(now)
    gone_classes = [normalized(name) for name in classes if normalized(name) not in left]
    removed = {name: had[name] for name in gone_classes if had[name]}
    gone = [
        name
        for name in sorted(before.keys() - set(names))
        if normalized(before[name].label) not in removed
    ]
    kept = [(name, label) for name, label in zip(names, now, strict=True) if label in known]
    new = sorted(name for name, _ in kept if name not in rows)
    return SourceChanges(
        added=dict(sorted(added.items())),
        removed=removed,
        renamed=_renamed(before, names, now, removed=removed, added=added),
        missing=len(gone),
        new=len(new),
        relabeled=sum(
            name in rows and normalized(rows[name].label) not in {label, ""} for name, label in kept
        ),
        examples=(tuple(gone[:_NAMED]), tuple(new[:_NAMED])),
    )


def _named(names: Sequence[str], more: int) -> str:
    return f" ({', '.join(names)}{', …' * (more > len(names))})" if names else ""


def _renamed(
    before: Mapping[str, SplitRow],
    names: Sequence[str],
    now: Sequence[str],
    *,
    removed: Mapping[str, int],
    added: Mapping[str, int],
) -> dict[str, str]:
    """The added class that has the files of each removed one, as far as there is one."""
    if not removed or not added:
        return {}
    files_of: dict[str, set[str]] = {name: set() for name in added}
    for name, label in zip(names, now, strict=True):
        if label in files_of:
            files_of[label].add(_file_name(name))
    pairs: dict[str, str] = {}
    for old in removed:
        own = {_file_name(name) for name, row in before.items() if normalized(row.label) == old}
        shares = {
            new: len(own & files) / max(1, len(own))
            for new, files in files_of.items()
            if new not in pairs.values()
        }
        best = max(shares, key=lambda new: shares[new], default="")
        if best and shares[best] >= _SAME_CLASS:
            pairs[old] = best
    return pairs


def _file_name(name: str) -> str:
    return name.rpartition("/")[2]
