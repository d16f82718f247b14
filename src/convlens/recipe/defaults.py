"""What a recipe leaves open is chosen from the data, by rules that are stated."""

import math
from collections import Counter
from typing import Any, TypeAlias

import torch

from convlens.augment import default_policy, policy
from convlens.core.batch_norm import normalizes_over_batch
from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.core.paths import typed_path
from convlens.core.settings import Config, merge, validated
from convlens.data import ImageSet, read_header, value_range
from convlens.models import ModelSpec, build_architecture, expected_normalization, training_head
from convlens.recipe.recipe import Recipe
from convlens.training import OptimizerSettings, require_class_names

THUMBNAIL = 64
"""The longest side, in pixels, up to which images are used at the size they have."""

PHOTOGRAPH = 128
"""The side that larger images are brought to: a laptop then trains in minutes, not hours."""

PRETRAINED = "--model resnet18 --pretrained"
"""The options that start from ImageNet weights."""

LOOKED_AT = 256

Reasons: TypeAlias = dict[str, str]

HEAD_RATE = 1e-3

FINE_TUNING = 0.1
"""The rate of loaded weights as a share of the new head's: they know something already."""

TRANSFER_EPOCHS = 10
SMALL = ("lenet5",)
"""Networks of fewer than three layers before the head: they are trained further whole."""

TRANSFER_PATIENCE = 3

FEW_STEPS = 200
"""Steps up to which a network learns more at `SHORT_RUN_RATE`: see
`docs/decisions/0046-training-short-runs.md`."""

SHORT_RUN_RATE = 5e-3


def resolve_defaults(asked: Config, images: ImageSet) -> tuple[Recipe, Reasons]:
    """Fill in what is not asked for.

    The rules:

    - the input is as large as the images where they all have one size of at most 64 pixels a side,
      else 128×128; it is gray where all images looked at are;
    - 16-bit images are scaled by the bits that those looked at use: 8, 10, 12, 14 or 16;
    - the network is `standard` for inputs of up to 64 pixels, `resnet18` beyond;
    - a network of a classic family gets global average pooling and one dense layer for a head, the
      small networks keep their own;
    - where it loads weights and is a network that was published with ImageNet's, pixels are
      normalized as ImageNet's were;
    - where it begins from loaded weights, it is trained in two phases of up to 10 epochs, each of
      which, if it has more than 3, ends when the validation loss has not fallen for 3: first the
      head alone, at 1e-3, then the last three layers with it, at a tenth of that; a network of the
      user's own, in the layer notation, or told to have no phases, whole, at 1e-4;
    - training images are augmented by the policy that `convlens.augment.default_policy` chooses;
    - a batch is 64 images, or as many as make 10 steps an epoch, but at least 8;
    - the epochs are as many as show the network 600,000 images, between 12 and 40;
    - where that makes fewer than 200 steps, a network with batch normalization that starts from
      scratch learns at 5e-3, unless another optimizer is asked for.

    Args:
        asked: what the user has said.
        images: what it is to be trained on.

    Returns:
        The complete recipe, and why: a sentence for each choice made, by the part of the recipe
        that it is about (``"augment"``, ``"training.epochs"``).

    Raises:
        ConvlensError: what is asked for is not valid.
    """
    reasons: Reasons = {}
    parts: dict[str, Any] = {}
    parts["input"] = _input(asked.get("input", {}), images, reasons)
    given = merge(parts, {key: asked[key] for key in ("input",) if key in asked})["input"]
    height, width = given["height"], given["width"]
    side = max(height, width)
    asked = _with_one_output(_with_policy(asked, images, height, width, reasons))
    model = _model(asked.get("model", {}), side, reasons)
    asked = {**asked, "model": merge(asked.get("model", {}), model)}
    spec = validated(ModelSpec, asked["model"], what="[model]")
    parts["input"] |= _normalization(spec, given["channels"], reasons)
    parts["training"] = _training(asked.get("training", {}), images, spec, reasons)
    recipe = validated(Recipe, merge(parts, asked), what="the recipe")
    require_class_names(recipe.training.loss, images.classes)
    if "learning_rate" not in asked.get("training", {}).get("optimizer", {}):
        recipe = _with_short_run_rate(recipe, images, reasons)
    return recipe, reasons


