"""How long does checking images take, and which near duplicates does it find?

    python -m benchmarks.preflight [--cifar FOLDER_OR_TAR] [--photos FOLDER_OR_TAR]
                                   [--sheet pairs.png] [--sizes 5000 60000]

**Time.** ``convlens check`` on class folders of the CIFAR-10 JPEG edition, with an empty cache and
again with a full one, over n of its files from 5,000 to 60,000:
seconds for opening, looking, searching; the peak of memory in a process of its own; and how many
pairs of hashes were compared, from which the work for a million images follows.

**Recall and false positives.** Distinct photographs (every pair of them), and each of them again
re-encoded, resized, cropped by 5 % anywhere, brightened, and all of it at once; the same with 400
images of CIFAR-10.

**Planted leakage.** 5 % of the test images re-encoded at quality 50 and put into train: the share
found. ``--sheet`` draws 50 of the other pairs that are named, to be judged by eye.
What such a leak does to the measured accuracy is another question: ``leak``.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from benchmarks.harness import RESULTS, cifar10, data_file, unpacked, write_result
from benchmarks.stand_ins import SAMPLES, sample_photographs
from numpy.typing import NDArray
from PIL import Image

from convlens.core.device import peak_memory
from convlens.core.reporter import Quiet
from convlens.data import ImageSet, open_source
from convlens.preflight import Material, check_data, look_for_faults, near_duplicates
from convlens.preflight.image_facts import look_at

PEERS = ("the work that comparing every pair would be",)
MINUTES = 8
QUICK = ("--cifar", "digits", "--photos", "samples", "--sizes", "600", "1200")
TARGET = "60,000 files in 60 s, 95 % of a planted leak"

SIZES = (5_000, 10_000, 20_000, 40_000, 60_000)
MILLION = 1_000_000
PLANTED = 0.05
CIFAR_SAMPLE = 400

Change = Callable[[Image.Image, np.random.Generator], bytes]


def encoded(image: Image.Image, quality: int) -> bytes:
    """The bytes of a JPEG."""
    file = BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def scaled(image: Image.Image, share: float) -> Image.Image:
    """Resized to a share of its sides."""
    return image.resize((round(image.width * share), round(image.height * share)), 3)


def cropped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Without 5 % of its columns and rows, cut off anywhere."""
    columns, rows = round(image.width * 0.05), round(image.height * 0.05)
    x, y = int(random.integers(0, columns + 1)), int(random.integers(0, rows + 1))
    return image.crop((x, y, image.width - columns + x, image.height - rows + y))


def brightened(image: Image.Image, factor: float) -> Image.Image:
    """Every level times a factor."""
    return image.point(lambda level: min(255, round(level * factor)))


CHANGES: dict[str, Change] = {
    "re-encoded at quality 75": lambda image, _: encoded(image, 75),
    "re-encoded at quality 30": lambda image, _: encoded(image, 30),
    "resized to 80 %": lambda image, _: encoded(scaled(image, 0.8), 90),
    "resized to 50 %": lambda image, _: encoded(scaled(image, 0.5), 90),
    "cropped by 5 %": lambda image, random: encoded(cropped(image, random), 90),
    "brightened by 15 %": lambda image, _: encoded(brightened(image, 1.15), 90),
    "all of these": lambda image, random: encoded(
        brightened(scaled(cropped(image, random), 0.8), 1.1), 60
    ),
}


def images_in(folder: Path) -> list[Path]:
    """The JPEGs in a folder and below."""
    return sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"})


def timed(table: Path) -> dict[str, Any]:
    """What a check takes, with an empty cache and then a full one, in a process of its own."""
    with tempfile.TemporaryDirectory() as cache:
        answers = []
        for _ in range(2):
            done = subprocess.run(  # noqa: S603 - this module
                [sys.executable, "-m", "benchmarks.preflight", "--only", str(table)],
                env=os.environ | {"CONVLENS_CACHE": cache},
                capture_output=True,
                text=True,
                check=True,
            )
            answers.append(json.loads(done.stdout))
    return {"first": answers[0], "again": answers[1]}


def check_once(table: Path) -> dict[str, Any]:
    """Seconds of each part of a check, and the most memory that the process has held."""
    marks = [time.perf_counter()]
    images = open_source(table, reporter=Quiet())
    marks.append(time.perf_counter())
    look_at(images, Quiet())
    marks.append(time.perf_counter())
    seen = look_for_faults(images, Quiet())
    check_data(seen)
    marks.append(time.perf_counter())
    opening, looking, searching = np.diff(marks).round(2).tolist()
    return {
        "opening": opening,
        "looking": looking,
        "searching": searching,
        "seconds": round(marks[-1] - marks[0], 2),
        "peak_memory_mb": round(peak_memory(torch.device("cpu")) / 1e6),
        "hashes_compared": seen.near.looked_at,
    }


