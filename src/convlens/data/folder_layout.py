"""Which folders of a source hold the class folders, and of which split."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize, some
from convlens.data.image_files import IMAGE_SUFFIXES, Walk, entries, is_folder, is_hidden, no_images
from convlens.data.image_set import SPLITS, normalized
from convlens.data.labeled import UNSAID
from convlens.data.split_names import is_filler, split_named

_STRAY = 3  # images beside folders of images that do not make their folder a class
_TABLES = frozenset({".csv", ".tsv", ".parquet", ".jsonl"})


@dataclass(frozen=True, slots=True)
class Parent:
    """A folder that holds class folders.

    Attributes:
        split: the position of its split in `SPLITS`; UNSAID where the source has no splits.
        path: the folder.
        name: what the user calls it: of nested folders of one split the outermost.
    """

    split: int
    path: Path
    name: str


@dataclass(frozen=True)
class Layout:
    """The folders that hold class folders, and what lies beside them.

    Attributes:
        parents: the folders.
        notes: what the user should know.
        unused: paths that are left out, each with the reason.
    """

    parents: tuple[Parent, ...]
    notes: tuple[str, ...] = ()
    unused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Split:
    """A folder named like a split; ``inner`` is the folder in it that would hold class folders."""

    split: str
    folder: Path
    inner: Path
    has_classes: bool


def find_layout(root: Path, class_level: int | None = None) -> Layout:
    """Find the folders that hold the class folders.

    Args:
        root: the source.
        class_level: how many folders below the source the class folders are, where the user says
            so; else the names and the contents of the folders decide.

    Raises:
        ConvlensError: there are no class folders, or the folders can be read in two ways.
    """
    if class_level is not None:
        return _layout_of_level(root, class_level)
    folders = subfolders(root)
    if not folders:
        raise _no_class_folders(root)
    if inner := _folder_of_splits(folders):
        note = f"read from {inner.name}/, which holds the splits"
        unused = [(str(f), f"a folder beside {inner.name}/") for f in folders if f != inner]
        found = find_layout(inner)
        return replace(found, notes=(note, *found.notes), unused=(*unused, *found.unused))
    splits = [_split_of(folder, split) for folder in folders if (split := split_named(folder.name))]
    others = [f.name for f in folders if f not in {s.folder for s in splits}]
    if any(split.has_classes for split in splits):
        return _layout_of_splits(root, splits, others)
    if splits and not others:
        names = some(f"{split.folder.name}/" for split in splits)
        raise ConvlensError(
            f"{root} has {names} with images directly inside, and no class folders; "
            f"expected {root}/train/<class>/<image>",
            remedy="if these names really are your classes, pass --set data.class_level=1",
            code="no-class-folders",
        )
    _refuse_shared_folders(root, folders)
    notes = tuple(
        f"{split.folder.name}/ holds no class folders: read as a class, not as a split"
        for split in splits
    )
    return Layout((Parent(UNSAID, root, root.name),), notes)


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, without what is hidden, sorted by name.

    Raises:
        ConvlensError: it cannot be read.
    """
    try:
        return [Path(entry.path) for entry in entries(folder) if is_folder(entry)]
    except OSError as error:
        raise ConvlensError(
            f"cannot read the folder {folder} ({error.strerror}); "
            "expected one that you may read: check its permissions",
            code="unreadable-folder",
        ) from error


def expected_layout(root: Path) -> str:
    """How a folder of class folders looks, as errors say it."""
    return f"{root}/<class>/<image>, or {root}/train/<class>/<image>"


def _no_class_folders(root: Path) -> ConvlensError:
    loose = Walk(root)
    count = len(loose.images(root))
    tables = [e.name for e in entries(root) if Path(e.name).suffix.lower() in _TABLES]
    if not count:
        return no_images(str(root), loose.skipped)
    remedy = f"if {tables[0]} says their classes, pass {root / tables[0]}" if tables else ""
    return ConvlensError(
        f"{root} holds {pluralize(count)} but no class folders; expected {expected_layout(root)}",
        remedy=remedy,
        code="no-class-folders",
    )