def _with_short_run_rate(recipe: Recipe, images: ImageSet, reasons: Reasons) -> Recipe:
    """The recipe with a higher rate where its steps are few; nobody has asked for another."""
    training = recipe.training
    an_epoch = math.ceil(len(images.splits["train"]) / training.batch_size)
    steps = training.epochs * an_epoch
    by_rule = not training.phases and training.budget_seconds is None
    rated = by_rule and training.optimizer == OptimizerSettings() and not recipe.model.loads_weights
    if not rated or steps >= FEW_STEPS or not _normalizes(recipe, images):
        return recipe
    reasons["training.optimizer.learning_rate"] = (
        f"learning rate {SHORT_RUN_RATE:g}: the run has only {pluralize(steps, 'step')}"
    )
    optimizer = training.optimizer.model_copy(update={"learning_rate": SHORT_RUN_RATE})
    return recipe.model_copy(
        update={"training": training.model_copy(update={"optimizer": optimizer})}
    )


def _normalizes(recipe: Recipe, images: ImageSet) -> bool:
    """Whether the network has batch normalization; no code of the user's own is run for that."""
    if recipe.model.is_own:
        return False
    try:
        with torch.device("meta"):
            network = build_architecture(recipe.model, recipe.input, classes=len(images.classes))
    except ConvlensError:
        return False  # raised again, and explained, where the network is built
    return normalizes_over_batch(network)


def _input(asked: Config, images: ImageSet, reasons: Reasons) -> dict[str, Any]:
    (height, width), channels, same = _look(images)
    chosen: dict[str, Any] = {"height": height, "width": width, "channels": channels}
    why = "every image has that size" if same else f"photographs are brought to {PHOTOGRAPH} pixels"
    if not {"height", "width"} & set(asked):
        reasons["input"] = f"input {height}×{width}×{asked.get('channels', channels)}: {why}"
    return chosen | _value_bits(asked, images, reasons)


def _value_bits(asked: Config, images: ImageSet, reasons: Reasons) -> dict[str, Any]:
    """How many bits 16-bit images use: one scale for all of them, kept in the bundle."""
    found = value_range(images.paths or ()) if "value_bits" not in asked else None
    if found is None or found.bits == 16:
        return {}
    reasons["input.value_bits"] = (
        f"16-bit images use {found.bits} bits (largest value {found.largest:,} in "
        f"{found.images:,} looked at): these become the full range"
    )
    return {"value_bits": found.bits}


