"""All kinds of hostile files."""

from tests.hostile import archives, arrays, broken, images, runs, tables, weights
from tests.hostile.case import Kind

KINDS: dict[str, Kind] = {
    "images": images.KIND,
    "archives": archives.KIND,
    "arrays": arrays.KIND,
    "tables": tables.KIND,
    "weights": weights.KIND,
    "runs": runs.KIND,
}

WATCHED = {**KINDS, "broken": broken.KIND}
"""With the kind that tests what watches."""
