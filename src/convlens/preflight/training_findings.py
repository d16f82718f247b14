"""Findings about how a recipe trains: rates, batches, patience, what is done to pixels."""

from collections.abc import Iterator, Sequence

from convlens.augment import default_policy
from convlens.core.batch_norm import batch_norm_learns
from convlens.core.command_line import setting
from convlens.core.formatting import pluralize
from convlens.models import expected_normalization
from convlens.preflight.finding import Finding, found
from convlens.preflight.plan import Plan
from convlens.recipe import FINE_TUNING
from convlens.training import OptimizerSettings, PhaseSettings, freeze

TOO_HIGH = 3
"""How many times the fine-tuning rate is too much."""

TINY = 8

_FAR_OUT = 20.0
_TOLERANCE = 0.02


def channel_axis(plan: Plan) -> Finding | None:
    """Arrays without a channel axis, or gray ones where the network takes color."""
    images, asked = plan.images, plan.recipe.input.channels
    has = None if images.arrays is None else images.arrays.shape[3]
    if has == 1 and asked == 3:
        return found(
            "channel-axis",
            "the images are gray and the network's input has 3 channels: all three are alike",
            "--set input.channels=1, unless loaded weights want 3",
            images=1,
            input=3,
        )
    if images.arrays is None or not images.axis_added:
        return None
    height, width = images.arrays.shape[1:3]
    return found(
        "channel-axis",
        "the arrays have no channel axis, which a convolution needs (channel axis added: "
        f"{height}x{width} -> {height}x{width}x1)",
        "nothing: it was added; in Python, X[..., None] does it",
    )


def fine_tuning_rate(plan: Plan) -> Finding | None:
    """Loaded layers that learn at a rate which would undo what they know."""
    recipe = plan.recipe
    if not recipe.model.loads_weights:
        return None
    for number, phase in enumerate(recipe.training.plan, start=1):
        rate, usual = phase.optimizer.learning_rate, _fine_tuning_rate(phase)
        if phase.train == "head" or rate <= TOO_HIGH * usual:
            continue
        which = f"phase {number} " if recipe.training.phases else ""
        return found(
            "fine-tuning-rate",
            f"{which}trains loaded layers ({phase.train}) at {rate:g} with "
            f"{phase.optimizer.name}; fine-tuning takes about {usual:g}, or it undoes what they "
            "know",
            _rate_remedy(recipe.training.phases, number, usual),
            rate=rate,
            recommended=usual,
            phase=number,
        )
    return None


def _fine_tuning_rate(phase: PhaseSettings) -> float:
    return FINE_TUNING * OptimizerSettings(name=phase.optimizer.name).learning_rate


def _rate_remedy(phases: Sequence[PhaseSettings], number: int, usual: float) -> str:
    if not phases:
        return f"--set training.optimizer.learning_rate={usual:g}"
    lines = f"optimizer = {{ learning_rate = {usual:g} }}"
    if any(phase.train == "head" for phase in phases[: number - 1]):
        head = usual / FINE_TUNING
        return (
            f"in the recipe's phase {number}: {lines}; without phases of your own, "
            f"--set training.optimizer.learning_rate={head:g}, of which fine-tuning takes a tenth"
        )
    return f"in the recipe's phase {number}: {lines}"


def scaled_twice(plan: Plan) -> Finding | None:
    """A mean or standard deviation in units of 255."""
    spec = plan.recipe.input
    if max(spec.mean) <= 2 and max(spec.std) <= 2:
        return None
    mean, std = (_listed(v / 255 for v in values) for values in (spec.mean, spec.std))
    return found(
        "scaled-twice",
        f"input.mean is {_listed(spec.mean)} and input.std {_listed(spec.std)}, in units of 255; "
        "pixels are in [0, 1] by then, and would all look alike",
        f"{setting('input.mean', mean)} {setting('input.std', std)}",
        mean=list(spec.mean),
        std=list(spec.std),
    )


def not_scaled(plan: Plan) -> Finding | None:
    """A standard deviation that blows pixels up."""
    spec = plan.recipe.input
    reach = max(
        max(abs(0 - mean), abs(1 - mean)) / std
        for mean, std in zip(spec.mean, spec.std, strict=True)
    )
    if reach <= _FAR_OUT or max(spec.mean) > 2:
        return None
    return found(
        "not-scaled",
        f"with input.std {_listed(spec.std)} pixels reach the network as numbers up to {reach:.0f}",
        f"{setting('input.mean', _listed([0.5] * spec.channels))} "
        f"{setting('input.std', _listed([0.25] * spec.channels))}",
        reach=round(reach, 1),
    )


