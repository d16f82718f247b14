"""Datasets that can be named, what a source holds, and what is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from convlens.api.options import opened, reporter_for

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from convlens.data import CacheInfo, Dataset, Source, SourceInfo


def data_list() -> list[Dataset]:
    """The datasets that can be named in place of a folder.

    Returns:
        What their publishers say of each, and whether it is here already (``fetched``).

    Example:
        >>> [dataset.name for dataset in data_list() if dataset.classes > 10]
        ['cifar100', 'flowers102']
    """
    from convlens.data import known_datasets

    return list(known_datasets().values())


def data_fetch(names: str | Sequence[str], *, quiet: bool = False) -> dict[str, Path]:
    """Fetch datasets now, to train offline later; each file is verified.

    Args:
        names: one or more of the names in `data_list`.
        quiet: show nothing.

    Returns:
        The folder of each dataset's files, by name.

    Raises:
        ConvlensError: a name is unknown, or the cache cannot be written to.
        WorkFailedError: a file cannot be fetched, or is not as published.

    Example:
        >>> data_fetch("digits")["digits"].name      # they come with convlens
        'digits'
    """
    from convlens.data import fetch_dataset

    reporter = reporter_for(quiet)
    wanted = [names] if isinstance(names, str) else names
    return {name: fetch_dataset(name, reporter) for name in wanted}


@overload
def data_info(source: None = None) -> CacheInfo: ...


@overload
def data_info(
    source: Source, *, seed: int = 0, settings: Sequence[str] = (), quiet: bool = False
) -> SourceInfo: ...


def data_info(
    source: Source | None = None,
    *,
    seed: int = 0,
    settings: Sequence[str] = (),
    quiet: bool = False,
) -> SourceInfo | CacheInfo:
    """What training would find in a source, or what is kept in the cache.

    Args:
        source: labeled images in any form that `train` takes; without it, the cache.
        seed: for the splits that are to be cut.
        settings: how to read it, as ``"data.label_column=species"``.
        quiet: show nothing.

    Returns:
        The images, split, and what is published of a dataset; one that is not fetched yet has no
        images. Without a source, how much room each kind of thing takes in the cache.

    Raises:
        ConvlensError: the source cannot be read, or trained on as it stands.

    Example:
        >>> found = data_info("digits", quiet=True)
        >>> {split: len(numbers) for split, numbers in found.images.splits.items()}
        {'train': 1257, 'val': 180, 'test': 360}
    """
    from convlens.core.errors import ConvlensError
    from convlens.core.settings import apply_setting, require_tables
    from convlens.data import (
        CacheInfo,
        CacheSettings,
        SourceInfo,
        cache_usage,
        known_datasets,
        list_entries,
    )

    if source is None:
        entries = list_entries(CacheSettings().place)
        return CacheInfo(usage=tuple(cache_usage()), entries=tuple(entries))
    dataset = known_datasets().get(source) if isinstance(source, str) else None
    if dataset is not None and not dataset.fetched:
        return SourceInfo(dataset=dataset, images=None)
    asked: dict[str, Any] = {"seed": seed}
    for setting in settings:
        if not setting.strip().startswith("data."):
            raise ConvlensError(
                f"--set got '{setting}', which does not say how a source is read",
                remedy="pass keys of [data], such as data.label_column=species",
                code="bad-setting",
            )
        asked = apply_setting(asked, setting)
    require_tables(asked, ("data",))
    _, images = opened(source, asked, reporter_for(quiet))
    return SourceInfo(dataset=dataset, images=images)
