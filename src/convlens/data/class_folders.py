"""A folder of class folders, with or without train, val and test above them."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convlens.core.errors import ConvlensError
from convlens.core.formatting import some
from convlens.data.folder_layout import Parent, expected_layout, find_layout, subfolders
from convlens.data.image_files import Walk, entries, is_folder, no_images
from convlens.data.image_set import SPLITS, normalized
from convlens.data.labeled import Labeled, validate_case, validate_classes


@dataclass(frozen=True)
class _Found:
    """The images of one class in one split; spoiled where there are files, and none is an image."""

    name: str
    split: int
    paths: Sequence[str]
    spoiled: bool


def read_class_folders(
    root: Path, *, for_training: bool = True, class_level: int | None = None
) -> Labeled:
    """Read a folder of class folders.

    Images in folders inside a class folder belong to the class. Folders named like splits (see
    `convlens.data.split_names.split_named`) are splits where they hold class folders themselves.

    Args:
        root: the folder.
        for_training: whether classes must be the same in all splits and at least two; else only
            the test split is read, where there is one.
        class_level: how many folders below ``root`` the class folders are; None to find out.

    Raises:
        ConvlensError: there are no class folders or no images, or the classes do not fit together.
    """
    walk = Walk(root)
    layout = find_layout(root, class_level)
    parents = layout.parents
    if not for_training:
        parents = tuple(p for p in parents if p.split == SPLITS.index("test")) or parents
    for path, reason in layout.unused:
        walk.skip(path, reason)
    found = [f for parent in parents for f in _read_classes(parent, walk)]
    used = {f.name for f in found if f.paths}
    unused = sorted({f.name for f in found if f.spoiled} - used)
    if not used:
        raise no_images(str(root), walk.skipped)
    classes = tuple(sorted(used))
    validate_case(str(root), classes)
    if for_training:
        _refuse_classes_that_differ([f for f in found if f.name in used], parents)
        notes = "".join(f" ({note})" for note in _unused(unused))
        expected = expected_layout(root) + _hint(parents) + notes
        validate_classes(str(root), classes, expected)
    sizes = [len(f.paths) for f in found]
    return Labeled(
        name=root.resolve().name or "images",
        classes=classes,
        labels=np.repeat(
            np.array([classes.index(f.name) if f.paths else 0 for f in found], np.int64), sizes
        ),
        given=np.repeat(np.array([f.split for f in found], np.int8), sizes),
        paths=[path for f in found for path in f.paths],
        root=str(root),
        skipped=tuple(walk.skipped),
        notes=(*layout.notes, *_unused(unused)),
    )


def _read_classes(parent: Parent, walk: Walk) -> list[_Found]:
    found = []
    for entry in entries(parent.path):
        if not is_folder(entry):
            if walk.accepts(entry):
                walk.skip(entry.path, "an image outside any class folder")
            continue
        name = _class_name(entry)
        skipped = len(walk.skipped)
        paths = walk.images(entry.path)
        spoiled = not paths and len(walk.skipped) > skipped
        if not paths and not spoiled:
            walk.skip(entry.path, "a class folder without images")
        found.append(_Found(name, parent.split, paths, spoiled))
    return found


def _unused(names: Sequence[str]) -> tuple[str, ...]:
    """A note on class folders of which no file can be used: a class must not vanish unsaid."""
    return (f"no class, since no image in it can be read: {some(names)}",) if names else ()


def _class_name(entry: os.DirEntry[str]) -> str:
    try:
        entry.name.encode()
    except UnicodeEncodeError as error:
        raise ConvlensError(
            f"the name of the class folder {os.fsencode(entry.path)!r} is not valid UTF-8; "
            "expected a name that can be shown: rename it",
            code="bad-class-name",
        ) from error
    return normalized(entry.name)


def _refuse_classes_that_differ(found: Sequence[_Found], parents: Sequence[Parent]) -> None:
    """Refuse splits with other class folders, or with a class of which train has no image."""
    folders: dict[int, str] = {}
    for parent in parents:
        folders.setdefault(parent.split, parent.name)
    classes = {split: {f.name for f in found if f.split == split} for split in folders}
    splits_with = Counter(name for names in classes.values() for name in names)
    differing = [name for name in sorted(splits_with) if splits_with[name] < len(folders)]
    lines = [
        f"'{name}' is only in {some(folders[s] for s in folders if name in classes[s])}"
        for name in differing
    ]
    train = {f.name for f in found if f.split == SPLITS.index("train") and f.paths}
    if SPLITS.index("train") in folders:
        lines += [
            f"'{name}' has no image in {folders[SPLITS.index('train')]}"
            for name in sorted(set(splits_with) - train - set(differing))
        ]
    if lines:
        raise ConvlensError(
            f"the class folders differ between the splits: {some(lines, 8)}; "
            "expected the same names in each: rename, add or remove folders; a split whose images "
            "have no classes belongs outside the source",
            code="classes-differ",
        )


def _hint(parents: Sequence[Parent]) -> str:
    """What to pass instead where the only folder holds folders itself."""
    inner = [folder for parent in parents for folder in subfolders(parent.path)]
    wrapped = len(inner) == 1 and subfolders(inner[0])
    return f". If its folders are the classes or the splits, pass {inner[0]}" if wrapped else ""