def backbone_normalization(plan: Plan) -> Finding | None:
    """Loaded weights that get pixels normalized otherwise than the published ones were."""
    model, spec = plan.recipe.model, plan.recipe.input
    expected = expected_normalization(model.name, spec.channels) if model.loads_weights else None
    if expected is None:
        return None
    mean, std = expected
    given = (*spec.mean, *spec.std)
    if all(abs(a - b) <= _TOLERANCE for a, b in zip(given, (*mean, *std), strict=True)):
        return None
    return found(
        "backbone-normalization",
        f"{model.name}'s published weights were trained with mean {_listed(mean)} and standard "
        f"deviation {_listed(std)}; the recipe has {_listed(spec.mean)} and {_listed(spec.std)}",
        f"{setting('input.mean', _listed(mean))} {setting('input.std', _listed(std))}"
        + ", unless your weights were trained otherwise" * (not model.pretrained),
        severity=None if model.pretrained else "note",
        expected={"mean": list(mean), "std": list(std)},
        given={"mean": list(spec.mean), "std": list(spec.std)},
    )


def tiny_batches(plan: Plan) -> Finding | None:
    """Batch normalization that learns from a handful of images."""
    size = min(plan.recipe.training.batch_size, max(1, plan.samples))
    if plan.network is None or size >= TINY:
        return None
    larger = "--set training.batch_size=16" if plan.samples >= TINY else "add training images"
    for phase in plan.recipe.training.plan:
        freeze(plan.network, phase.train)
        if batch_norm_learns(plan.network):
            return found(
                "tiny-batches",
                f"batch normalization learns (train = '{phase.train}') from batches of {size}: its "
                "statistics are noise",
                f"{larger}, or train the head alone",
                batch_size=size,
            )
    return None


def flip_changes_class(plan: Plan) -> Finding | None:
    """Mirrored images, where a mirror image would be of another class."""
    spec = plan.recipe.input
    usual = default_policy(plan.images.classes, height=spec.height, width=spec.width)
    if not plan.recipe.augment.horizontal_flip or not usual.handed:
        return None
    return found(
        "flip-changes-class",
        f"images are mirrored, and {usual.handed}: left and right matter",
        "--set augment.horizontal_flip=false",
    )


def patience_too_long(plan: Plan) -> Finding | None:
    """Something waits for more epochs than there are."""
    for number, phase in enumerate(plan.recipe.training.plan, start=1):
        for name, patience in _patiences(phase):
            if patience >= phase.epochs:
                return found(
                    "patience-too-long",
                    f"{name}.patience is {patience}, and phase {number} has "
                    f"{pluralize(phase.epochs, 'epoch')}: it can never act",
                    _patience_remedy(plan, name, patience),
                    patience=patience,
                    epochs=phase.epochs,
                )
    return None


def _patience_remedy(plan: Plan, name: str, patience: int) -> str:
    """A patience that every phase can act by; with a single epoch there is none."""
    epochs = min(phase.epochs for phase in plan.recipe.training.plan)
    if epochs > 1:
        return f"--set training.{name}.patience={max(1, epochs // 3)}"
    return f"--epochs {max(2, patience + 1)}, or leave {name} out"


def _patiences(phase: PhaseSettings) -> Iterator[tuple[str, int]]:
    if phase.early_stopping is not None:
        yield "early_stopping", phase.early_stopping.patience
    if phase.reduce_on_plateau is not None:
        yield "reduce_on_plateau", phase.reduce_on_plateau.patience


def batch_too_large(plan: Plan) -> Finding | None:
    """A batch of more images than there are."""
    size = plan.recipe.training.batch_size
    if size <= plan.samples:
        return None
    fitting = min(plan.samples, max(TINY, min(64, plan.samples // 10)))
    return found(
        "batch-too-large",
        f"a batch has {size} images, and there are {plan.samples:,} to train on: one step an epoch",
        f"--set training.batch_size={fitting}",
        batch_size=size,
        images=plan.samples,
    )


def _listed(values: Iterator[float] | Sequence[float]) -> str:
    return "[" + ",".join(f"{value:.4g}" for value in values) + "]"
