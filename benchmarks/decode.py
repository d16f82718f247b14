"""How fast does a JPEG become a 224×224 array, and how near is it to a full decode?

    python -m benchmarks.decode [--photos FOLDER_OR_TAR] [--images 200] [--large 20] [--rounds 7]

On one core, in one process, image by image in turns: `convlens.data.decode`; a plain Pillow
pipeline (open, convert, bilinear resize); and OpenCV's full decode of bytes in memory alone, which
is libjpeg-turbo's limit for whoever needs every pixel. All stretch the whole photograph, so that
they do the same work; convlens's own default, the center crop, runs along. The second set is of
photographs enlarged to 4000×3000 with some noise, as telephones take them, where a DCT scale spares
most of the decoding.

The photographs are camera JPEGs of about 500×375 pixels in a folder or a tar archive; without
``--photos`` it is ``photos200.tar`` in the folder that ``CONVLENS_DATA`` names, and
``--photos samples`` makes some of scikit-learn's two photographs. The table and
``results/decode.json`` give the median of the rounds, and the mean absolute difference, in levels
of 255, from a full decode with Pillow's antialiased filters.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from benchmarks.harness import RESULTS, Rounds, apart, data_file, medians, unpacked, write_result
from benchmarks.stand_ins import SAMPLES, sample_photographs
from numpy.typing import NDArray
from PIL import Image, features

from convlens.core.input_spec import InputSpec
from convlens.data import decode
from convlens.data.resize import plan

PEERS = ("Pillow", "OpenCV's decode alone")
MINUTES = 3
QUICK = ("--photos", "samples", "--images", "40", "--large", "2", "--rounds", "2")
TARGET = "1.7× Pillow at 500×375, 4× at 12 megapixels"

SIDE = 224
STRETCH = InputSpec(height=SIDE, width=SIDE, resize="stretch")
CROP = InputSpec(height=SIDE, width=SIDE)
Filter = Image.Resampling

Pixels = NDArray[np.uint8]
Contender = Callable[[Path], Any]


def with_pillow(path: Path) -> Pixels:
    """What a training script without convlens does."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((SIDE, SIDE), Filter.BILINEAR))


def opencv_decode_alone(data: bytes) -> Any:
    """A full decode of bytes that are in memory already."""
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


CONTENDERS: dict[str, Contender] = {
    "convlens": lambda path: decode(path, STRETCH),
    "convlens, center crop": lambda path: decode(path, CROP),
    "pillow": with_pillow,
}
LIMIT = "opencv decode alone"


def measure(paths: list[Path], rounds: int) -> Rounds:
    """Seconds an image of every contender in each round; a first round is not counted."""
    names = [*CONTENDERS, LIMIT]
    seconds: Rounds = {name: [] for name in names}
    for number in range(rounds + 1):
        spent = dict.fromkeys(seconds, 0.0)
        for at, path in enumerate(paths):
            first = (at + number) % len(names)  # who comes first finds the file out of the caches
            for name in names[first:] + names[:first]:
                spent[name] += seconds_of(name, path)
        for name, total in spent.items():
            if number:
                seconds[name].append(total / len(paths))
    return seconds


def seconds_of(name: str, path: Path) -> float:
    """How long one contender takes for one photograph."""
    data = path.read_bytes() if name == LIMIT else b""
    run = CONTENDERS.get(name)
    start = time.perf_counter()
    if run is None:
        opencv_decode_alone(data)
    else:
        run(path)
    return time.perf_counter() - start


def differences(paths: list[Path]) -> dict[str, float]:
    """Mean absolute difference from a full decode, resized with Pillow and cut alike."""
    found: dict[str, list[float]] = {}
    for path in paths:
        with Image.open(path) as image:
            whole = image.convert("RGB")
        for spec in (STRETCH, CROP):
            scaled, (top, left, rows, columns), _ = plan(whole.height, whole.width, spec)
            ours = decode(path, spec).astype(int)
            for kind in (Filter.BILINEAR, Filter.LANCZOS):
                resized = whole.resize(scaled[::-1], kind)
                theirs = np.asarray(resized.crop((left, top, left + columns, top + rows)))
                name = f"{spec.resize}, {kind.name.lower()}"
                found.setdefault(name, []).append(float(np.abs(ours - theirs).mean()))
    return {name: round(statistics.mean(values), 3) for name, values in found.items()}


