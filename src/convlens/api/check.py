"""Checking a source, or a recipe, before an epoch is spent on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.options import build_config, model_options, opened, reporter_for, source_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from convlens.core.reporter import Reporter
    from convlens.data import CacheSettings, ImageSet
    from convlens.preflight import Finding, Material, Plan, Preflight
    from convlens.recipe import Recipe


def check(
    source: Any = None,
    *,
    model: str | None = None,
    layers: str | Sequence[str] | None = None,
    head: str | None = None,
    pretrained: bool = False,
    weights: str | Path | None = None,
    recipe: str | Path | None = None,
    splits: str | Path | None = None,
    augment: str | None = None,
    epochs: int | None = None,
    size: str | int | None = None,
    seed: int | None = None,
    allow: Sequence[str] = (),
    fix: str | Path | None = None,
    measure: bool = True,
    device: str = "auto",
    cache: bool = True,
    settings: Sequence[str] | Mapping[str, Any] = (),
    trust_code: bool = False,
    quiet: bool = False,
) -> Preflight:
    """Find what is wrong with images, and with how they are to be trained on; nothing is trained.

    Args:
        source: labeled images in any form that `train` takes; or a recipe's ``.toml`` file, which
            names them.
        model: as for `train`, and so are the others that are not named here.
        layers: a network in the layer notation.
        head: what follows the stages.
        pretrained: begin from the published ImageNet weights; they are not loaded here.
        weights: begin from this file; it is not loaded here.
        recipe: a TOML file to begin from, or the name of a ready recipe.
        splits: a run's ``splits.csv`` to keep.
        augment: what is done to training images.
        epochs: passes over the training images.
        size: the network's input in pixels.
        seed: fixes every draw.
        allow: codes of errors that are not to stop a run.
        fix: write a cleaned table here: every image with its split, or why it is left out. It is
            a source for `train`; the images themselves are left as they are.
        measure: take a few steps to say how long the run will be, and how much memory it needs.
        device: where it would be trained.
        cache: keep what was seen of each file on disk.
        settings: any key of the recipe as ``"part.key=value"``, or as ``{"part.key": value}``.
        trust_code: as for `train`.
        quiet: show no progress.

    Returns:
        The findings, gravest first, and the estimate, where nothing stands in the run's way.

    Raises:
        ConvlensError: what is asked for is not valid, or the table cannot be written.
    """
    from convlens.core.errors import ConvlensError
    from convlens.preflight import Preflight, finding_of, validate_codes, validate_fix

    validate_codes(allow)
    if fix is not None:
        validate_fix(Path(fix))
    if recipe is None and isinstance(source, str | Path) and Path(source).suffix == ".toml":
        source, recipe = None, source
    reporter = reporter_for(quiet)
    asked = build_config(
        recipe,
        model=model_options(
            model=model, layers=layers, head=head, pretrained=pretrained, weights=weights
        ),
        augment=augment,
        epochs=epochs,
        size=size,
        seed=seed,
        settings=settings,
        splits=splits,
        trust_code=trust_code,
    )
    try:
        source, images = opened(source, asked, reporter)
    except ConvlensError as error:
        if error.code not in _OF_THE_SOURCE:
            raise
        if fix is not None:
            raise ConvlensError(
                f"{fix} was not written: {error.problem}", remedy=error.remedy, code=error.code
            ) from error
        name = str(source if source is not None else asked.get("source"))
        return Preflight(name=name, images=0, findings=(finding_of(error),))

    from convlens.core.command_line import command
    from convlens.core.device import choose_device
    from convlens.data import CacheSettings
    from convlens.preflight import validate_no_arrays, write_cleaned
    from convlens.preflight.finding import sort_by_severity
    from convlens.recipe import resolve_defaults

    if fix is not None:
        validate_no_arrays(images)
    where = choose_device(device)
    full, _ = resolve_defaults({**asked, "source": source_name(source)}, images)
    full = full.trusting_code()  # `build_config` has seen to it
    kept = CacheSettings(enabled=cache)
    found, material, plan = _findings(full, images, kept, reporter, device=where)
    if fix is not None:
        left = write_cleaned(material, Path(fix))
        reporter.say(f"wrote {fix}: {left:,} images left out; next: {command('train', Path(fix))}")
    try:
        measured = where if measure else None
        return _judged(plan, found, allow=tuple(allow), device=measured, cache=kept)
    except ConvlensError as error:  # what the run would be refused for is one more finding
        found = sort_by_severity([*found, finding_of(error)])
        return _judged(plan, found, allow=tuple(allow), device=None, cache=kept)


_OF_THE_SOURCE = frozenset(
    {
        "ambiguous-classes",
        "ambiguous-layout",
        "case-twins",
        "class-without-images",
        "classes-differ",
        "conflicting-rows",
        "one-class",
        "real-valued-labels",
        "several-labels",
        "split-twice",
        "unclear-labels",
    }
)
"""What a source may be refused for that is a finding about it, not a slip in the request."""


def checked(
    recipe: Recipe,
    images: ImageSet,
    *,
    allow: Sequence[str],
    device: torch.device,
    cache: CacheSettings,
    reporter: Reporter,
) -> Preflight:
    """What `train` looks at before it starts, told; the errors that stop it are raised.

    Raises:
        StoppedError: an error was found that is not allowed.
    """
    from convlens.core.distributed import Ranks
    from convlens.preflight import told_before_training, validate_codes

    validate_codes(allow)
    processes = Ranks.of_torchrun().world_size
    found, _, plan = _findings(recipe, images, cache, reporter, device=device, processes=processes)
    if plan.refusal is not None:
        raise plan.refusal
    preflight = _judged(plan, found, allow=tuple(allow), device=device, cache=cache)
    for line in told_before_training(found, allow):
        reporter.warn(line)
    preflight.require_allowed()
    expected = f"; {preflight.estimate.describe()}" if preflight.estimate else ""
    reporter.say(preflight.in_a_line() + expected)
    return preflight


def _findings(
    recipe: Recipe,
    images: ImageSet,
    cache: CacheSettings,
    reporter: Reporter,
    *,
    device: torch.device,
    processes: int = 1,
) -> tuple[tuple[Finding, ...], Material, Plan]:
    from convlens.preflight import check_data, check_recipe, look_for_faults, plan_of
    from convlens.preflight.finding import sort_by_severity

    seen = look_for_faults(
        images,
        reporter,
        recipe=recipe,
        source=_in_short(recipe.source),
        keep=cache.enabled,
    )
    plan = plan_of(recipe, images, device=device, processes=processes)
    return sort_by_severity([*check_data(seen), *check_recipe(plan)]), seen, plan


def _in_short(source: str) -> str:
    """A path from the working folder on, where it lies below it."""
    path = Path(source)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else source


def _judged(
    plan: Plan,
    found: tuple[Finding, ...],
    *,
    allow: tuple[str, ...],
    device: torch.device | None,
    cache: CacheSettings,
) -> Preflight:
    """With an estimate, where nothing stands in the run's way and there is a device to measure."""
    from convlens.preflight import Preflight, blocking, estimate

    expected = None
    if device is not None and plan.network is not None and not blocking(found, allow):
        expected = estimate(plan.recipe, plan.images, plan.network, device=device, cache=cache)
    return Preflight(
        name=plan.images.name,
        images=len(plan.images),
        findings=found,
        allowed=allow,
        estimate=expected,
    )
