"""A folder of class folders, with or without train, val and test above them."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convlens.core.errors import ConvlensError
from convlens.core.words import counted, some
from convlens.data.image_files import Walk, entries, is_folder, no_images
from convlens.data.image_set import SPLITS, normalised
from convlens.data.labelled import (
    SPLIT_NAMES,
    UNSAID,
    Labelled,
    refuse_case_twins,
    refuse_one_class,
)


@dataclass(frozen=True)
class _Layout:
    """Which folder holds the class folders of which split; of UNSAID where there are no splits."""

    folders: Mapping[int, Path]
    notes: tuple[str, ...] = ()
    unused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class _Found:
    """The images of one class in one split; spoiled where there are files, and none is an image."""

    name: str
    split: int
    paths: Sequence[str]
    spoiled: bool


def read_class_folders(root: Path, *, for_training: bool = True) -> Labelled:
    """Read a folder of class folders.

    Images in folders inside a class folder belong to the class. ``train``, ``val`` (also
    ``valid``, ``validation``) and ``test`` are splits where they hold class folders themselves.

    Args:
        root: the folder.
        for_training: whether classes must be the same in all splits and at least two; else only
            the test split is read, where there is one.

    Raises:
        ConvlensError: there are no class folders or no images, or the classes do not fit together.
    """
    walk = Walk(root)
    layout = _find_layout(root)
    folders = layout.folders
    if not for_training and SPLITS.index("test") in folders:
        folders = {SPLITS.index("test"): folders[SPLITS.index("test")]}
    for path, reason in layout.unused:
        walk.skip(path, reason)
    found = [f for split, folder in folders.items() for f in _read_classes(folder, split, walk)]
    used = {f.name for f in found if f.paths}
    unused = sorted({f.name for f in found if f.spoiled} - used)
    if not used:
        raise no_images(str(root), walk.skipped)
    classes = tuple(sorted(used))
    refuse_case_twins(str(root), classes)
    if for_training:
        _refuse_classes_that_differ([f for f in found if f.name in used], folders)
        expected = _expected(root) + _hint(folders) + "".join(f" ({n})" for n in _unused(unused))
        refuse_one_class(str(root), classes, expected)
    sizes = [len(f.paths) for f in found]
    return Labelled(
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


def _find_layout(root: Path) -> _Layout:
    folders = _subfolders(root)
    if not folders:
        loose = Walk(root)
        count = len(loose.images(root))
        if not count:
            raise no_images(str(root), loose.skipped)
        raise ConvlensError(
            f"{root} holds {counted(count)} but no class folders; expected {_expected(root)}",
            code="no-class-folders",
        )
    splits = _split_folders(root, folders)
    others = [f.name for f in folders if f.name not in {s.name for s in splits.values()}]
    with_classes = {split: f for split, f in splits.items() if _subfolders(f)}
    if with_classes:
        return _split_layout(root, splits, with_classes, others)
    if splits and not others:
        names = some(f"{f.name}/" for f in splits.values())
        raise ConvlensError(
            f"{root} has {names} with images directly inside, and no class folders; "
            f"expected {root}/train/<class>/<image>. If these words really are your classes, "
            "rename the folders",
            code="no-class-folders",
        )
    notes = tuple(
        f"{f.name}/ holds no class folders: read as a class, not as a split"
        for f in splits.values()
    )
    return _Layout({UNSAID: root}, notes)


def _split_layout(
    root: Path, splits: Mapping[str, Path], with_classes: Mapping[str, Path], others: Sequence[str]
) -> _Layout:
    if others and len(splits) == 1:
        (only,) = splits.values()
        raise ConvlensError(
            f"{root} has {only.name}/ with folders inside, beside {some(others)}: is it a split or "
            f"a class? Expected one or the other: pass {only} to use its class folders, or move "
            f"its images directly into {only.name}/ to make it a class",
            code="ambiguous-layout",
        )
    unused = [(str(root / name), "a folder beside the splits") for name in others]
    unused += [
        (str(folder), "a split without class folders: its images have no class")
        for split, folder in splits.items()
        if split not in with_classes
    ]
    return _Layout({SPLITS.index(s): f for s, f in with_classes.items()}, (), tuple(unused))


def _split_folders(root: Path, folders: Sequence[Path]) -> dict[str, Path]:
    splits: dict[str, Path] = {}
    for folder in folders:
        split = SPLIT_NAMES.get(folder.name.casefold())
        if split in splits:
            raise ConvlensError(
                f"{root} has both {splits[split].name}/ and {folder.name}/ for its {split} split; "
                "expected one: merge or remove one of them",
                code="split-twice",
            )
        if split:
            splits[split] = folder
    return splits


def _subfolders(folder: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in entries(folder) if is_folder(entry)]
    except OSError as error:
        raise ConvlensError(
            f"cannot read the folder {folder} ({error.strerror}); "
            "expected one that you may read: check its permissions",
            code="unreadable-folder",
        ) from error


def _read_classes(folder: Path, split: int, walk: Walk) -> list[_Found]:
    found = []
    for entry in entries(folder):
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
        found.append(_Found(name, split, paths, spoiled))
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
    return normalised(entry.name)


def _refuse_classes_that_differ(found: Sequence[_Found], folders: Mapping[int, Path]) -> None:
    """Refuse splits with other class folders, or with a class of which train has no image."""
    classes = {split: {f.name for f in found if f.split == split} for split in folders}
    splits_with = Counter(name for names in classes.values() for name in names)
    differing = [name for name in sorted(splits_with) if splits_with[name] < len(folders)]
    lines = [
        f"'{name}' is only in {some(folders[s].name for s in folders if name in classes[s])}"
        for name in differing
    ]
    train = {f.name for f in found if f.split == SPLITS.index("train") and f.paths}
    if SPLITS.index("train") in folders:
        lines += [
            f"'{name}' has no image in {folders[SPLITS.index('train')].name}"
            for name in sorted(set(splits_with) - train - set(differing))
        ]
    if lines:
        raise ConvlensError(
            f"the class folders differ between the splits: {some(lines, 8)}; "
            "expected the same names in each: rename, add or remove folders",
            code="classes-differ",
        )


def _expected(root: Path) -> str:
    return f"{root}/<class>/<image>, or {root}/train/<class>/<image>"


def _hint(folders: Mapping[int, Path]) -> str:
    """What to pass instead where the only folder holds folders itself."""
    inner = [folder for top in folders.values() for folder in _subfolders(top)]
    wrapped = len(inner) == 1 and _subfolders(inner[0])
    return f". If its folders are the classes, pass {inner[0]}" if wrapped else ""
