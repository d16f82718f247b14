"""What the user has said, as the layers below take it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.api.ready_recipes import recipe_file
from convlens.api.trained import run_file
from convlens.api.trust import with_trusted_code, without_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from convlens.core.errors import ConvlensError
    from convlens.core.reporter import Reporter
    from convlens.data import ImageSet


_TABLES = (
    "data",
    "input",
    "augment",
    "model",
    "training",
    "training.optimizer",
    "training.schedule",
    "training.loss",
    "training.early_stopping",
    "training.reduce_on_plateau",
    "training.ema",
    "selective",
)


def build_config(
    recipe: str | Path | None,
    *,
    model: dict[str, Any],
    augment: str | None,
    epochs: int | None,
    size: str | int | None,
    seed: int | None,
    settings: Sequence[str] | Mapping[str, Any],
    budget: str | float | None = None,
    splits: str | Path | None = None,
    trust_code: bool = False,
) -> dict[str, Any]:
    """What the user has said: the recipe, over it the options, over them the settings.

    The code of a network of the user's own is carried along from here on, trusted.
    """
    from convlens.core.formatting import parse_duration
    from convlens.core.input_spec import parse_size
    from convlens.core.legacy import RECIPE_KEYS, upgrade_keys
    from convlens.core.paths import typed_path
    from convlens.core.settings import (
        apply_setting,
        merge,
        read_toml,
        require_tables,
        settings_in_text,
    )

    settings = settings_in_text(settings)
    asked = read_toml(_recipe_file(recipe)) if recipe is not None else {}
    asked = upgrade_keys(asked, RECIPE_KEYS, warn=True)
    require_tables(asked, _TABLES)
    said: dict[str, Any] = {}
    if model["name"] is not None or model["layers"] is not None:
        asked.pop("model", None)
    said["model"] = {key: value for key, value in model.items() if value is not None}
    if augment is not None:
        asked.pop("augment", None)
        said["augment"] = {"policy": augment}
    if epochs is not None:
        said["training"] = {"epochs": epochs, **_each_phase(asked, {"epochs": epochs})}
    if budget is not None:
        said["training"] = {**said.get("training", {}), "budget_seconds": parse_duration(budget)}
    if size is not None:
        height, width = parse_size(str(size))
        said["input"] = {"height": height, "width": width}
    if seed is not None:
        said["seed"] = seed
    asked, named = merge(asked, said), model["name"] is not None
    if any(setting.startswith(("selective.", "abstaining.")) for setting in settings):
        asked.pop("selective", None)  # a coverage and an error rate are not asked for together
    for setting in settings:
        said = upgrade_keys(apply_setting({}, setting), RECIPE_KEYS, warn=True)
        require_tables(said, _TABLES)
        if "name" in (said.get("model") or {}):
            asked, named = without_source(asked), True
        asked = merge(asked, said)
        of_phases = ("epochs", "optimizer", "schedule", "early_stopping", "reduce_on_plateau")
        shared = {k: v for k, v in said.get("training", {}).items() if k in of_phases}
        asked = merge(asked, {"training": _each_phase(asked, shared)} if shared else {})
    file = asked["model"].get("weights")
    if isinstance(file, str):  # a run may be gone on with, or repeated, from any working folder
        asked = merge(asked, {"model": {"weights": str(typed_path(file).resolve())}})
    if splits is not None:
        asked = merge(
            asked,
            {"data": {"splits": str(run_file(splits, "splits.csv", name="splits").resolve())}},
        )
    return with_trusted_code(asked, named=named, trust_code=trust_code, recipe=recipe)


def _recipe_file(recipe: Any) -> Path:
    """The file of a recipe by its path or name, or of the `Run` that it made."""
    if isinstance(recipe, str):
        return recipe_file(recipe)
    return recipe_file(run_file(recipe, "recipe.toml", name="recipe"))


def model_options(
    *,
    model: str | None,
    layers: str | Sequence[str] | None,
    head: str | None = None,
    pretrained: bool,
    weights: str | Path | None,
) -> dict[str, Any]:
    """Which network the options ask for, by the names of `convlens.models.ModelSpec`."""
    return {
        "name": model,
        "layers": layers,
        "head": head,
        "pretrained": pretrained or None,
        "weights": None
        if weights is None
        else str(run_file(weights, "bundle/model.safetensors", name="weights")),
    }


def validate_resume_options(said: dict[str, Any]) -> None:
    """Refuse to change a run that is to go on as it was asked for.

    Raises:
        ConvlensError: something of it is given anew.
    """
    from convlens.core.errors import ConvlensError

    words = {"name": "model", "settings": "set"}
    given = [words.get(n, n) for n, value in said.items() if value not in (None, False, ())]
    if given:
        names = ", ".join(n if n.isupper() else f"--{n}" for n in dict.fromkeys(given))
        raise ConvlensError(
            f"--resume goes on with a run as its recipe says, and {names} would change it; leave "
            "that out, or start a new run without --resume"
            + "; for more epochs, type convlens resume RUN --epochs N"
            * ("epochs" in given),
            code="bad-option",
        )


def _each_phase(asked: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """The phases of a recipe, where it has some, each with what is said over what it had."""
    from convlens.core.settings import merge

    phases = asked.get("training", {}).get("phases")
    return {"phases": [merge(phase, said) for phase in phases]} if phases else {}


def opened(source: Any, asked: dict[str, Any], reporter: Reporter) -> tuple[Any, ImageSet]:
    """The source that is passed, or else the recipe's, and its images."""
    from convlens.core.settings import validated
    from convlens.data import DataSettings, open_source

    source = source if source is not None else asked.get("source")
    if source is None:
        raise _no_source()
    images = open_source(
        source,
        seed=_seed(asked.get("seed", 0)),
        settings=validated(DataSettings, asked.get("data", {}), what="[data]"),
        reporter=reporter,
    )
    return source, images


def _seed(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        from convlens.core.errors import ConvlensError

        raise ConvlensError(
            f"seed is {value!r}; expected a whole number from 0 to 2^63 - 1", code="bad-settings"
        )
    return value


def source_name(source: Any) -> str:
    """What the recipe calls the source: a path that holds from any working folder."""
    from convlens.core.paths import exists, typed_path
    from convlens.data import known_datasets

    if not isinstance(source, str | Path):
        return "arrays"
    if source in known_datasets():
        return str(source)
    path = typed_path(source)
    return str(path.resolve()) if exists(path) else str(source)


def _no_source() -> ConvlensError:
    from convlens.core.errors import ConvlensError

    return ConvlensError(
        "no source of images was given; pass a folder of class folders, an .npz file, arrays "
        "(X, y), or a catalog name such as digits",
        code="no-source",
    )


def reporter_for(quiet: bool) -> Reporter:
    """Whoever is to be told: the terminal, or nobody."""
    if quiet:
        from convlens.core.reporter import Quiet

        return Quiet()
    from convlens.core.terminal import Terminal

    return Terminal()