def photographs(source: Path, count: int, folder: Path) -> list[Path]:
    """The first photographs of a folder or a tar archive, which is unpacked, or the samples."""
    if str(source) == SAMPLES:
        source = sample_photographs(folder / SAMPLES, count)
    source = unpacked(source, folder)
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() in {".jpg", ".jpeg"})
    if not found:
        sys.exit(f"there is no JPEG in {source}; pass --photos FOLDER_OR_TAR")
    return found[:count]


def enlarged(paths: list[Path], folder: Path) -> list[Path]:
    """12-megapixel JPEGs of these photographs, with the noise of a sensor."""
    large = []
    for number, path in enumerate(paths):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB").resize((4000, 3000), Filter.BICUBIC))
        noise = np.random.default_rng(number).normal(0, 4, (3000, 4000, 1))
        large.append(folder / f"{number:03}.jpg")
        noisy = np.clip(pixels + noise, 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(large[-1], quality=90)
    return large


def summary(paths: list[Path], rounds: int) -> dict[str, Any]:
    """Measure one set, print its table."""
    seconds = measure(paths, rounds)
    middle = medians(seconds)
    print(f"{'':24}{'images/s':>10}{'':13}{'× pillow':>10}{'of the limit':>14}")
    for name, value in middle.items():
        faster, share = middle["pillow"] / value, middle[LIMIT] / value
        told = f"{1 / value:10.0f}{apart(seconds[name])}{faster:10.2f}{share:13.0%}"
        print(f"{name:24}{told}")
    unlike = differences(paths)
    print("mean absolute difference from a full decode, of 255:", unlike, "\n")
    return {
        "images": len(paths),
        "mean_file_bytes": round(statistics.mean(path.stat().st_size for path in paths)),
        "images_per_second": {name: round(1 / value, 1) for name, value in middle.items()},
        "times_pillow": {n: round(middle["pillow"] / v, 3) for n, v in middle.items()},
        "share_of_limit": {n: round(middle[LIMIT] / v, 3) for n, v in middle.items()},
        "mean_absolute_difference": unlike,
        "every_round_ms": {n: [round(v * 1e3, 4) for v in vs] for n, vs in seconds.items()},
    }


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    stretch = {name: own["times_pillow"]["convlens"] for name, own in found["sets"].items()}
    crop = {
        name: own["times_pillow"]["convlens, center crop"] for name, own in found["sets"].items()
    }
    share = found["sets"]["photographs"]["share_of_limit"]["convlens"]
    return (
        "; ".join(
            f"{name}: {stretch[name]:.2f}× Pillow (center crop {crop[name]:.2f}×)"
            for name in stretch
        )
        + f"; {share:.0%} of OpenCV's decode alone"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the tables, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--large", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=RESULTS / "decode.json")
    given = parser.parse_args(arguments)
    source = given.photos or data_file("photos200.tar", option="--photos FOLDER_OR_TAR")
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        paths = photographs(source, given.images, folder)
        sets = {"photographs": summary(paths, given.rounds)}
        large = enlarged(paths[: given.large], folder)
        sets["12 megapixels"] = summary(large, given.rounds)
    write_result(
        given.out,
        __file__,
        arguments,
        "JPEG file to 224x224 RGB array, images a second on one core",
        {
            "rounds": given.rounds,
            "libjpeg-turbo in pillow": features.version("libjpeg_turbo"),
            "sets": sets,
        },
        packages=("numpy", "opencv-python-headless", "pillow", "simplejpeg"),
    )


if __name__ == "__main__":
    main()
