"""The keys of a recipe: defaults, bounds and meanings, from the models that validate them."""

import types
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import griffe
from docs.generated.markdown import code, table
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from convlens.recipe.recipe import Recipe

_OPENING = """# Recipe keys

A recipe is one TOML file: `convlens train SOURCE --recipe FILE`; [ready
ones](../guide/training.md#ready-recipes) are named. Each key can also be said on the command line,
`--set part.key=value`; what you leave out is [chosen from the images](../guide/training.md), told,
and written into the run's `recipe.toml` in full.

"""
_NUMBERS = {
    "ge": "{} or more",
    "gt": "above {}",
    "le": "{} at most",
    "lt": "below {}",
}


def page() -> str:
    """The whole page."""
    return _OPENING + "\n".join(_section(path, model) for path, model in parts(Recipe))


def parts(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """A model and those that are nested in it, each with its place in the file."""
    yield path, model
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            several = get_origin(field.annotation) is tuple
            place = f"{path}.{name}" if path else name
            yield from parts(inner, f"{place}[]" if several else place)


def described(model: type[BaseModel]) -> dict[str, str]:
    """What each key means, from the docstrings of a model and of those it stands on."""
    found: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel and each.__doc__:
            for section in griffe.Docstring(each.__doc__).parse("google", warnings=False):
                if section.kind is griffe.DocstringSectionKind.attributes:
                    found |= {own.name: own.description for own in section.value}
    return found


def _section(path: str, model: type[BaseModel]) -> str:
    # A phase may be of one kind or another: the list of phases is an array of tables in TOML.
    heading = f"[[{path[:-2]}]]" if path.endswith("[]") else f"[{path}]"
    opening = (model.__doc__ or "").strip().partition("\n\n")[0]
    means = described(model)
    rows = [
        (
            code(name),
            _default(field),
            _values(field.annotation, field.metadata),
            means[name],
        )
        for name, field in model.model_fields.items()
        if path or not any(_models(field.annotation))
    ]
    title = f"## `{heading}`" if path else "## The run"
    return f"{title}\n\n{' '.join(opening.split())}\n\n" + table(
        ("key", "default", "values", "what it means"), rows
    )


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return "by the rules"
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    return _value(field.default)


def _value(value: Any) -> str:
    """A value as TOML has it."""
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, str):
        return code(f'"{value}"')
    if isinstance(value, tuple):
        return code(f"[{', '.join(_value(each).strip('`') for each in value)}]")
    if isinstance(value, float):
        return code(f"{value:.6g}" if value != int(value) else f"{value:.1f}")
    return code(value)


def _values(annotation: Any, metadata: list[Any]) -> str:
    """Which values a key takes."""
    bounds = list(_bounds(metadata))
    return ", ".join([_kind(annotation), *bounds])


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _values(inner[0], list(inner[1:]))
    if origin is Literal:
        return ", ".join(_value(choice) for choice in inner)
    if origin in {Union, types.UnionType}:
        return " or ".join(_kind(each) for each in inner if each is not type(None))
    if origin is tuple:
        several = inner[-1] is Ellipsis
        kinds = dict.fromkeys(_kind(each) for each in inner if each is not Ellipsis)
        return f"list of {'' if several else f'{len(inner)} '}{' and '.join(kinds)}"
    if origin is not None:
        return "table"
    names = {int: "whole number", float: "number", bool: "true or false", str: "text"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table"
    return names.get(annotation, "path")


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for each in metadata:
        if isinstance(each, FieldInfo):
            yield from _bounds(each.metadata)
        for name, words in _NUMBERS.items():
            bound = getattr(each, name, None)
            if bound is not None:
                yield words.format("2⁶³" if bound == 2**63 else f"{bound:g}")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)
