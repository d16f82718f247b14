"""Many small maps as one picture."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps, patheffects
from matplotlib.axes import Axes
from numpy.typing import NDArray

from convlens.core.canvas import Image, blank

_PAPER = 255
_TILE_PIXELS = 64
_GAP = 1 / 24
"""Between tiles, as a part of a tile."""


def show_mosaic(
    axes: Axes,
    tiles: NDArray[np.float32],
    numbers: Sequence[int],
    *,
    colors: str,
    columns: int,
) -> None:
    """Draw tiles in a grid, each with its number in the corner.

    Args:
        axes: where.
        tiles: T×h×w (drawn in ``colors``) or T×h×w×3 (their own colors), values in [0, 1]; a
            tile of NaN is left gray.
        numbers: T numbers to write.
        colors: a matplotlib color map.
        columns: tiles a row.
    """
    sheet, down, across = mosaic(tiles, colors=colors, columns=columns)
    axes.imshow(sheet, interpolation="antialiased")
    blank(axes)
    outline = [patheffects.withStroke(linewidth=1.4, foreground="black")]
    for place, number in enumerate(numbers):
        axes.text(
            place % columns * across + across * 0.06,
            place // columns * down + across * 0.06,
            str(number),
            fontsize=5.5,
            color="white",
            va="top",
            path_effects=outline,
        )


def mosaic(tiles: NDArray[np.float32], *, colors: str, columns: int) -> tuple[Image, int, int]:
    """Lay tiles out in a grid, thin white lines between them, whole pixels repeated.

    Returns:
        H×W×3 uint8, and the pixels from one tile to the next: down and across.
    """
    count, height, width = tiles.shape[:3]
    times = max(1, round(_TILE_PIXELS / max(height, width)))
    gap = max(1, round(times * max(height, width) * _GAP))
    down, across = height * times + gap, width * times + gap
    rows = math.ceil(count / columns)
    sheet = np.full((rows * down - gap, columns * across - gap, 3), _PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        painted = _paint(tile, colors).repeat(times, 0).repeat(times, 1)
        top, left = number // columns * down, number % columns * across
        sheet[top : top + height * times, left : left + width * times] = painted
    return sheet, down, across


def grid_columns(count: int) -> int:
    """Tiles a row: a grid without a gap at its end if one is near to square, wider than high.

    Example:
        >>> [grid_columns(count) for count in (6, 16, 32, 64, 7)]
        [3, 4, 8, 8, 3]
    """
    square = math.ceil(math.sqrt(count))
    wide = range(square, int(1.6 * square) + 1)
    full = (columns for columns in wide if count % columns == 0)
    return next(full, square) if count > 3 else count


def stretch(
    tiles: NDArray[np.float32], low: NDArray[np.float32], high: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Values from ``low`` to ``high`` to [0, 1]; where the two are equal, 0."""
    span = np.where(high > low, high - low, 1)
    stretched: NDArray[np.float32] = np.clip((tiles - low) / span, 0, 1)
    return stretched


def _paint(tile: NDArray[np.float32], colors: str) -> Image:
    if np.isnan(tile).any():
        return np.full((*tile.shape[:2], 3), 225, np.uint8)
    rgb = tile if tile.ndim == 3 else colormaps[colors](tile)[..., :3]
    painted: Image = (rgb * 255).round().astype(np.uint8)
    return painted
