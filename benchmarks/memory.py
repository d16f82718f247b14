"""How much memory does everyday work take at most?

    python -m benchmarks.memory [--images 2000] [--side 224] [--rounds 3] [--threads 2]

The most that a process has resident (Linux's ``VmHWM``; what of a memory-mapped cache has been read
counts while it is there, though the system may take it back), each in a process of its own, in
turns: the import; classifying one photograph with ResNet-50; and reading all of a folder of JPEGs
once for training, in batches of 32, where convlens has its cache and Keras's
``image_dataset_from_directory`` its own. What training takes stands in ``training`` and
``transfer``. The table and ``results/memory.json`` give the medians of the rounds.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.harness import RESULTS, apart, in_turns, medians, rounded, run_peer, write_result
from PIL import Image

PEERS = ("Keras on TensorFlow",)
MINUTES = 4
QUICK = ("--images", "100", "--side", "64", "--rounds", "1")
TARGET = "less than Keras"

OURS, KERAS = "convlens", "keras on tensorflow"


def lines(folder: Path, side: int) -> dict[str, dict[str, str]]:
    """What is run, by task."""
    one = next((folder / "a").glob("*.jpg"))
    return {
        "import": {OURS: "import convlens", KERAS: "import keras"},
        "classify with ResNet-50": {
            OURS: "import convlens\n"
            f"convlens.visualize('resnet50', quiet=True).gradcam([{str(one)!r}])\n",
            KERAS: "import keras, numpy as np\n"
            "model = keras.applications.ResNet50(weights=None)\n"
            f"image = keras.utils.load_img({str(one)!r}, target_size=(224, 224))\n"
            "model.predict(keras.utils.img_to_array(image)[None])\n",
        },
        "read a folder": {
            OURS: "from convlens.core.input_spec import InputSpec\n"
            "from convlens.core.reporter import Quiet\n"
            "from convlens.data import DataSettings, PixelBatches, open_source, read_pixels\n"
            f"images = open_source({str(folder)!r}, settings=DataSettings(val=0, test=0),"
            " reporter=Quiet())\n"
            f"spec = InputSpec(height={side}, width={side})\n"
            "pixels = read_pixels(images, images.splits['train'], spec, reporter=Quiet())\n"
            "batches = PixelBatches(pixels, images.labels, batch_size=32, seed=0)\n"
            "answer = sum(len(batch) for batch in batches.epoch(0))\n",
            KERAS: "import keras\n"
            f"images = keras.utils.image_dataset_from_directory({str(folder)!r},"
            f" image_size=({side}, {side}), batch_size=32).cache()\n"
            "answer = sum(len(batch) for batch, _ in images)\n",
        },
    }


def write_images(folder: Path, count: int, side: int) -> None:
    """JPEGs of random colors in two classes, somewhat larger than what is read of them."""
    rng = np.random.default_rng(0)
    larger = round(side * 1.25)
    for number in range(count):
        own = folder / "ab"[number % 2]
        own.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        coarse.resize((larger, larger), Image.Resampling.BICUBIC).save(own / f"{number:05}.jpg")


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    return "; ".join(
        f"{task}: {own[OURS]:,.0f} MB (Keras {own[KERAS]:,.0f})"
        for task, own in found["peak_memory_mb"].items()
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS / "memory.json")
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)  # what is written down of this machine
    middle, every = {}, {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "images"
        write_images(folder, given.images, given.side)
        for task, ways in lines(folder, given.side).items():

            def run(words: str) -> float:
                asked = {"lines": words, "threads": given.threads}
                return float(run_peer("snippet", asked)["peak_memory_mb"])

            found = in_turns(
                {n: lambda _, w=w: run(w) for n, w in ways.items()}, given.rounds, warm_up=False
            )
            middle[task], every[task] = medians(found), rounded(found, 0)
            told = (
                f"{name} {value:,.0f} MB ({apart(found[name]).strip()})"
                for name, value in middle[task].items()
            )
            print(f"{task:28}{', '.join(told)}", flush=True)
    write_result(
        given.out,
        __file__,
        arguments,
        "the most memory that a process has resident, in MB of 1,000,000 bytes",
        {name: getattr(given, name) for name in ("images", "side", "rounds", "threads")}
        | {"peak_memory_mb": middle, "every_round": every},
        packages=("torch", "keras", "tensorflow_cpu"),
    )


if __name__ == "__main__":
    main()
