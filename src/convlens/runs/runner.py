"""A run from its recipe to its bundle: images, network, training, figures."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from convlens.core.classifier import Classifier
from convlens.core.command_line import command
from convlens.core.device import describe_machine, library_versions, peak_memory, placed
from convlens.core.distributed import Ranks
from convlens.core.errors import ConvlensError
from convlens.core.files import surviving_folder, write_json
from convlens.core.formatting import pluralize
from convlens.core.reporter import Reporter
from convlens.core.rng import Stream, derived_seed, permutation
from convlens.core.version import __version__
from convlens.data import (
    CacheSettings,
    ImageSet,
    Pixels,
    read_pixels,
    split_calibration,
    write_splits,
)
from convlens.inspection import explain_custom_errors
from convlens.models import build, build_architecture, portable, prepare
from convlens.prediction import Bundle, TrainingImages, save_bundle
from convlens.recipe.recipe import Recipe
from convlens.runs.metrics import measure_run
from convlens.runs.phases import train_in_phases
from convlens.runs.run import SPLITS_FILE, Run
from convlens.runs.run_files import read_environment
from convlens.runs.same_images import image_changes
from convlens.runs.weak_result import weak_result

PARTS = ("train", "val", "calibration", "test")
"""What a run needs images for; the validation images are divided between the two in the middle."""

_LOOKED_AT = 5000


def run_training(
    recipe: Recipe,
    images: ImageSet,
    folder: Path,
    *,
    device: torch.device,
    reporter: Reporter,
    cache: CacheSettings | None = None,
    ranks: Ranks | None = None,
) -> Run:
    """Train, measure and bundle; goes on from the folder's checkpoint where there is one.

    Of several processes one a host fills the caches, and the first writes all that a run leaves.

    Args:
        recipe: the complete description of the run.
        images: the images of its source, split.
        folder: the run's folder.
        device: where to train.
        reporter: whom to tell.
        cache: whether and where decoded pixels are kept; None for the defaults.
        ranks: the processes that share the run; None for this one alone.

    Returns:
        The finished run.

    Raises:
        ConvlensError: the images cannot be used, or the folder not be written to.
        WorkFailedError: the loss is not finite, or the disk is full.
    """
    cache, ranks = cache or CacheSettings(), ranks or Ranks()
    goes_on = surviving_folder(folder / "checkpoint") is not None
    with ranks.local_zero_first(cache.enabled):
        pixels = pixels_of_parts(recipe, images, cache, reporter)
    with ranks.local_zero_first(recipe.model.loads_weights):
        classifier = placed(
            _drawn_classifier(recipe, images)
            if goes_on
            else fresh_classifier(recipe, images, pixels, reporter),
            device,
            channels_last=recipe.training.channels_last,
        )
    environment = _environment(recipe, images, pixels, device, ranks)
    _begin_together(ranks, environment, classifier)
    if ranks.is_global_zero:
        began = _refuse_changes(folder, environment, images)
        _unfinish(recipe, folder)
        recipe.save(folder / "recipe.toml")
        if began and goes_on:
            _tell_of_another_machine(began, environment, reporter)
        kept = _with_later_machine(began, environment) if began and goes_on else environment
        write_json(folder / "environment.json", kept)
        write_splits(images, folder / SPLITS_FILE)
    _tell_of_calibration(recipe, images, pixels, reporter)
    if ranks.world_size > 1:
        _tell_of(ranks, recipe, device, cache, reporter)
    # Before training, which may take days: files that vanish meanwhile were trained on too.
    known = TrainingImages.of(images, reporter) if ranks.is_global_zero else None
    metrics = train_in_phases(
        recipe,
        images,
        pixels,
        classifier,
        folder,
        cache=cache,
        ranks=ranks,
        reporter=reporter,
    )
    if ranks.is_global_zero:
        bundle = Bundle(
            classifier=classifier,
            model=recipe.model,
            classes=images.classes,
            provenance=_provenance(recipe, environment["data"]["fingerprint"], folder),
            training_images=known,
        )
        calibration, figures = measure_run(
            bundle, images, pixels, recipe.selective, device=device, reporter=reporter
        )
        metrics |= {**figures, "peak_memory_mb": round(peak_memory(device) / 1e6)}
        metrics["weak_result"] = weak_result(metrics, Run(folder).history, recipe, images)
        save_bundle(replace(bundle, calibration=calibration, metrics=metrics), folder / "bundle")
        write_json(folder / "metrics.json", metrics)
    ranks.barrier()
    return Run(folder)


def _begin_together(ranks: Ranks, environment: Mapping[str, Any], classifier: Classifier) -> None:
    """Every process has the same images, and from here on the same network."""
    ranks.require_same(json.dumps(environment["data"]), "images")
    ranks.broadcast_tensors(list(classifier.state_dict().values()))


def _tell_of(
    ranks: Ranks, recipe: Recipe, device: torch.device, cache: CacheSettings, reporter: Reporter
) -> None:
    """What it means that several processes share the run."""
    reporter.say(ranks.describe(device))
    if not cache.enabled:
        reporter.say("without the cache each of them decodes all images, and holds them in memory")
    size, needed = recipe.training.batch_size, 2 * ranks.world_size
    if size < needed:
        reporter.warn(
            f"a batch of {size} images is too small for {ranks.world_size} processes: some have "
            f"nothing to do; start fewer, or pass --set training.batch_size={needed}"
        )


def _tell_of_calibration(
    recipe: Recipe, images: ImageSet, pixels: Mapping[str, Pixels], reporter: Reporter
) -> None:
    """Which part of the validation images decides nothing, or why there is none."""
    own, all_of_them = len(pixels["calibration"]), len(images.splits["val"])
    if own:
        reporter.say(f"{own:,} of {all_of_them:,} validation images decide nothing: they calibrate")
    elif all_of_them and recipe.data.calibration:
        reporter.say(
            f"{pluralize(all_of_them, 'validation image')}: too few to keep some apart, so nothing "
            "is promised of how sure the network is; give more (--set data.val=0.3), 60 or more"
        )


def parts_of(recipe: Recipe, images: ImageSet) -> dict[str, NDArray[np.int64]]:
    """The numbers of the images of each of the `PARTS`."""
    deciding, calibrating = split_calibration(
        images, share=recipe.data.calibration, seed=recipe.seed
    )
    return {**images.splits, "val": deciding, "calibration": calibrating}


def pixels_of_parts(
    recipe: Recipe,
    images: ImageSet,
    cache: CacheSettings,
    reporter: Reporter,
    *,
    parts: Sequence[str] = PARTS,
) -> dict[str, Pixels]:
    """The pixels of each of the `PARTS`, or of some, the training images' among them.

    Raises:
        ConvlensError: of a class no readable training image is there.
    """
    numbers = parts_of(recipe, images)
    pixels = {
        part: read_pixels(
            images,
            numbers[part],
            recipe.input,
            margin=recipe.margin_of(part),
            settings=cache,
            reporter=reporter,
        )
        for part in parts
    }
    shown = np.bincount(images.labels[pixels["train"].rows], minlength=len(images.classes))
    unseen = [name for name, count in zip(images.classes, shown, strict=True) if not count]
    if unseen:
        raise ConvlensError(
            f"no readable training image of: {', '.join(unseen)}; every class needs at least one",
            remedy="add images, or leave the class out",
            code="class-without-images",
        )
    return pixels


def fresh_classifier(
    recipe: Recipe, images: ImageSet, pixels: Mapping[str, Pixels], reporter: Reporter
) -> Classifier:
    """The network as it is before the first step: its weights are drawn from the run's seed."""
    found = _drawn_classifier(recipe, images, partial(build, reporter=reporter))
    train = pixels["train"]
    some = permutation(recipe.seed, 0, len(train), slot=Stream.WEIGHTS)[:_LOOKED_AT]

    def looked_at() -> torch.Tensor:
        return torch.from_numpy(train.array[np.sort(some)]).permute(0, 3, 1, 2)

    if prepare(found, recipe.model, looked_at):
        reporter.say(f"the first layer is made from {len(some):,} training images, not learned")
    return found