def _look(images: ImageSet) -> tuple[tuple[int, int], int, bool]:
    """Size, channels, and whether the size is that of every image looked at."""
    if images.arrays is not None:
        height, width, channels = images.arrays.shape[1:]
        same = max(height, width) <= THUMBNAIL
        return (height, width) if same else (PHOTOGRAPH, PHOTOGRAPH), channels, same
    paths = images.paths or ()
    sizes: Counter[tuple[int, int]] = Counter()
    gray = True
    for path in paths[:: max(1, len(paths) // LOOKED_AT)]:
        try:
            header = read_header(path)
        except ConvlensError:
            continue  # the reading of the pixels names it
        sizes[header.height, header.width] += 1
        gray = gray and header.channels == 1
    size = next(iter(sizes), (PHOTOGRAPH, PHOTOGRAPH))
    same = len(sizes) == 1 and max(size) <= THUMBNAIL
    return size if same else (PHOTOGRAPH, PHOTOGRAPH), 1 if gray and sizes else 3, same


def _model(asked: Config, side: int, reasons: Reasons) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if not asked.get("name") and not asked.get("layers"):
        name, size = ("standard", "up to") if side <= THUMBNAIL else ("resnet18", "more than")
        chosen["name"] = name
        reasons["model"] = f"network {name}: it suits images of {size} {THUMBNAIL} pixels"
    spec = validated(ModelSpec, merge(chosen, asked), what="[model]")
    if spec.is_own and spec.name is not None and spec.source is None:
        path, _, function = spec.name.rpartition(":")
        return {"name": f"{typed_path(path).resolve()}:{function}"}
    if "head" not in asked:
        chosen["head"] = training_head(spec)
    return chosen


def _normalization(spec: ModelSpec, channels: int, reasons: Reasons) -> dict[str, Any]:
    """What loaded weights expect of pixels: those of published networks began on ImageNet."""
    expected = expected_normalization(spec.name, channels) if spec.loads_weights else None
    if expected is None:
        return {}
    mean, std = expected
    why = "normalization: ImageNet's mean and standard deviation, as the weights expect"
    reasons["input.mean"] = why
    return {"mean": mean, "std": std}


def _with_policy(
    asked: Config, images: ImageSet, height: int, width: int, reasons: Reasons
) -> Config:
    """What is asked, with the augmentation's policy unfolded into its settings."""
    said = dict(asked.get("augment", {}))
    name = said.pop("policy", None)
    if name is None:
        choice = default_policy(images.classes, height=height, width=width)
        base = choice.settings
        changed = ", changed as asked" if said else ""
        reasons["augment"] = f"augmentation {choice.name}{changed}: {choice.reason}"
    else:
        base = policy(name)
    return {**asked, "augment": merge(base.model_dump(mode="json"), said)}


def _with_one_output(asked: Config) -> Config:
    """The loss "binary" and a network with one output go together: either asks for the other."""
    binary = asked.get("training", {}).get("loss", {}).get("name") == "binary"
    if not binary and not asked.get("model", {}).get("binary_output"):
        return asked
    both = {"model": {"binary_output": True}, "training": {"loss": {"name": "binary"}}}
    return merge(both, asked)


def _training(asked: Config, images: ImageSet, spec: ModelSpec, reasons: Reasons) -> dict[str, Any]:
    samples = len(images.splits["train"])
    chosen: dict[str, Any] = {"batch_size": max(8, min(64, samples // 10))}
    if "batch_size" not in asked:
        told = f"{chosen['batch_size']} images a step: for {samples:,} training images"
        reasons["training.batch_size"] = told
    if spec.loads_weights and not asked.get("phases"):
        epochs = asked.get("epochs", TRANSFER_EPOCHS)
        # What is to fill a time must not stop before it is over.
        may_stop = "budget_seconds" not in asked
        long_enough = may_stop and isinstance(epochs, int) and epochs > TRANSFER_PATIENCE
        if long_enough and len(images.splits["val"]) and "early_stopping" not in asked:
            chosen["early_stopping"] = {"patience": TRANSFER_PATIENCE}
        return chosen | _transfer(asked, spec, reasons)
    chosen["epochs"] = max(12, min(40, round(600_000 / max(1, samples))))
    if not {"epochs", "phases", "budget_seconds"} & set(asked):
        told = f"{chosen['epochs']} epochs: for {samples:,} training images"
        reasons["training.epochs"] = told
    return chosen


def _transfer(asked: Config, spec: ModelSpec, reasons: Reasons) -> dict[str, Any]:
    """How loaded weights are trained further."""
    rate = asked.get("optimizer", {}).get("learning_rate", HEAD_RATE)
    if spec.is_own or spec.layers or spec.name in SMALL or "phases" in asked:  # no phases at all
        if "learning_rate" not in asked.get("optimizer", {}):
            told = f"learning rate {FINE_TUNING * rate:g}: low, so that weights survive"
            reasons["training.optimizer.learning_rate"] = told
        return {"optimizer": {"learning_rate": FINE_TUNING * rate}, "epochs": TRANSFER_EPOCHS}
    epochs = asked.get("epochs", TRANSFER_EPOCHS)
    low = FINE_TUNING * rate
    phases = [
        {"train": "head", "epochs": epochs, "optimizer": {"learning_rate": rate}},
        {"train": "last 3", "epochs": epochs, "optimizer": {"learning_rate": low}},
    ]
    reasons["training.phases"] = (
        f"two phases of up to {epochs} epochs: the head alone at {rate:g}, then the last 3 layers "
        f"with it at {low:g}, low so that the loaded weights survive"
    )
    return {"phases": phases, "epochs": epochs}
