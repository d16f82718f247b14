"""The bundle: all that evaluating, predicting, exporting and serving need, in one folder.

``bundle.json`` says what the network is, what it is fed and what its outputs mean;
``model.safetensors`` holds its weights, ``training_images.bin`` digests of the images that it was
trained on. Nothing in it runs by itself: the bundle of a network of
the user's own carries its code as text, and runs it only for a caller who says so.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import save as save_tensors

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.files import (
    replacing_folder,
    surviving_folder,
    write_bytes,
    write_json,
)
from convlens.core.input_spec import InputSpec
from convlens.core.paths import exists, is_dir, is_file
from convlens.core.settings import problems
from convlens.core.tensors import savable
from convlens.core.version import __version__
from convlens.models import ModelSpec, build_architecture, portable
from convlens.prediction.calibration import Calibration
from convlens.prediction.manifest import FORMAT_VERSION, MANIFEST, damaged_bundle, read_manifest
from convlens.prediction.stored_weights import (
    StoredTensors,
    check_fits,
    open_weights,
    read_tensors,
)
from convlens.prediction.training_images import TrainingImages, read_training_images

_WEIGHTS = "model.safetensors"
_UNUSABLE = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    MemoryError,
    RuntimeError,
)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A trained network with everything needed to use it.

    Attributes:
        classifier: the network with its trained weights, in eval mode.
        model: the description from which it was built.
        classes: the K class names, in the order of its logits.
        calibration: how logits become probabilities, and when to say "not sure"; a bundle of format
            1 has the one that changes nothing.
        metrics: the figures it was measured with, as plain JSON values.
        provenance: where it comes from (run, data fingerprint, versions), as plain JSON values.
        training_images: which images it was trained or chosen on; None where that is not known.
        folder: where it was read from, as the caller named it; None where it was not.
    """

    classifier: Classifier
    model: ModelSpec
    classes: tuple[str, ...]
    calibration: Calibration = field(default_factory=Calibration)
    metrics: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    training_images: TrainingImages | None = field(default=None, compare=False)
    folder: Path | None = field(default=None, compare=False)

    @property
    def input_spec(self) -> InputSpec:
        """How a file becomes the network's input."""
        return self.classifier.input_spec


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write a bundle; an older one in its place is replaced in one step.

    Raises:
        ConvlensError: the folder cannot be written to.
        WorkFailedError: the disk is full.
    """
    weights = save_tensors(savable(bundle.classifier.state_dict()))
    manifest = {
        "format": "convlens bundle",
        "format_version": FORMAT_VERSION,
        "convlens": __version__,
        "model": portable(bundle.model).model_dump(mode="json", exclude_none=True),
        "classes": list(bundle.classes),
        "input": bundle.input_spec.model_dump(mode="json"),
        "weights": {"file": _WEIGHTS, "sha256": hashlib.sha256(weights).hexdigest()},
        "calibration": bundle.calibration.model_dump(mode="json", exclude_none=True),
        "metrics": bundle.metrics,
        "provenance": bundle.provenance,
    }
    with replacing_folder(folder) as fresh:
        if bundle.training_images is not None:
            manifest["training_images"] = bundle.training_images.write(fresh)
        write_bytes(fresh / _WEIGHTS, weights)
        write_json(fresh / MANIFEST, manifest)


def load_bundle(path: str | Path, *, trust_code: bool = False) -> Bundle:
    """Read a bundle.

    Args:
        path: a bundle's folder, or a run's folder with a bundle in it.
        trust_code: run the code that the bundle of a network of the user's own carries.

    Raises:
        ConvlensError: there is no bundle, it is of a newer format or damaged, it carries code that
            is not trusted, or it names code that it does not carry.
    """
    folder = _find(Path(path))
    manifest = read_manifest(folder)
    version = manifest["format_version"]
    try:
        model = ModelSpec.model_validate(manifest["model"])
        input_spec = InputSpec.model_validate(manifest["input"])
        classes = tuple(str(name) for name in manifest["classes"])
        calibration = Calibration.model_validate(manifest["calibration"] if version > 1 else {})
        _refuse_code_outside(model, folder)
        build = partial(
            build_architecture, model, input_spec, classes=len(classes), trust_code=trust_code
        )
        weights = folder / _WEIGHTS
        with open_weights(weights, manifest["weights"]["sha256"]) as (file, stored):
            classifier = _network(build, stored, own_code=model.is_own)
            classifier.load_state_dict(read_tensors(file))
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise damaged_bundle(folder, f"{_WEIGHTS}: {reason}") from error
    except ValidationError as error:
        raise damaged_bundle(folder, f"{MANIFEST}: {problems(error)}") from error
    except _UNUSABLE as error:
        reason = " ".join(map(str.strip, str(error).splitlines()[:2]))
        raise damaged_bundle(folder, f"{type(error).__name__}: {reason}") from error
    return Bundle(
        classifier=classifier.eval(),
        model=model,
        classes=classes,
        calibration=calibration,
        metrics=manifest.get("metrics", {}),
        provenance=manifest.get("provenance", {}),
        training_images=read_training_images(folder, manifest.get("training_images")),
        folder=Path(path),
    )


def read_classes(path: str | Path) -> tuple[str, ...]:
    """The class names of a bundle, in the order of its logits; nothing else of it is read.

    Args:
        path: a bundle's folder, or a run's folder with a bundle in it.

    Raises:
        ConvlensError: there is no bundle, or it is damaged.
    """
    folder = _find(Path(path))
    manifest = read_manifest(folder)
    classes = manifest.get("classes")
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ConvlensError(
            f"the bundle in {folder} is damaged (no list of classes); restore it, or train again",
            code="damaged-bundle",
        )
    return tuple(classes)


def recalibrate(path: str | Path, calibration: Calibration, metrics: dict[str, Any]) -> Path:
    """Give a bundle another calibration, and the figures that go with it; its weights stay.

    Args:
        path: a bundle's folder, or a run's folder with a bundle in it.
        calibration: takes the place of the bundle's own.
        metrics: likewise.

    Returns:
        The bundle's folder.

    Raises:
        ConvlensError: there is no bundle, or it cannot be written to.
    """
    folder = _find(Path(path))
    manifest = read_manifest(folder) | {
        "format_version": FORMAT_VERSION,
        "calibration": calibration.model_dump(mode="json", exclude_none=True),
        "metrics": metrics,
    }
    write_json(folder / MANIFEST, manifest)
    return folder


def _find(path: Path) -> Path:
    for candidate in (path, path / "bundle"):
        folder = surviving_folder(candidate)
        if folder is not None and is_file(folder / MANIFEST):
            return folder
    what = "is not a folder" if exists(path) else "does not exist"
    if is_dir(path):
        what = "holds no bundle (a bundle.json, or a bundle folder with one)"
        if is_file(path / "recipe.toml"):
            what += "; its training has not finished"
    raise ConvlensError(
        f"{path} {what}; pass the folder of a finished run, such as the one that "
        "'convlens train' printed",
        code="no-bundle",
    )


def _refuse_code_outside(model: ModelSpec, folder: Path) -> None:
    """A bundle carries the code of its network: a file that it merely names is never run."""
    if model.is_own and model.source is None:
        raise ConvlensError(
            f"the bundle in {folder} names code outside itself ({model.name}) and carries none; "
            "nothing of it was run",
            remedy="a bundle carries the code of its network: have it made again by convlens train",
            code="code-outside",
        )


def _network(
    build: Callable[[], Classifier], stored: StoredTensors, *, own_code: bool
) -> Classifier:
    """Build the network that stored weights are for.

    A manifest may claim any number of layers and classes: ours is built without memory first.
    """
    with torch.random.fork_rng(devices=[]):  # weights are drawn, then replaced
        if not own_code:
            with torch.device("meta"):
                check_fits(stored, build().state_dict())
        classifier = build()
    check_fits(stored, classifier.state_dict())
    return classifier