def _drawn_classifier(
    recipe: Recipe, images: ImageSet, make: Callable[..., Classifier] = build_architecture
) -> Classifier:
    """The network with weights drawn from the run's seed.

    A checkpoint brings all weights: to go on from it, those that the run began from are not needed,
    and may be gone.
    """
    with torch.random.fork_rng(), explain_custom_errors():
        torch.manual_seed(derived_seed(recipe.seed, slot=Stream.WEIGHTS))
        return make(recipe.model, recipe.input, classes=len(images.classes))


def _refuse_changes(folder: Path, now: Mapping[str, Any], images: ImageSet) -> Mapping[str, Any]:
    """A run goes on only with the images and the network that it began with.

    Returns:
        The environment that it began in; nothing where it begins now.
    """
    if not (folder / "environment.json").is_file():
        return {}
    before = read_environment(folder)
    changed = []
    if what := image_changes(folder, before["data"], images):
        changed.append(f"its images ({what})")
    if before.get("network_sha256") != now["network_sha256"]:
        changed.append("the file of its network")
    if changed:
        raise ConvlensError(
            f"{' and '.join(changed)} changed since {folder} began; bring back what was there, or "
            f"start a new run: {command('train', '--recipe', folder / 'recipe.toml')}",
            code="changed-since",
        )
    return before


