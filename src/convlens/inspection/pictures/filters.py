"""The picture of a convolution's kernels."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.core.canvas import INK, LINE, Sheet, write_above
from convlens.inspection.filters import Filters
from convlens.inspection.pictures.feature_maps import Scale
from convlens.inspection.pictures.mosaic import grid_columns, show_mosaic

_COLOURS = "RdBu_r"
_WIDE = 7.0
_BAR = 0.9
_MOST_ROWS = 12
_MOST_SLICES = 16


def draw_filters(
    found: Filters, *, network: str = "", scale: Scale = "own", most: int = 64
) -> Figure:
    """Kernels that see color in color; any other by norm, negative weights blue, positive red.

    A filter with several input channels has a kernel for each: then a row shows one filter, the
    strongest of its kernels first, and the strongest filters are the upper rows.

    Args:
        found: the convolution's weights.
        network: what to call the network.
        scale: ``"own"`` stretches each filter over its own range, ``"shared"`` all over one.
        most: how many filters to show.
    """
    if found.sees_color or found.weights.shape[1] == 1:
        return _grid(found, network, scale, most)
    return _rows(found, network, scale, min(most, _MOST_ROWS))


def _grid(found: Filters, network: str, scale: Scale, most: int) -> Figure:
    order = np.argsort(-found.norms, kind="stable")[:most]
    if found.sees_color:
        order = np.arange(len(found.norms))[:most]
    tiles = _centerd(found.weights[order], scale)
    columns = grid_columns(len(order))
    tall = _WIDE * -(-len(order) // columns) / columns
    tall *= found.weights.shape[2] / found.weights.shape[3]
    how = "in red, green and blue: gray is 0" if found.sees_color else "by norm, strongest first"
    sheet = _sheet(found, network, tall, f"{_count(found, len(order))}, {how}{_scale_words(scale)}")
    axes = sheet.place(0, 0.1, _WIDE, tall)
    painted = tiles.transpose(0, 2, 3, 1) if found.sees_color else tiles[:, 0]
    show_mosaic(axes, painted, order.tolist(), colors=_COLOURS, columns=columns)
    if not found.sees_color:
        _add_bar(sheet, found, scale, tall)
    return sheet.figure


def _rows(found: Filters, network: str, scale: Scale, most: int) -> Figure:
    order = np.argsort(-found.norms, kind="stable")[:most]
    slices = np.sqrt((found.weights[order] ** 2).sum(axis=(2, 3)))
    strongest = np.argsort(-slices, axis=1, kind="stable")[:, :_MOST_SLICES]
    kernels = np.take_along_axis(found.weights[order], strongest[..., None, None], axis=1)
    tiles = _centerd(kernels, scale)
    rows, columns = strongest.shape
    tall = _WIDE * rows / columns * found.weights.shape[2] / found.weights.shape[3]
    sheet = _sheet(
        found,
        network,
        tall,
        f"{_count(found, rows)}, one a row, strongest first; in a row the {columns} strongest of "
        f"its {found.weights.shape[1]} kernels, numbered by input channel{_scale_words(scale)}",
    )
    axes = sheet.place(0.5, 0.1, _WIDE, tall)
    show_mosaic(
        axes,
        tiles.reshape(-1, *tiles.shape[2:]),
        strongest.ravel().tolist(),
        colors=_COLOURS,
        columns=columns,
    )
    for row, number in enumerate(order):
        place = 1 - (row + 0.5) / rows
        axes.text(
            -0.012, place, str(number), transform=axes.transAxes, ha="right", va="center",
            fontsize=9.5, color=INK,
        )  # fmt: skip
    norms = sheet.place(_WIDE + 0.75, 0.1, 1.6, tall)
    norms.barh(np.arange(rows), found.norms[order], color=LINE, height=0.72)
    norms.set_ylim(rows - 0.5, -0.5)
    for row, norm in enumerate(found.norms[order]):
        norms.text(0, row, f" {norm:.2f}", va="center", fontsize=9, color=INK)
    write_above(norms, "norm", size=9.5)
    _add_bar(sheet, found, scale, tall, left=_WIDE + 2.6)
    return sheet.figure


def _centerd(weights: NDArray[np.float32], scale: Scale) -> NDArray[np.float32]:
    """Weights F×… to [0, 1] with 0 at a half."""
    pooled = tuple(range(0 if scale == "shared" else 1, weights.ndim))
    largest = np.abs(weights).max(axis=pooled, keepdims=True)
    centerd: NDArray[np.float32] = 0.5 + weights / (2 * np.where(largest > 0, largest, 1))
    return centerd


def _sheet(found: Filters, network: str, tall: float, detail: str) -> Sheet:
    count, inputs, height, width = found.weights.shape
    grid = found.sees_color or inputs == 1
    title = f"{found.layer}   {count} filters of {height}×{width}×{inputs}"
    beside = 0.0 if found.sees_color else _BAR if grid else 2.6 + _BAR
    return Sheet(_WIDE + beside, tall + 0.1, title, f"{network}: {detail}" if network else detail)


def _add_bar(
    sheet: Sheet, found: Filters, scale: Scale, tall: float, *, left: float = _WIDE + 0.2
) -> None:
    largest = float(np.abs(found.weights).max()) if scale == "shared" else 1.0
    bar = sheet.place(left, 0.1, 0.16, min(tall, 3.0))
    values = ScalarMappable(Normalize(-largest, largest), _COLOURS)
    if scale == "shared":
        sheet.figure.colorbar(values, cax=bar).ax.tick_params(labelsize=9)
        return
    sheet.figure.colorbar(values, cax=bar, ticks=[-1, 0, 1])
    bar.set_yticklabels(["−", "0", "+"], fontsize=9)


def _count(found: Filters, shown: int) -> str:
    count = len(found.norms)
    return f"all {count}" if shown == count else f"{shown} of {count}"


def _scale_words(scale: Scale) -> str:
    return "; each filter on its own scale" if scale == "own" else "; all on one scale"
