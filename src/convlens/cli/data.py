"""``convlens data``: the datasets that can be named, what a source holds, what is kept."""

from typing import TYPE_CHECKING, Annotated

import typer

from convlens.cli.output import JsonOption, print_json, stdout
from convlens.cli.quantities import size
from convlens.cli.tables import print_table
from convlens.core.command_line import command

if TYPE_CHECKING:
    from rich.table import Table

    from convlens.data import CacheInfo, Dataset, ImageSet

_SHOWN = 20

data = typer.Typer(
    name="data",
    help="Datasets that can be named, what a source holds, and what is kept in the cache.",
    no_args_is_help=True,
)


@data.command("list")
def list_datasets(as_json: JsonOption = False) -> None:
    """List the datasets that can be named in place of a folder.

    Example: convlens data list
    """
    from convlens import api

    entries = api.data_list()
    if as_json:
        print_json({"datasets": [entry.as_json() for entry in entries]})
        return
    table = _table("name", "images", "classes", "size", "to fetch", "license")
    for entry in entries:
        images = f"{sum(entry.images.values()):,}"
        row = (entry.name, images, str(entry.classes), entry.size, _to_fetch(entry), entry.license)
        table.add_row(*row)
    print_table(stdout(), table)


@data.command("fetch")
def fetch_datasets(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Datasets by name.")],
    as_json: JsonOption = False,
) -> None:
    """Fetch datasets now, to train offline later; each file is verified.

    Example: convlens data fetch mnist
    """
    from convlens import api

    folders = {name: str(folder) for name, folder in api.data_fetch(names).items()}
    if as_json:
        print_json(folders)
        return
    for name, folder in folders.items():
        stdout().print(f"{name}  {folder}", soft_wrap=True)


@data.command("info")
def show_source(
    source: Annotated[
        str | None,
        typer.Argument(help="Labeled images as for train; without it, what the cache holds."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="For the splits that are to be cut.")] = 0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="data.KEY=VALUE", help="How to read it; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what training would find in a source, or what is kept in the cache.

    Example: convlens data info plants
    """
    from convlens import api

    if source is None:
        kept = api.data_info()
        if as_json:
            print_json(kept.as_json())
        else:
            _show_cache(kept)
        return
    found = api.data_info(source, seed=seed, settings=settings or ())
    if as_json:
        print_json(found.as_json())
        return
    if found.dataset is not None:
        _show_dataset(found.dataset)
    if found.images is not None:
        _show_images(found.images)


def _show_dataset(entry: "Dataset") -> None:
    console = stdout()
    per_split = ", ".join(f"{count:,} {split}" for split, count in entry.images.items())
    console.print(f"{entry.name}: {entry.about}")
    console.print(f"{per_split}; {entry.classes} classes; {entry.size}")
    console.print(f"license: {entry.license}; {entry.home}", soft_wrap=True)
    if _to_fetch(entry) not in {"-", "fetched"}:
        fetching = command("data fetch", entry.name)
        console.print(f"not fetched yet ({size(entry.bytes)}): {fetching}", soft_wrap=True)


def _show_images(images: "ImageSet") -> None:
    console = stdout()
    counts = images.counts()
    splits = [split for split, numbers in images.splits.items() if len(numbers)]
    table = _table("class", *splits)
    for name in images.classes:
        table.add_row(name, *(f"{counts[split][name]:,}" for split in splits))
    table.add_row("all", *(f"{len(images.splits[split]):,}" for split in splits), style="bold")
    print_table(console, table)
    for file in images.skipped[:_SHOWN]:
        console.print(f"skipped {file.path}: {file.reason}", soft_wrap=True)
    if len(images.skipped) > _SHOWN:
        console.print(f"and {len(images.skipped) - _SHOWN:,} more; --json names all of them")
    console.print(f"fingerprint {images.fingerprint()}")


def _show_cache(kept: "CacheInfo") -> None:
    console = stdout()
    if not kept.usage:
        console.print("The cache is empty.")
        return
    table = _table("kept", "files", "size", "folder")
    for use in kept.usage:
        table.add_row(use.kind, f"{use.files:,}", size(use.bytes), str(use.folder))
    print_table(console, table)
    for entry in reversed(kept.entries):
        images, *shape = entry.shape
        what = f"pixels of {entry.name}" if entry.kind == "pixels" else entry.name
        about = f"{images:,} images of {'x'.join(map(str, shape))}, {size(entry.size)}"
        console.print(f"{what}: {about}", soft_wrap=True)
    console.print("All of it can be removed: it is made again when it is needed.")


def _to_fetch(entry: "Dataset") -> str:
    if not entry.files:
        return "-"
    return "fetched" if entry.fetched else size(entry.bytes)


def _table(*headings: str) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    words = {"name", "size", "license", "class", "kept", "folder"}
    for heading in headings:
        table.add_column(heading, justify="left" if heading in words else "right")
    return table
