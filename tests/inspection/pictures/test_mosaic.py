"""Many small maps as one picture."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.inspection.pictures.mosaic import grid_columns, mosaic, stretch


@settings(deadline=None, max_examples=50)
@given(
    count=st.integers(1, 20), height=st.integers(1, 40), width=st.integers(1, 40),
    columns=st.integers(1, 7),
)  # fmt: skip
def test_every_tile_stands_in_its_place(count: int, height: int, width: int, columns: int) -> None:
    tiles = np.random.default_rng(count).random((count, height, width, 3), np.float32)
    sheet, down, across = mosaic(tiles, colors="viridis", columns=columns)
    assert sheet.shape[0] <= -(-count // columns) * down
    times = max(1, round(64 / max(height, width)))
    for number, tile in enumerate(tiles):
        top, left = number // columns * down, number % columns * across
        shown = sheet[top : top + height * times : times, left : left + width * times : times]
        np.testing.assert_allclose(shown, tile * 255, atol=0.51)


def test_lines_between_the_tiles_are_white() -> None:
    sheet, down, across = mosaic(np.zeros((4, 8, 8), np.float32), colors="gray", columns=2)
    assert (sheet[:, across - 1] == 255).all()
    assert (sheet[down - 1] == 255).all()
    assert (sheet[0, 0] == 0).all()


def test_a_tile_of_nothing_is_gray() -> None:
    tiles = np.zeros((2, 4, 4), np.float32)
    tiles[1] = np.nan
    sheet, _, across = mosaic(tiles, colors="viridis", columns=2)
    assert len({*map(tuple, sheet[:, across:].reshape(-1, 3).tolist())}) == 1
    assert sheet[0, across].tolist() == [225, 225, 225]


def test_a_grid_is_about_square_and_holds_everything() -> None:
    for count in range(1, 600):
        columns = grid_columns(count)
        rows = -(-count // columns)
        assert (rows - 1) * columns < count <= rows * columns
        assert rows <= columns <= max(5, 3 * rows)


def test_values_are_stretched_over_their_range() -> None:
    values = np.array([[1.0, 3.0], [5.0, 5.0]], np.float32)
    low, high = values.min(1, keepdims=True), values.max(1, keepdims=True)
    np.testing.assert_array_equal(stretch(values, low, high), [[0, 1], [0, 0]])