def _folder_of_splits(folders: Sequence[Path]) -> Path | None:
    """The one folder with images, where it holds splits and nothing else: ``images/train/…``."""
    if any(split_named(folder.name) for folder in folders):
        return None
    if not any(_holds_splits_only(folder) for folder in folders):
        return None
    with_images = [folder for folder in folders if _has_image(folder)]
    only = with_images[0] if len(with_images) == 1 else None
    return only if only and _holds_splits_only(only) else None


def _holds_splits_only(folder: Path) -> bool:
    inner = [] if _holds_images(folder) else subfolders(folder)
    return len(inner) > 1 and all(split_named(path.name) for path in inner)


def _has_image(folder: Path) -> bool:
    waiting = [folder]
    while waiting:
        try:
            listing = entries(waiting.pop())
        except OSError:
            continue
        if any(_is_image_name(entry.name) and not is_folder(entry) for entry in listing):
            return True
        waiting += [Path(e.path) for e in listing if is_folder(e) and not e.is_symlink()]
    return False


def _is_image_name(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and not is_hidden(name)  # noqa: PTH122


def _split_of(folder: Path, split: str) -> _Split:
    inner = _without_wrappers(folder)
    return _Split(split, folder, inner, bool(subfolders(inner)))


def _without_wrappers(folder: Path) -> Path:
    """The folder itself, or the only one in it where that repeats its name or says nothing."""
    seen = 0
    while len(inner := subfolders(folder)) == 1 and seen < 8:
        (only,) = inner
        split = split_named(folder.name)
        repeats = only.name.casefold() == folder.name.casefold()
        same = split is not None and split_named(only.name) == split
        if only.is_symlink() or not (repeats or same or is_filler(only.name)):
            break
        folder, seen = only, seen + 1
    return folder


def _layout_of_splits(root: Path, splits: Sequence[_Split], others: Sequence[str]) -> Layout:
    if others and len(splits) == 1:
        only = splits[0].folder
        raise ConvlensError(
            f"{root} has {only.name}/ with folders inside, beside {some(others)}: is it a split or "
            f"a class? Expected one or the other",
            remedy=f"pass {only} to use its class folders, or --set data.class_level=1 to make "
            "every folder a class",
            between=": ",
            code="ambiguous-layout",
        )
    used = [split for split in splits if split.has_classes]
    _refuse_split_twice(root, used)
    unused = [(str(root / name), "a folder beside the splits") for name in others]
    unused += [
        (str(split.folder), "a split without class folders: its images have no class")
        for split in splits
        if not split.has_classes
    ]
    unused += _loose_images(root, "an image outside any class folder")
    parents = [Parent(SPLITS.index(s.split), s.inner, s.folder.name) for s in used]
    # In the order of their names, as ever: an image keeps its number, and so its draws.
    return Layout(tuple(parents), (), tuple(unused))


def _refuse_split_twice(root: Path, splits: Sequence[_Split]) -> None:
    first: dict[str, _Split] = {}
    for split in splits:
        other = first.setdefault(split.split, split)
        if other is not split:
            raise ConvlensError(
                f"{root} has both {other.folder.name}/ and {split.folder.name}/ for its "
                f"{split.split} split; expected one folder a split",
                remedy="merge them, or rename one to the split it is (train, val or test)",
                between=": ",
                code="split-twice",
            )


def _loose_images(folder: Path, reason: str) -> list[tuple[str, str]]:
    return [
        (entry.path, reason)
        for entry in entries(folder)
        if not is_folder(entry) and _is_image_name(entry.name)
    ]


def _refuse_shared_folders(root: Path, folders: Sequence[Path]) -> None:
    """Refuse "classes" most of which hold the same folders and no images: batches, folds."""
    inside = {folder: _folders_inside(folder) for folder in folders}
    counts = Counter(name for names in inside.values() for name in names)
    shared = {name for name, count in counts.items() if count > 1}
    sharing = [folder for folder, names in inside.items() if names.keys() & shared]
    if len(counts) < 2 or 2 * len(shared) < len(counts) or 2 * len(sharing) <= len(folders):
        return
    tops = some(f"{folder.name}/" for folder in sharing)
    inner = some(inside[folder][name] for name in sorted(shared) for folder in _with(inside, name))
    if all(split_named(name) for name in counts):
        raise ConvlensError(
            f"the class folders {tops} hold the splits {inner}; expected the splits above "
            f"the classes: {root}/train/<class>/<image>",
            remedy="move them, or pass --set data.class_level=1 to ignore these splits",
            between=": ",
            code="ambiguous-classes",
        )
    level = len(_without_wrappers(sharing[0]).relative_to(root).parts) + 1
    raise ConvlensError(
        f"the folders {tops} in {root} hold the same folders ({inner}) and no images of their own; "
        "expected to know which of them are the classes",
        remedy=f"pass {sharing[0]} to use one folder alone, --set data.class_level={level} if the "
        f"classes are {inner}, or --set data.class_level=1 if the classes are {tops}",
        between=": ",
        code="ambiguous-classes",
    )


def _with(inside: Mapping[Path, Mapping[str, str]], name: str) -> list[Path]:
    """The first folder that holds a folder of this name."""
    return [folder for folder, names in inside.items() if name in names][:1]


def _folders_inside(folder: Path) -> dict[str, str]:
    """The names of the folders in a folder, by how they compare; none where it holds images."""
    if _holds_images(folder):
        return {}
    inner = _without_wrappers(folder)
    if inner != folder and _holds_images(inner):
        return {}
    return {normalized(path.name).casefold(): path.name for path in subfolders(inner)}


def _holds_images(folder: Path) -> bool:
    """Whether more than a few images lie directly in a folder, or it cannot be read.

    It stops at the first few: a class folder may hold many thousands.
    """
    try:
        with os.scandir(folder) as listing:
            images = (e for e in listing if _is_image_name(e.name) and not is_folder(e))
            return len(list(islice(images, _STRAY + 1))) > _STRAY
    except OSError:
        return True


def _layout_of_level(root: Path, level: int) -> Layout:
    """The layout that the user names: class folders so many folders below the source."""
    if level == 1 and not subfolders(root):
        raise _no_class_folders(root)
    if level == 1:
        return Layout((Parent(UNSAID, root, root.name),))
    tops, unused = [root], []
    for _ in range(level - 1):
        for top in tops:
            unused += _loose_images(top, "an image above the class folders")
        tops = [folder for top in tops for folder in subfolders(top)]
    parents = [Parent(_split_above(root, top), top, str(top.relative_to(root))) for top in tops]
    parents = [parent for parent in parents if subfolders(parent.path)]
    if not parents:
        raise ConvlensError(
            f"{root} has no folders {level} levels down; expected the class folders there, as "
            f"data.class_level={level} says",
            remedy="pass another data.class_level, or leave it out",
            code="no-class-folders",
        )
    torn = [p.name for p in parents if p.split == UNSAID]
    if torn and len(torn) < len(parents):
        named = next(p.name for p in parents if p.split != UNSAID)
        raise ConvlensError(
            f"{root} has {named}/, which is a split, beside {some(torn)}, which are none; expected "
            "splits only, or none",
            remedy="rename the folders, or pass one of them",
            between=": ",
            code="ambiguous-layout",
        )
    return Layout(tuple(sorted(parents, key=lambda p: p.split)), (), tuple(unused))


def _split_above(root: Path, folder: Path) -> int:
    for part in reversed(folder.relative_to(root).parts):
        if split := split_named(part):
            return SPLITS.index(split)
    return UNSAID