def some_of_cifar10(folder: Path, n: int, table: Path) -> None:
    """A table of n images, five sixths of them to train on, as many of each class."""
    with table.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "label", "split"])
        for split, share in (("train", 5), ("test", 1)):
            for own in sorted((folder / split).iterdir()):
                for path in sorted(own.glob("*.jpg"))[: n * share // 60]:
                    rows.writerow([path.absolute(), own.name, split])


def recall(paths: list[Path]) -> dict[str, Any]:
    """Of each change, the share of pictures that are found beside what they were."""
    random, found = np.random.default_rng(0), {}
    for name, change in CHANGES.items():
        with tempfile.TemporaryDirectory() as folder:
            changed = []
            for number, path in enumerate(paths):
                with Image.open(path) as image:
                    changed.append(Path(folder) / f"{number:04}.jpg")
                    changed[-1].write_bytes(change(image.convert("RGB"), random))
            pairs = searched(paths, changed)
        true = {(i, i + len(paths)) for i in range(len(paths))}
        found[name] = {
            "found": round(len(pairs & true) / len(paths), 4),
            "others named": len(pairs - true),
        }
        print(f"  {name:26}{found[name]['found']:8.1%}", flush=True)
    return found


def searched(ours: list[Path], theirs: list[Path]) -> set[tuple[int, int]]:
    """The near duplicates between two lists of files."""
    paths = [str(path) for path in (*ours, *theirs)]
    side = np.repeat(np.array([0, 1], np.int8), [len(ours), len(theirs)])
    labels = np.zeros(len(paths), np.int64)
    images = image_set(paths, side)
    pairs = near_duplicates(look_at(images, Quiet(), keep=False), side, labels, Quiet())
    return set(zip(pairs.one.tolist(), pairs.other.tolist(), strict=True))


def image_set(paths: list[str], side: NDArray[np.int8]) -> ImageSet:
    """Files of one class on two sides."""
    none = np.zeros(0, np.int64)
    splits = {"train": np.flatnonzero(side == 0), "val": none, "test": np.flatnonzero(side == 1)}
    return ImageSet(
        name="files",
        classes=("any",),
        labels=np.zeros(len(paths), np.int64),
        splits=splits,
        paths=paths,
    )


def false_positives(paths: list[Path]) -> dict[str, int]:
    """How many pairs of distinct photographs are named: each on a side of its own in turn."""
    named: set[tuple[int, int]] = set()
    for bit in range(len(paths).bit_length()):  # every pair is on different sides at least once
        order = sorted(range(len(paths)), key=lambda i: i >> bit & 1)
        first = [i for i in order if not i >> bit & 1]
        second = [i for i in order if i >> bit & 1]
        found = searched([paths[i] for i in first], [paths[i] for i in second])
        named |= {(order[a], order[b]) for a, b in found}
    return {"pairs": len(paths) * (len(paths) - 1) // 2, "named": len(named)}


class Leak(NamedTuple):
    """CIFAR-10 with some of its test images in train as well, and as it was.

    Attributes:
        leaky: a folder with train and test.
        plain: the same without what was planted.
        names: of each planted file, its name and class: which test image it is.
        planted_tests: the test images that were planted.
    """

    leaky: Path
    plain: Path
    names: Mapping[tuple[str, str], str]
    planted_tests: tuple[Path, ...]


def plant(cifar: Path, folder: Path) -> Leak:
    """Encode 5 % of the test images once more, and put them into train; the rest is linked."""
    leaky, plain = folder / "leaky", folder / "plain"
    (leaky / "train").mkdir(parents=True)
    (leaky / "test").symlink_to((cifar / "test").absolute(), target_is_directory=True)
    for own in sorted((cifar / "train").iterdir()):
        (leaky / "train" / own.name).mkdir()
        for path in own.glob("*.jpg"):
            (leaky / "train" / own.name / path.name).symlink_to(path.absolute())
    shutil.copytree(leaky, plain, symlinks=True)
    test, names = images_in(cifar / "test"), {}
    chosen = np.random.default_rng(0).choice(len(test), int(PLANTED * len(test)), False)
    for file in (test[number] for number in chosen):
        path = leaky / "train" / file.parent.name / f"leak-{file.name}"
        with Image.open(file) as image:
            path.write_bytes(encoded(image, 50))
        names[path.name, path.parent.name] = file.name
    known = tuple(leaky / "test" / label / name for (_, label), name in names.items())
    return Leak(leaky, plain, names, known)


def planted(cifar: Path, sheet: Path | None) -> dict[str, Any]:
    """How much of a planted leak is found, and what else is named."""
    with tempfile.TemporaryDirectory() as temporary:
        leak = plant(cifar, Path(temporary))
        opened = open_source(leak.leaky, reporter=Quiet())
        return leak_result(look_for_faults(opened, Quiet(), keep=False), leak.names, sheet)


def leak_result(
    seen: Material, leaks: Mapping[tuple[str, str], str], sheet: Path | None
) -> dict[str, Any]:
    """The share of the planted images that was found, and the other pairs."""
    paths = seen.images.paths or ()
    hit, others = set(), []
    for pair in zip(seen.near.one.tolist(), seen.near.other.tolist(), strict=True):
        files = [Path(paths[number]) for number in pair]
        planted_ones = [f for f in files if (f.name, f.parent.name) in leaks]
        if not planted_ones:
            others.append(pair)
        for leak in planted_ones:
            partner = next((f for f in files if f != leak), leak)
            if partner.name == leaks[leak.name, leak.parent.name]:
                hit.add((leak.name, leak.parent.name))
    touched = {n for pair in others for n in pair if seen.side[n] == 2}
    if sheet is not None:
        chosen = np.random.default_rng(0).choice(len(others), min(50, len(others)), replace=False)
        draw_sheet([tuple(paths[n] for n in others[i]) for i in np.sort(chosen)], sheet)
    return {
        "planted": len(leaks),
        "found": len(hit),
        "share": round(len(hit) / len(leaks), 4),
        "other_pairs": len(others),
        "test_images_in_other_pairs": len(touched),
    }


def draw_sheet(pairs: list[tuple[str, ...]], path: Path) -> None:
    """Pairs side by side, ten rows of five."""
    side, gap = 128, 10
    canvas = Image.new("RGB", (5 * (2 * side + gap), 10 * (side + gap)), "white")
    for number, pair in enumerate(pairs):
        row, column = divmod(number, 5)
        for half, file in enumerate(pair):
            with Image.open(file) as image:
                shown = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
            canvas.paste(shown, (column * (2 * side + gap) + half * side, row * (side + gap)))
    canvas.save(path)


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    most = max(found["seconds_for"], key=int)
    own = found["seconds_for"][most]
    return (
        f"{int(most):,} files in {own['first']['seconds']:.0f} s, {own['again']['seconds']:.0f} s "
        f"again; {found['planted']['share']:.1%} of a planted leak found"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write the result."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--cifar", type=Path, help="a folder or archive with train and test")
    options.add_argument("--photos", type=Path, help="a folder or archive of photographs")
    options.add_argument("--sheet", type=Path, help="draw 50 of the pairs that were not planted")
    options.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    options.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--out", type=Path, default=RESULTS / "preflight.json")
    given = options.parse_args(arguments)
    if given.only:
        print(json.dumps(check_once(given.only)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        cifar = cifar10(given.cifar, folder / "cifar")
        if str(given.photos) == SAMPLES:
            photos = sample_photographs(folder / "photos", 12)
        else:
            found = given.photos or data_file("photos200.tar", option="--photos")
            photos = unpacked(found, folder / "photos")
        os.environ["CONVLENS_CACHE"] = str(folder / "cache")
        growth = {}
        for n in given.sizes:
            some_of_cifar10(cifar, n, folder / "some.csv")
            growth[n] = timed(folder / "some.csv")
            print(n, growth[n], flush=True)
        photographs = images_in(photos)
        last = growth[given.sizes[-1]]["first"]
        facts = {
            "seconds_for": growth,
            "a_million_would_take": {
                "seconds": round(last["seconds"] * MILLION / given.sizes[-1]),
                "hashes_compared_an_image": round(last["hashes_compared"] / given.sizes[-1]),
                "at_most_an_image": 10 * 4 * 16 * 32,
            },
            "distinct_photographs": false_positives(photographs),
            "recall": {
                f"{len(photographs)} photographs": recall(photographs),
                f"{CIFAR_SAMPLE} images of CIFAR-10": recall(
                    images_in(cifar / "test")[:: 10_000 // CIFAR_SAMPLE]
                ),
            },
            "planted": planted(cifar, given.sheet),
        }
    print(json.dumps(facts["planted"]))
    write_result(
        given.out,
        __file__,
        arguments,
        "seconds of a check over the number of files; shares of near duplicates that are found",
        facts,
        packages=("numpy", "opencv-python-headless", "pillow", "torch"),
    )


if __name__ == "__main__":
    main()
