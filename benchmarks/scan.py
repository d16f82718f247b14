"""How long does it take to open a folder of 100,000 images, and how much memory?

    python -m benchmarks scan [--files 100000] [--classes 100] [--rounds 5]

The files are made first: small JPEGs, no two alike but all of one size in bytes, so that looking
for copies has to read them; their folders are in the system's cache. Then, on all cores, the parts:
the walk through the class folders, the reading of every header; and the whole of what
`convlens.data.open_source` does (walk, headers, copies, splits), for the first time and again, when
the headers are known. For comparison, what torchvision's `ImageFolder` does: a sorted `os.walk`
that pairs names with classes, and reads no file.

The table and ``results/scan.json`` give the medians of the rounds, and from a further opening under
`tracemalloc` the bytes a file that stay, and those at the peak, beyond the paths themselves.
"""

import argparse
import os
import shutil
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from benchmarks.harness import RESULTS, apart, in_turns, medians, rounded, write_result
from PIL import Image

from convlens.core.cache_folder import cache_folder
from convlens.core.reporter import Quiet
from convlens.data import ImageSet, open_source, scan_headers
from convlens.data.class_folders import read_class_folders

PEERS = ("a sorted os.walk that reads no file",)
MINUTES = 5
QUICK = ("--files", "3000", "--rounds", "2")
TARGET = "the whole, warm, in 15 s; 300 bytes a file beyond the paths"

FIRST, AGAIN = "the whole, first", "the whole, again"


def write_images(folder: Path, files: int, classes: int) -> None:
    """Small JPEGs that differ in a comment of nine digits, in class folders."""
    encoded = BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8)
    Image.fromarray(pixels).save(encoded, "JPEG", quality=85)
    start, rest = encoded.getvalue()[:2], encoded.getvalue()[2:]
    for number in range(classes):
        (folder / f"class{number:03}").mkdir()
    for number in range(files):
        comment = b"\xff\xfe" + (2 + 9).to_bytes(2, "big") + b"%09d" % number
        name = f"class{number % classes:03}/IMG_{number:06}.jpg"
        (folder / name).write_bytes(start + comment + rest)


def opened(folder: Path) -> ImageSet:
    """The whole of opening a source."""
    return open_source(folder, reporter=Quiet())


def walked(folder: Path) -> list[tuple[str, int]]:
    """What torchvision's `ImageFolder` does, in its own order of things."""
    names = sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())
    found = []
    for number, name in enumerate(names):
        for place, _, files in sorted(os.walk(folder / name, followlinks=True)):
            found += [
                (os.path.join(place, file), number)  # noqa: PTH118 - as it does
                for file in sorted(files)
                if file.lower().endswith((".jpg", ".jpeg", ".png"))
            ]
    return found


def contenders(folder: Path) -> dict[str, Callable[[int], float]]:
    """Functions that take a round's number and return its seconds."""
    paths = list(read_class_folders(folder).paths or ())

    def forget() -> None:
        shutil.rmtree(cache_folder("scans"), ignore_errors=True)

    def timed(work: Callable[[], Any], *, forgetting: bool = False) -> Callable[[int], float]:
        def run(_: int) -> float:
            if forgetting:
                forget()
            start = perf_counter()
            work()
            return perf_counter() - start

        return run

    return {
        "the walk": timed(lambda: read_class_folders(folder)),
        "the headers": timed(lambda: scan_headers(paths, Quiet()), forgetting=True),
        FIRST: timed(lambda: opened(folder), forgetting=True),
        AGAIN: timed(lambda: opened(folder)),
        "os.walk alone": timed(lambda: walked(folder)),
    }


def bytes_a_file(folder: Path) -> dict[str, float]:
    """What an opened source holds, and held at the most, beyond the list of its paths."""
    tracemalloc.start()
    try:
        images = opened(folder)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    paths = images.paths or ()
    own = sum(map(sys.getsizeof, paths)) + 8 * len(paths)
    return {
        "paths": round(own / len(paths), 1),
        "kept beyond the paths": round((kept - own) / len(paths), 1),
        "peak beyond the paths": round((peak - own) / len(paths), 1),
    }


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    seconds, held = found["seconds"], found["bytes_a_file"]
    return (
        f"{found['files']:,} files: {seconds[FIRST]:.1f} s, {seconds[AGAIN]:.1f} s again; "
        f"{held['kept beyond the paths']:.0f} bytes a file beyond the paths, "
        f"{held['peak beyond the paths']:.0f} at the peak"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the files, measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "scan.json")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["CONVLENS_CACHE"] = f"{temporary}/cache"
        folder = Path(temporary) / "images"
        folder.mkdir()
        write_images(folder, given.files, given.classes)
        seconds = in_turns(contenders(folder), given.rounds)
        held = bytes_a_file(folder)
    middle = medians(seconds)
    for name, value in middle.items():
        files = f"{given.files / value:12,.0f} files/s"
        print(f"{name:24}{value:8.2f} s{apart(seconds[name])}{files}")
    print("bytes a file:", held)
    write_result(
        given.out,
        __file__,
        arguments,
        "seconds and memory of opening a folder of class folders, files in the system's cache",
        {
            "files": given.files,
            "classes": given.classes,
            "rounds": given.rounds,
            "seconds": {name: round(value, 3) for name, value in middle.items()},
            "bytes_a_file": held,
            "every_round": rounded(seconds, 3),
        },
        packages=("numpy", "pillow"),
    )


if __name__ == "__main__":
    main()
