"""A folder as a source: class folders, or images beside a table that says their classes."""

from dataclasses import replace
from pathlib import Path

from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.data.class_folders import read_class_folders
from convlens.data.folder_layout import subfolders
from convlens.data.image_files import Walk
from convlens.data.image_set import SPLITS
from convlens.data.labeled import UNSAID, Labeled
from convlens.data.settings import DataSettings
from convlens.data.split_names import split_named
from convlens.data.table_columns import has_image_column
from convlens.data.table_files import read_records
from convlens.data.tables import read_tables

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


def read_folder(root: Path, settings: DataSettings, *, for_training: bool = True) -> Labeled:
    """Read a folder of images.

    A file ``metadata.csv`` (``.jsonl``, ``.parquet``) that names files and labels, as the
    ``imagefolder`` layout of Hugging Face has it, says the classes: in the folder itself, or in
    each of its folders named like splits. It names files in the folder alone: who passes a folder,
    or an archive, means no others. Without such a file, folders are the classes.

    Args:
        root: the folder.
        settings: how to read it.
        for_training: as in `read_class_folders`.

    Raises:
        ConvlensError: it is neither, or the classes do not fit together.
    """
    parts = _metadata(root, settings) if settings.class_level is None else []
    if not parts:
        return read_class_folders(root, for_training=for_training, class_level=settings.class_level)
    labeled = read_tables(
        parts, settings, for_training=for_training, splits_from_folders=True, within=root
    )
    names = " and ".join(path.relative_to(root).as_posix() for path, _ in parts)
    notes = (f"labels read from {names}", *labeled.notes)
    named = {str(Path(path).absolute()) for path in labeled.paths or ()}
    named |= {skipped.path for skipped in labeled.skipped}
    unnamed = sum(str(Path(path).absolute()) not in named for path in Walk(root).images(root))
    if unnamed:
        notes += (f"{pluralize(unnamed)} in {root.name or root}/ left out: not named in {names}",)
    return replace(labeled, name=root.resolve().name or "images", root=str(root), notes=notes)


def _metadata(root: Path, settings: DataSettings) -> list[tuple[Path, int]]:
    """The tables that say the classes, and the split of each; none where there are none."""
    if own := _table_in(root, settings):
        return [(own, UNSAID)]
    found = []
    for folder in subfolders(root):
        split = split_named(folder.name)
        table = _table_in(folder, settings) if split else None
        if split and table:
            found.append((table, SPLITS.index(split)))
    return found


def _table_in(folder: Path, settings: DataSettings) -> Path | None:
    """A metadata table that names files and has a column of labels."""
    for name in METADATA_NAMES:
        path = folder / name
        if path.is_file():
            try:
                columns, _ = read_records(path, (settings.image_column, settings.label_column))
            except ConvlensError:
                if subfolders(folder):  # these may be the classes, and the file may be anything
                    continue
                raise
            same = {column.casefold() for column in columns}
            images = has_image_column(columns) or settings.image_column in columns
            if images and settings.label_column.casefold() in same:
                return path
    return None
