"""Training: a new run, or one that goes on."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.check import checked
from convlens.api.options import (
    build_config,
    model_options,
    opened,
    reporter_for,
    source_name,
    validate_resume_options,
)
from convlens.api.resuming import report_of, resume_run
from convlens.api.trained import run_folder

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from convlens.api.trained import RunLike
    from convlens.core.distributed import Ranks
    from convlens.core.reporter import Reporter
    from convlens.runs import Run


def train(
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
    budget: str | float | None = None,
    size: str | int | None = None,
    seed: int | None = None,
    out: str | Path | None = None,
    resume: RunLike | bool | None = None,
    device: str = "auto",
    cache: bool = True,
    settings: Sequence[str] | Mapping[str, Any] = (),
    allow: Sequence[str] = (),
    trust_code: bool = False,
    quiet: bool = False,
) -> Run:
    """Train a network on labeled images, and measure it on images it never saw.

    What is not asked for is chosen from the data by the rules of
    `convlens.recipe.resolve_defaults`, told, and written into the run's recipe. In a program that
    ``torchrun`` starts as several processes, they share the run; all must call this alike.

    Args:
        source: a folder of class folders, an archive, an ``.npz`` file, a table, a catalog name,
            or arrays ``(X, y)``: X of N×H×W×C, N×C×H×W or N×H×W, uint8, booleans or floats in
            [0, 1], or Pillow images of one size; y of N labels.
        model: a network by name, or your own as ``"file.py:function"``.
        layers: a network in the layer notation, in place of ``model``.
        head: what follows the stages, in the layer notation: ``"globalavgpool, dense 256 relu,
            dropout 0.5, dense"``; ``"published"`` for the one the network is published with.
        pretrained: begin from the published ImageNet weights.
        weights: begin from this file (safetensors or ``.pth``).
        recipe: a TOML file to begin from, or the name of a ready recipe, as
            ``"chapter-transfer"``; what is said here comes before what it says.
        splits: a run's ``splits.csv``: the images that it names stay in their splits, new ones are
            dealt out.
        augment: what is done to training images: ``"none"``, ``"light"``, ``"standard"``,
            ``"strong"`` or ``"trivial"``.
        epochs: passes over the training images, in each phase.
        budget: fit the epochs to this time: ``"5m"``, ``"90s"``, ``"1h30m"``, or seconds.
        size: the network's input in pixels: 224, or ``"96x160"`` (height × width).
        seed: fixes every draw of the run; 0 by default.
        out: the run's folder; by default a new one under ``runs``.
        resume: an unfinished `Run`, or its folder, to go on with as it was asked for: nothing of it
            can be changed; True for the newest one under ``runs``. `resume` does the same, and
            more.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
        cache: keep decoded images on disk for the next run; False holds them in memory.
        settings: any key of the recipe as ``"part.key=value"``, or as ``{"part.key": value}``.
        allow: codes of errors that are found beforehand and are not to stop the run; see `check`.
        trust_code: run the code of a network of the user's own that the recipe, or the run to go on
            with, brings along. A file that ``model`` names needs no such word, and neither does
            code that was trusted before on this machine.
        quiet: show nothing.

    Returns:
        The finished run: its metrics, history, bundle and predictor.

    Raises:
        StoppedError: an error was found beforehand that is not allowed.
        ConvlensError: the request cannot be carried out as it stands.
        WorkFailedError: the work failed.
    """
    from convlens.core.distributed import Ranks

    network = model_options(
        model=model, layers=layers, head=head, pretrained=pretrained, weights=weights
    )
    said: dict[str, Any] = {
        "augment": augment,
        "epochs": epochs,
        "budget": budget,
        "size": size,
        "seed": seed,
        "settings": settings,
        "splits": splits,
    }
    with Ranks.of_torchrun().joined(device) as ranks:
        reporter = reporter_for(quiet or not ranks.is_global_zero)
        where: dict[str, Any] = {"device": device, "cache": cache, "ranks": ranks}
        if resume is not None and resume is not False:
            asked_anew = {"SOURCE": source, "recipe": recipe, "out": out}
            validate_resume_options({**asked_anew, **network, **said, "allow": tuple(allow)})
            folder = None if resume is True else run_folder(resume, name="resume")
            return resume_run(folder, **where, trust_code=trust_code, reporter=reporter)
        asked = build_config(recipe, model=network, **said, trust_code=trust_code)
        return _begin(source, asked, out=out, allow=allow, **where, reporter=reporter)


def _begin(
    source: Any,
    asked: dict[str, Any],
    *,
    out: str | Path | None,
    allow: Sequence[str],
    device: str,
    cache: bool,
    ranks: Ranks,
    reporter: Reporter,
) -> Run:
    """A new run, from what the user has said to its end."""
    # The images are opened before the recipe, which needs torch: a slip is then told at once.
    with ranks.local_zero_first():
        source, images = opened(source, asked, reporter)

    from convlens.data import CacheSettings
    from convlens.recipe import resolve_defaults
    from convlens.runs import new_run, new_run_folder, run_training

    where = ranks.device(device)
    recipe, reasons = resolve_defaults({**asked, "source": source_name(source)}, images)
    recipe = recipe.trusting_code()  # `build_config` has seen to it
    for reason in reasons.values():
        reporter.say(f"chose {reason}")
    ranks.require_same(recipe.to_toml(), "recipe")
    kept = CacheSettings(enabled=cache)
    with ExitStack() as stack:
        folder = Path()
        if ranks.is_global_zero:  # before the images are looked at, which may take minutes
            folder = new_run_folder(
                Path(out) if out is not None else None,
                name=images.name,
                model=recipe.model.name or "layers",
            )
            stack.enter_context(new_run(folder, recipe.to_toml(), reporter))
            found = checked(
                recipe, images, allow=allow, device=where, cache=kept, reporter=reporter
            )
            found.save(folder)
        run = run_training(
            recipe,
            images,
            Path(ranks.broadcast(str(folder))),
            device=where,
            cache=kept,
            ranks=ranks,
            reporter=reporter,
        )
        report_of(run, images, device=device, cache=cache, ranks=ranks, reporter=reporter)
    return run
