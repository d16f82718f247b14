"""The picture of a layer's feature maps, for several images side by side."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.inspection.feature_maps import FeatureMaps
from convlens.inspection.pictures.canvas import CAPTION, Sheet, shorten, show_image, write_above
from convlens.inspection.pictures.mosaic import grid_columns, show_mosaic, stretch
from convlens.inspection.recording import Pixels

Scale: TypeAlias = Literal["own", "shared"]

_COLOURS = "viridis"
_GAP = 0.3
_BAR = 0.9


def draw_feature_maps(
    found: FeatureMaps,
    pixels: Pixels,
    names: Sequence[str],
    *,
    scale: Scale = "own",
    most: int = 64,
) -> Figure:
    """Each image, and a grid of the layer's channels below it (beside it, if it is the only one).

    Args:
        found: the layer's maps.
        pixels: uint8 N×H×W×C, the images that gave them.
        names: N titles.
        scale: ``"own"`` stretches each channel over its own range in all the images,
            ``"shared"`` all channels over one range, with a colour bar.
        most: how many channels to show: those that vary most.
    """
    channels = channels_to_show(found.maps, most)
    tiles = found.maps[:, channels]
    pooled = (0, 1, 2, 3) if scale == "shared" else (0, 2, 3)
    low, high = tiles.min(axis=pooled, keepdims=True), tiles.max(axis=pooled, keepdims=True)
    painted = stretch(tiles, low, high)
    painted[:, np.isin(channels, found.dead)] = np.nan

    count, columns = len(pixels), grid_columns(len(channels))
    rows = -(-len(channels) // columns)
    wide = 3.6 if count > 1 else 6.0
    tall = wide * rows / columns * found.maps.shape[2] / found.maps.shape[3]
    image_wide = 2.4 if count > 1 else 3.0
    image_tall = image_wide * pixels.shape[1] / pixels.shape[2]
    beside = count == 1
    maps_left = image_wide + _GAP if beside else 0.0
    maps_top = CAPTION if beside else image_tall + CAPTION + _GAP / 2
    whole_wide = maps_left + count * (wide + _GAP) - _GAP
    sheet = Sheet(
        whole_wide + (_BAR if scale == "shared" else 0),
        max(maps_top + tall, CAPTION + image_tall),
        _title(found),
        _detail(found, channels, scale),
    )
    for number in range(count):
        left = number * (wide + _GAP)
        indent = 0.0 if beside else (wide - image_wide) / 2
        image_axes = sheet.place(left + indent, CAPTION, image_wide, image_tall)
        show_image(image_axes, pixels[number])
        write_above(image_axes, shorten(names[number]))
        show_mosaic(
            sheet.place(maps_left + left, maps_top, wide, tall),
            painted[number],
            channels.tolist(),
            colours=_COLOURS,
            columns=columns,
        )
    if scale == "shared":
        values = ScalarMappable(Normalize(float(low.min()), float(high.max())), _COLOURS)
        bar = sheet.place(whole_wide + 0.2, maps_top, 0.16, min(tall, 3.0))
        sheet.figure.colorbar(values, cax=bar).ax.tick_params(labelsize=9)
    return sheet.figure


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
    return f"{shown}, {each}; {len(found.dead)} of {count} dead (zero everywhere in {images})"
