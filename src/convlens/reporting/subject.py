"""What was trained on what: the report's first sentence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from convlens.core.formatting import describe, pluralize
from convlens.recipe import Recipe
from convlens.reporting.facts import Facts
from convlens.reporting.words import listed

_SPLITS = {"train": "to learn from", "val": "to choose by", "test": "to measure on"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The head of the report.

    Attributes:
        data: what the images are called.
        model: what the network is called.
        sentence: what was trained on what.
        facts: pairs of a name and a value.
    """

    data: str
    model: str
    sentence: str
    facts: tuple[tuple[str, str], ...]


def subject(facts: Facts) -> Subject:
    """What was trained on what."""
    data = facts.environment.get("data", {})
    counts = images_by_split(facts.environment)
    name = str(data.get("name", "images"))
    model = model_name(facts.recipe)
    size = f", a network of {facts.network.parameters:,} parameters," if facts.network else ""
    seconds = facts.metrics.get("seconds")
    took = f" It took {describe(seconds)}." if seconds else ""
    sentence = (
        f"“{model}”{size} learned from {_start(facts.recipe)}, on "
        f"{pluralize(counts.get('train', 0))} of {name}, to tell "
        f"{pluralize(len(facts.classes), 'class')} apart.{took}"
    )
    return Subject(data=name, model=model, sentence=sentence, facts=tuple(_facts(facts, counts)))


def images_by_split(environment: Mapping[str, Any]) -> dict[str, int]:
    """How many images each split has."""
    images = environment.get("data", {}).get("images", {})
    return {split: sum(own.values()) for split, own in images.items()}


def model_name(recipe: Recipe) -> str:
    """The network in a word or two; a network in a file of the user's by its function's name."""
    name = recipe.model.name
    if name is None:
        return "layers"
    if recipe.model.is_own:
        path, _, function = name.rpartition(":")
        return f"{function} of {PurePath(path).name}"
    return name


def _start(recipe: Recipe) -> str:
    """The weights that training began with."""
    if recipe.model.weights:
        return f"the weights in {recipe.model.weights.name}"
    return "published ImageNet weights" if recipe.model.pretrained else "random weights"


def _facts(facts: Facts, counts: Mapping[str, int]) -> list[tuple[str, str]]:
    spec = facts.recipe.input
    colors = {1: "gray", 3: "color"}.get(spec.channels, f"{spec.channels} channels")
    split = [f"{counts[name]:,} {does}" for name, does in _SPLITS.items() if counts.get(name)]
    found = [
        ("Images", listed(split)),
        ("Each seen at", f"{spec.height}×{spec.width} pixels, {colors}"),
    ]
    if made := facts.provenance.get("made"):
        found.append(("Trained", str(made).replace("T", " ")[:16]))
    return found
