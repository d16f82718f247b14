"""Whose word the code of a network runs on.

A file of code that the caller names, as an argument or with ``--set model.name``, is the caller's
word for it. Code that a recipe's file or a run brings along needs ``trust_code``, unless the caller
has trusted the very same code before on this machine: so one's own run resumes without a word.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from convlens.recipe import Recipe
    from convlens.runs import Run


def with_trusted_code(
    asked: dict[str, Any], *, named: bool, trust_code: bool, recipe: str | Path | None
) -> dict[str, Any]:
    """What is asked for, carrying the code of the user's own network that it names, if any.

    Nothing is run, and a file that the caller has not given their word for is not even read.

    Args:
        asked: what the user has said, the recipe included.
        named: the caller has named the network, rather than the recipe.
        trust_code: the caller's word for code that the recipe brings along.
        recipe: the recipe's file.

    Raises:
        ConvlensError: the code is not trusted, or its file cannot be read.
    """
    from convlens.models import is_known_code, is_own, remember_code, untrusted, with_source

    model = asked.get("model") or {}
    name, source = model.get("name"), model.get("source")
    if not isinstance(name, str) or not is_own(name):
        return asked
    known = isinstance(source, str) and is_known_code(name, source)
    if not (named or trust_code or known):
        raise untrusted(name, model.get("source_sha256"), where=str(recipe))
    if source is None:
        model = {**model, **with_source(name)}
    if isinstance(model["source"], str):
        remember_code(name, model["source"])
    return {**asked, "model": model}


def without_source(asked: dict[str, Any]) -> dict[str, Any]:
    """What is asked for, without the code that it carries: another network is named."""
    model = asked.get("model") or {}
    kept = {k: v for k, v in model.items() if k not in {"source", "source_sha256"}}
    return {**asked, "model": kept}


def trusted_recipe(run: Run, *, trust_code: bool) -> Recipe:
    """The recipe of a run that is to go on, its code trusted.

    Raises:
        ConvlensError: the code is not trusted, or the run does not carry it.
    """
    from convlens.core.errors import ConvlensError
    from convlens.models import is_known_code, remember_code, untrusted

    recipe = run.recipe
    name, source = recipe.model.name, recipe.model.source
    if name is None or not recipe.model.is_own:
        return recipe
    where = run.folder / "recipe.toml"
    if source is None:
        raise ConvlensError(
            f"{where} names code outside the run ({name}) and carries none; nothing of it was run",
            remedy="a run carries the code of its network: start a new one with --model "
            "path/to/file.py:function",
            code="code-outside",
        )
    if not (trust_code or is_known_code(name, source)):
        raise untrusted(name, recipe.model.source_sha256, where=str(where))
    remember_code(name, source)
    return recipe.trusting_code()
