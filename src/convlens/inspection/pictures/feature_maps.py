"""The picture of a layer's feature maps, for several images side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.core.canvas import (
    CAPTION,
    Sheet,
    even_row,
    shorten,
    show_image,
    write_above,
)
from convlens.inspection.feature_maps import FeatureMaps
from convlens.inspection.pictures.mosaic import grid_columns, show_mosaic, stretch
from convlens.inspection.recording import Pixels

Scale: TypeAlias = Literal["own", "shared"]

_COLOURS = "viridis"
_GAP = 0.3
_BAR = 0.9
_MOST_A_ROW = 4


def draw_feature_maps(
    found: FeatureMaps,
    pixels: Pixels,
    names: Sequence[str],
    *,
    network: str = "",
    scale: Scale = "own",
    most: int = 64,
) -> Figure:
    """Each image, and a grid of the layer's channels below it (beside it, if it is the only one).

    Args:
        found: the layer's maps.
        pixels: uint8 N×H×W×C, the images that gave them.
        names: N titles.
        network: what to call the network.
        scale: ``"own"`` stretches each channel over its own range in all the images,
            ``"shared"`` all channels over one range, with a color bar.
        most: how many channels to show: those that vary most.
    """
    channels = channels_to_show(found.maps, most)
    tiles = found.maps[:, channels]
    pooled = (0, 1, 2, 3) if scale == "shared" else (0, 2, 3)
    low, high = tiles.min(axis=pooled, keepdims=True), tiles.max(axis=pooled, keepdims=True)
    painted = stretch(tiles, low, high)
    painted[:, np.isin(channels, found.dead)] = np.nan

    place = _Places.of(pixels, found.maps, len(channels))
    bar = _BAR if scale == "shared" else 0
    detail = _detail(found, channels, scale)
    sheet = Sheet(
        place.whole_wide + bar,
        place.whole_tall,
        _title(found),
        f"{network}: {detail}" if network else detail,
    )
    for number, name in enumerate(names):
        image_axes = sheet.place(*place.image(number))
        show_image(image_axes, pixels[number])
        write_above(image_axes, shorten(name))
        show_mosaic(
            sheet.place(*place.maps(number)),
            painted[number],
            channels.tolist(),
            colors=_COLOURS,
            columns=place.columns,
        )
    if scale == "shared":
        values = ScalarMappable(Normalize(float(low.min()), float(high.max())), _COLOURS)
        _, top, _, tall = place.maps(0)
        axes = sheet.place(place.whole_wide + 0.2, top, 0.16, min(tall, 3.0))
        sheet.figure.colorbar(values, cax=axes).ax.tick_params(labelsize=9)
    return sheet.figure


@dataclass(frozen=True)
class _Places:
    """Where images and grids stand, in inches from the left margin and the heading.

    One image stands beside its grid; several stand above theirs, a few to a row.
    """

    count: int
    a_row: int
    columns: int
    image_size: tuple[float, float]
    maps_size: tuple[float, float]

    @classmethod
    def of(cls, pixels: Pixels, maps: NDArray[np.float32], channels: int) -> "_Places":
        count, columns = len(pixels), grid_columns(channels)
        wide, image_wide = (3.6, 2.4) if count > 1 else (6.0, 3.0)
        tall = wide * -(-channels // columns) / columns * maps.shape[2] / maps.shape[3]
        image_tall = image_wide * pixels.shape[1] / pixels.shape[2]
        return cls(
            count, even_row(count, _MOST_A_ROW), columns, (image_wide, image_tall), (wide, tall)
        )

    @property
    def whole_wide(self) -> float:
        if self.count == 1:
            return self.image_size[0] + _GAP + self.maps_size[0]
        return self.a_row * (self.maps_size[0] + _GAP) - _GAP

    @property
    def whole_tall(self) -> float:
        if self.count == 1:
            return CAPTION + max(self.image_size[1], self.maps_size[1])
        return -(-self.count // self.a_row) * self._row - _GAP

    @property
    def _row(self) -> float:
        return CAPTION + self.image_size[1] + _GAP / 2 + self.maps_size[1] + _GAP

    def image(self, number: int) -> tuple[float, float, float, float]:
        left, top, *_ = self.maps(number)
        if self.count == 1:
            return 0.0, top, *self.image_size
        indent = (self.maps_size[0] - self.image_size[0]) / 2
        return left + indent, top - _GAP / 2 - self.image_size[1], *self.image_size

    def maps(self, number: int) -> tuple[float, float, float, float]:
        if self.count == 1:
            return self.image_size[0] + _GAP, CAPTION, *self.maps_size
        row, column = divmod(number, self.a_row)
        top = row * self._row + CAPTION + self.image_size[1] + _GAP / 2
        return column * (self.maps_size[0] + _GAP), top, *self.maps_size


def channels_to_show(maps: NDArray[np.float32], most: int) -> NDArray[np.int64]:
    """The channels that vary most over N×C×h×w maps, at most so many, in their own order."""
    spread = maps.std(axis=(0, 2, 3))
    return np.sort(np.argsort(-spread, kind="stable")[:most])


def _title(found: FeatureMaps) -> str:
    _, count, height, width = found.maps.shape
    return f"{found.layer}   {height}×{width}×{count}"


def _detail(found: FeatureMaps, channels: NDArray[np.int64], scale: Scale) -> str:
    count = found.maps.shape[1]
    shown = f"{count} channels"
    if len(channels) < count:
        shown = f"the {len(channels)} of {count} channels that vary most"
    each = "each on its own scale" if scale == "own" else "all on one scale"
    images = "this image" if len(found.maps) == 1 else f"these {len(found.maps)} images"
    return f"{shown}, {each}; {len(found.dead)} of {count} dead (the same everywhere in {images})"
