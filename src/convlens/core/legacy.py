"""Names of version 0.1, accepted for one release.

Recipes, settings, runs and bundles that use the old keys are read through `upgrade_keys`. Delete
this file, and its callers' use of it, in the release after the next.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")

RECIPE_KEYS: Mapping[str, str] = {
    "abstaining": "selective",
    "augment.grey": "gray",
    "model.one_output": "binary_output",
    "training.average": "ema",
    "training.clip_norm": "grad_clip_norm",
    "training.optimiser": "optimizer",
    "training.optimizer.normalise_kernels": "normalize_kernels",
    "training.optimizer.orthogonalisation_steps": "orthogonalization_steps",
    "training.reduce_on_plateau.min_rate": "min_lr",
    "training.phases.optimiser": "optimizer",
    "training.phases.optimizer.normalise_kernels": "normalize_kernels",
    "training.phases.optimizer.orthogonalisation_steps": "orthogonalization_steps",
    "training.phases.reduce_on_plateau.min_rate": "min_lr",
}
"""Old keys of a recipe, by their place: the tables above them under their new names."""

BUNDLE_KEYS: Mapping[str, str] = {
    "calibration.abstaining": "selective",
    "metrics.abstaining": "selective",
    "model.one_output": "binary_output",
}

METRICS_KEYS: Mapping[str, str] = {"abstaining": "selective"}

CHECKPOINT_PREFIXES: Mapping[str, str] = {"optimiser/": "optimizer/", "average/": "ema/"}


def upgrade_keys(
    values: Mapping[str, Any], renamed: Mapping[str, str], *, warn: bool = False
) -> dict[str, Any]:
    """Replace old keys by the new ones.

    Args:
        values: nested plain values as they were read; not changed.
        renamed: old keys by their dotted place; items of a list share the list's place.
        warn: name each old key that was found in a `FutureWarning`.

    Example:
        >>> upgrade_keys({"training": {"clip_norm": 1.0, "epochs": 3}}, RECIPE_KEYS)
        {'training': {'grad_clip_norm': 1.0, 'epochs': 3}}
    """
    return _upgrade_table(values, renamed, "", warn)


def upgrade_prefixes(values: Mapping[str, T], renamed: Mapping[str, str]) -> dict[str, T]:
    """Replace old prefixes of names by the new ones.

    Example:
        >>> upgrade_prefixes({"average/weight": 1, "model/weight": 2}, CHECKPOINT_PREFIXES)
        {'ema/weight': 1, 'model/weight': 2}
    """
    upgraded = {}
    for name, value in values.items():
        old = next((prefix for prefix in renamed if name.startswith(prefix)), "")
        upgraded[renamed.get(old, "") + name.removeprefix(old)] = value
    return upgraded


_WORDS = {"look": "visualize", "--views": "--tta", "--against": "--baseline"}


def upgrade_words(words: Sequence[str]) -> list[str]:
    """Replace the old verb and the old options of a command line, with a warning.

    Example:
        >>> upgrade_words(["evaluate", "run"])
        ['evaluate', 'run']
    """
    upgraded = []
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        new = _WORDS.get(name) if number == 0 or name.startswith("--") else None
        if new is not None:
            warn_renamed(name, new)
        upgraded.append(word if new is None else f"{new}{equals}{value}")
    return upgraded


def renamed_arguments(**renamed: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function take old keywords, with a warning.

    Args:
        renamed: the new keyword by the old one.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in renamed.keys() & kwargs.keys():
                warn_renamed(old, renamed[old])
                kwargs[renamed[old]] = kwargs.pop(old)
            return function(*args, **kwargs)

        return call

    return decorate


def warn_renamed(old: str, new: str) -> None:
    """Warn that a name is going to be removed."""
    warnings.warn(
        f"'{old}' is now '{new}'; the old name will be removed in the next release",
        FutureWarning,
        stacklevel=3,
    )


def _upgrade_table(
    values: Mapping[str, Any], renamed: Mapping[str, str], place: str, warn: bool
) -> dict[str, Any]:
    upgraded: dict[str, Any] = {}
    for key, value in values.items():
        name = renamed.get(f"{place}{key}", key)
        if name != key and warn:
            warn_renamed(f"{place}{key}", f"{place}{name}")
        upgraded[name] = _upgrade_value(value, renamed, f"{place}{name}.", warn)
    return upgraded


def _upgrade_value(value: Any, renamed: Mapping[str, str], place: str, warn: bool) -> Any:
    if isinstance(value, Mapping):
        return _upgrade_table(value, renamed, place, warn)
    if isinstance(value, list | tuple):
        return [_upgrade_value(item, renamed, place, warn) for item in value]
    return value
