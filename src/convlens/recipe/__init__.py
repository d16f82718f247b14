"""The configuration of a run: its schema and the defaults that the data decide."""

from convlens.recipe.defaults import FINE_TUNING, PRETRAINED, THUMBNAIL, resolve_defaults
from convlens.recipe.recipe import ARRAYS, Recipe

__all__ = [
    "ARRAYS",
    "FINE_TUNING",
    "PRETRAINED",
    "THUMBNAIL",
    "Recipe",
    "resolve_defaults",
]
