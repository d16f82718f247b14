"""How well does a network tell images of what it never saw from those of what it knows?

    python -m benchmarks.unknown [--cifar FOLDER_OR_TAR] [--left-out deer,truck] [--images 20000]
        [--epochs 4]

On the JPEG edition of CIFAR-10. The standard network learns eight of the ten classes; then all
10,000 test images are scored, the 2,000 of the classes left out among them. The area under the ROC
curve is how often an image of a class left out has the higher score of two. Four scores are
compared: the one that `convlens predict` gives (the energy of the logits), the largest logit, and
one less the largest probability, before the temperature and after it.

It also counts how often the network is sure of an unknown image by its rule for saying "not sure",
which promises nothing of such images.

Without ``--cifar`` the images are ``cifar10-jpeg.tar.xz`` in the folder that ``CONVLENS_DATA``
names. One training, one choice of classes: the intervals speak of the test images alone.
"""

import argparse
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.harness import RESULTS, cifar10, write_result
from benchmarks.transfer_accuracy import images_of, write_table
from numpy.typing import NDArray

import convlens
from convlens.data import decode
from convlens.evaluation import (
    measure_unknown,
    unknown_score,
    unknown_score_of_logits,
    wilson_interval,
)
from convlens.prediction import Calibration, Predictor
from convlens.runs import Run

PEERS = ("the largest logit", "the largest probability")
MINUTES = 5
QUICK = ("--cifar", "digits", "--left-out", "digit 3,digit 8", "--images", "1000", "--epochs", "3")
TARGET = "measured, and told"


def train(images: Path, folder: Path, known: list[str], given: argparse.Namespace) -> Run:
    """The network trained on the classes that it is to know."""
    each = given.images // len(known)
    shown, tested = (images_of(images / split, known) for split in ("train", "test"))
    splits = {
        "train": [path for own in shown.values() for path in own[:each]],
        "test": [path for own in tested.values() for path in own],
    }
    table = write_table(folder / "known.csv", splits)
    return convlens.train(
        table, model="standard", epochs=given.epochs, out=folder / "run", quiet=True
    )


def logits_of(predictor: Predictor, images: Path, classes: list[str]) -> NDArray[np.float32]:
    """What the network answers to the test images of some classes."""
    paths = [path for own in images_of(images / "test", classes).values() for path in own]
    spec = predictor.bundle.input_spec
    return predictor.logits(np.stack([decode(str(path), spec) for path in paths]))


def scores_of(logits: NDArray[np.float32], calibration: Calibration) -> dict[str, Any]:
    """Every score of the same images, by name."""
    return {
        "energy": unknown_score_of_logits(logits, "energy"),
        "largest logit": unknown_score_of_logits(logits, "max-logit"),
        "1 - largest probability": unknown_score(Calibration().probabilities(logits)),
        "the same, at the temperature": unknown_score(calibration.probabilities(logits)),
    }


def measure(images: Path, folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Train on some classes, score the test images of all of them."""
    left_out = given.left_out.split(",")
    classes = sorted(path.name for path in (images / "train").iterdir() if path.is_dir())
    assert set(left_out) < set(classes), f"expected some of {classes}"
    known = [name for name in classes if name not in left_out]
    run = train(images, folder, known, given)
    predictor = run.predictor(device="cpu")
    calibration, rule = predictor.bundle.calibration, predictor.selective
    ours = scores_of(logits_of(predictor, images, known), calibration)
    areas: dict[str, dict[str, Any]] = {name: {} for name in ours}
    sure = {}
    for name in left_out:
        logits = logits_of(predictor, images, [name])
        for score, theirs in scores_of(logits, calibration).items():
            areas[score][name] = theirs
        assert rule is not None
        sure[name] = rule.sure(calibration.probabilities(logits))
    found = {}
    for score, theirs in areas.items():
        both = measure_unknown(ours[score], np.concatenate(list(theirs.values()))).as_json()
        each = {name: measure_unknown(ours[score], own).auroc for name, own in theirs.items()}
        found[score] = both | {"each": {name: round(area, 4) for name, area in each.items()}}
        low, high = both["interval"]
        told = ", ".join(f"{name} {area:.3f}" for name, area in each.items())
        print(f"{score:30s} AUROC {both['auroc']:.3f} ({low:.3f} to {high:.3f}); {told}")
    all_sure = np.concatenate(list(sure.values()))
    count = int(all_sure.sum())
    print(f"sure of an unknown image: {count / len(all_sure):.1%}")
    test = run.metrics["test"]
    return {
        "known": known,
        "left_out": left_out,
        "training_images": run.environment["data"]["images"]["train"],
        "epochs": given.epochs,
        "seconds": round(run.metrics["seconds"], 1),
        "test_accuracy_of_the_known": {"value": test["accuracy"], "interval": test["interval"]},
        "temperature": calibration.temperature,
        "scores": found,
        "sure_of_unknown_images": {
            "share": count / len(all_sure),
            "interval": list(wilson_interval(count, len(all_sure))),
            "of_known_images": run.metrics["selective"]["figures"]["answered"],
            "promise": run.metrics["selective"]["promise"],
        },
    }


def headline(found: Mapping[str, Any]) -> str:
    """What was found, in a line of the table."""
    own, accuracy = found["scores"]["energy"], found["test_accuracy_of_the_known"]["value"]
    low, high = own["interval"]
    others = (f"{n} {s['auroc']:.3f}" for n, s in found["scores"].items() if n != "energy")
    return (
        f"AUROC {own['auroc']:.3f} (95 % interval {low:.3f} to {high:.3f}) without "
        f"{' and '.join(found['left_out'])}, {accuracy:.1%} right of the others; "
        + ", ".join(others)
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cifar", type=Path)
    parser.add_argument("--left-out", default="deer,truck")
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--out", type=Path, default=RESULTS / "unknown.json")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["CONVLENS_CACHE"] = str(folder / "cache")
        facts = measure(cifar10(given.cifar, folder).resolve(), folder, given)
    write_result(
        given.out,
        __file__,
        arguments,
        "images of two CIFAR-10 classes told from those of the eight that the network knows",
        facts,
        packages=("torch", "numpy", "scikit-learn"),
    )


if __name__ == "__main__":
    main()
