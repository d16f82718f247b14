"""Settings as people write them: TOML files, ``part.key=value``, and what to say of a slip."""

import json
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from convlens.core.bounded_file import read_bounded
from convlens.core.errors import ConvlensError
from convlens.core.parsing import MOST_TOML_BYTES, parse_toml

Config: TypeAlias = Mapping[str, Any]
"""Nested plain values: what the user has said, and no more."""

Model = TypeVar("Model", bound=BaseModel)

_LONGEST = 200  # characters of a value that an error repeats


def validated(model: type[Model], asked: Config, *, what: str) -> Model:
    """The settings that plain values describe.

    Args:
        model: the settings' class.
        asked: nested plain values.
        what: what to call the settings in an error (``"the recipe"``).

    Raises:
        ConvlensError: a key is unknown (names the nearest), or a value is out of range.
    """
    try:
        return model.model_validate(asked)
    except ValidationError as error:
        raise ConvlensError(
            f"{what} does not hold: {_in_words(error, model)}", code="bad-settings"
        ) from error


def problems(error: ValidationError) -> str:
    """What does not fit in a file, in a line: where, what is there, and what was expected."""
    told = []
    for one in error.errors(include_url=False)[:2]:
        place = ".".join(str(part) for part in one["loc"])
        text = one["msg"].removeprefix("Value error, ")
        what = repr(one["input"])
        found = f" (found {what[:40]}{'…' * (len(what) > 40)})" if one["type"] != "missing" else ""
        told.append(f"{place}: {text}{found}" if place else text)
    more = error.error_count() - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")


def read_toml(path: Path) -> dict[str, Any]:
    """The nested plain values of a TOML file, not validated yet.

    Raises:
        ConvlensError: the file is missing, or is not TOML.
    """
    try:
        return parse_toml(read_bounded(path, MOST_TOML_BYTES).decode())
    except OSError as error:
        raise ConvlensError(
            f"cannot read {path} ({error.strerror}); pass a TOML file",
            code="unreadable-file",
        ) from error
    except ValueError as error:
        raise ConvlensError(f"{path} is not valid TOML: {error}", code="bad-toml") from error


def merge(below: Config, above: Config) -> dict[str, Any]:
    """Both, nested; where they differ ``above`` has its way.

    Example:
        >>> merge({"training": {"epochs": 5, "batch_size": 8}}, {"training": {"epochs": 9}})
        {'training': {'epochs': 9, 'batch_size': 8}}
    """
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(old, Mapping)
        merged[key] = merge(old or {}, value) if both else value
    return merged


def apply_setting(asked: Config, setting: str) -> dict[str, Any]:
    """Apply one ``part.key=value``; the value is read as TOML, or else taken as text.

    Raises:
        ConvlensError: the setting has not that form.

    Example:
        >>> apply_setting({}, "training.epochs=5")
        {'training': {'epochs': 5}}
    """
    key, equals, text = setting.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(part.isidentifier() for part in parts):
        raise ConvlensError(
            f"--set got '{setting}'; expected part.key=value, such as training.batch_size=32",
            code="bad-setting",
        )
    try:
        value: Any = parse_toml(f"value = {text}")["value"]
    except ValueError:
        value = text.strip()
    for part in reversed(parts):
        value = {part: value}
    return merge(asked, value)


def settings_in_text(settings: Iterable[str] | Mapping[str, Any]) -> list[str]:
    """Settings as ``part.key=value``, each a text.

    Args:
        settings: such texts; or values by ``part.key``, as Python has them.

    Example:
        >>> settings_in_text({"training.loss.class_weights": {"cat": 2, "dog": 1}})
        ['training.loss.class_weights={"cat" = 2, "dog" = 1}']
    """
    if not isinstance(settings, Mapping):
        return list(settings)
    return [f"{key}={_toml(value)}" for key, value in settings.items()]


def _toml(value: Any) -> str:
    """A plain value as TOML writes it within a line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def require_tables(asked: Config, places: Iterable[str]) -> None:
    """Refuse a part of the settings that is given as a single value.

    Args:
        asked: nested plain values, of which nothing is known yet.
        places: dotted names of what must be a table of keys, where it is there at all.

    Raises:
        ConvlensError: one is something else.

    Example:
        >>> require_tables({"training": {"epochs": 5}}, ["training", "training.loss"])
        >>> require_tables({"model": "vgg16"}, ["model"])  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        convlens.core.errors.ConvlensError: model is 'vgg16'; it has keys of its own: ...
    """
    for place in places:
        value: Any = asked
        for part in place.split("."):
            value = value.get(part, {}) if isinstance(value, Mapping) else {}
        if value is not None and not isinstance(value, Mapping):
            raise ConvlensError(
                f"{place} is {value!r}; it has keys of its own: write {place}.KEY=VALUE"
                + f", such as {place}.name={value}" * isinstance(value, str),
                code="bad-settings",
            )


def _in_words(error: ValidationError, model: type[BaseModel]) -> str:
    problems = []
    for problem in error.errors():
        if problem["type"] == "default_factory_not_called":
            continue  # a default that waits for the value that is at fault
        place = [str(part) for part in problem["loc"]]
        name = ".".join(place)
        if problem["type"] == "extra_forbidden":
            known = _keys(model, place[:-1])
            nearest = get_close_matches(place[-1], known, n=1)
            hint = f"did you mean '{nearest[0]}'? " if nearest else ""
            problems.append(f"unknown key '{name}'; {hint}Known here: {', '.join(known)}")
        elif problem["type"] == "missing":
            problems.append(f"'{name}' is missing")
        elif problem["type"] == "no_such_place":
            problems.append(problem["msg"])
        else:
            raised = problem.get("ctx", {}).get("error")  # by a validator of ours
            message = str(raised) if isinstance(raised, Exception) else problem["msg"]
            what = repr(problem["input"])
            shown = what if len(what) <= _LONGEST else f"{what[:_LONGEST]}…"
            problems.append(f"{name} is {shown}: {message}")
    return "; ".join(problems)


def _keys(model: type[BaseModel], place: list[str]) -> list[str]:
    for part in place:
        if part.isdigit():  # a place in a list, whose kind is known already
            continue
        inner = _settings_in(model.model_fields[part].annotation)
        if inner is None:
            return []
        model = inner
    return sorted(model.model_fields)


def _settings_in(annotation: Any) -> type[BaseModel] | None:
    """The settings in an annotation, be they optional or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_settings_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