def _unfinish(recipe: Recipe, folder: Path) -> None:
    """Take back the figures of a run that is to be trained otherwise than it was."""
    metrics = folder / "metrics.json"
    if metrics.is_file() and Run(folder).recipe.training != recipe.training:
        metrics.unlink()


def _tell_of_another_machine(
    began: Mapping[str, Any], now: Mapping[str, Any], reporter: Reporter
) -> None:
    """Say so where a run goes on with what computes other last bits than it began with."""
    ours, theirs = _what_decides_bits(now), _what_decides_bits(began)
    changed = [key for key in ours if key in theirs and ours[key] != theirs[key]]
    if changed:
        with_ours, with_theirs = (", ".join(it[key] for key in changed) for it in (ours, theirs))
        reporter.warn(
            f"resumed with {with_ours}, begun with {with_theirs}: the weights will not be the same "
            "to the last bit"
        )


def _what_decides_bits(environment: Mapping[str, Any]) -> dict[str, str]:
    """What a run's last bits depend on besides its recipe, in words, as far as it is known."""
    found = {**environment.get("machine", {}), "processes": environment.get("processes")}
    words: dict[str, Callable[[Any], str]] = {
        "processor": str,
        "device": lambda name: f"device {name}",
        "threads": lambda n: pluralize(n, "thread"),
        "torch": lambda version: f"torch {version}",
        "processes": lambda n: pluralize(n, "process"),
    }
    return {key: say(found[key]) for key, say in words.items() if found.get(key) is not None}


def _with_later_machine(began: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """The environment that a run began in, and each other one in which it went on, once."""
    of_machine = ("convlens", "machine", "libraries", "processes")
    first, later = ({key: found.get(key) for key in of_machine} for found in (began, now))
    resumed = list(began.get("resumed", ()))
    if later not in [first, *resumed]:
        resumed.append(later)
    return {**began, "resumed": resumed} if resumed else dict(began)


def _environment(
    recipe: Recipe,
    images: ImageSet,
    pixels: Mapping[str, Pixels],
    device: torch.device,
    ranks: Ranks,
) -> dict[str, Any]:
    skipped = [*images.skipped, *(file for own in pixels.values() for file in own.skipped)]
    return {
        "convlens": __version__,
        "machine": describe_machine(device),
        "libraries": library_versions(),
        "processes": ranks.world_size,
        "network_sha256": portable(recipe.model).source_sha256,
        "data": {
            "name": images.name,
            "fingerprint": images.fingerprint(),
            "images": images.counts(),
            "notes": list(images.notes),
            "skipped": [{"path": file.path, "reason": file.reason} for file in skipped],
        },
    }


def _provenance(recipe: Recipe, fingerprint: str, folder: Path) -> dict[str, Any]:
    return {
        "run": folder.name,
        "source": recipe.source,
        "seed": recipe.seed,
        "data": fingerprint,
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
