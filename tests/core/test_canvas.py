"""Figures, their words and their bytes."""

import io
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from convlens.core.canvas import (
    MARGIN,
    Sheet,
    frame,
    png,
    save_picture,
    shorten,
    show_image,
    write_above,
)
from convlens.core.errors import ConvlensError


def _texts(sheet: Sheet) -> list[str]:
    own = [text.get_text() for text in sheet.figure.texts]
    return own + [axes.get_title() for axes in sheet.figure.axes]


def test_a_figure_has_the_size_asked_for_and_its_margins() -> None:
    sheet = Sheet(4.0, 3.0, "block1")
    width, height = sheet.figure.get_size_inches()
    assert width == pytest.approx(4 + 2 * MARGIN, abs=0.02)
    image = Image.open(io.BytesIO(png(sheet.figure)))
    assert image.size == (round(width * 150), round(height * 150))


@pytest.mark.parametrize("width", [1.0, 3.33, 5.017, 7.777])
def test_a_frame_has_whole_pixels(width: float) -> None:
    sheet = Sheet(width, 2.019, "a")
    inches = sheet.figure.get_size_inches()
    found = frame(sheet.figure)
    assert found.dtype == np.uint8
    assert found.shape == (round(inches[1] * 100), round(inches[0] * 100), 3)
    assert (found[0, 0] == 255).all()


def test_axes_stand_where_they_were_placed() -> None:
    sheet = Sheet(4.0, 3.0, "title")
    axes = sheet.place(1.0, 0.5, 2.0, 1.0)
    width, height = sheet.figure.get_size_inches()
    box = axes.get_position()
    assert box.width * width == pytest.approx(2, abs=0.02)
    assert box.height * height == pytest.approx(1, abs=0.02)
    assert box.x0 * width == pytest.approx(1 + MARGIN, abs=0.02)
    assert box.y0 * height == pytest.approx(3 - 0.5 - 1 + MARGIN, abs=0.02)


def test_words_that_look_like_formulas_or_lack_glyphs_are_only_words() -> None:
    sheet = Sheet(4.0, 2.0, "a$b_c$^2 \\frac", "detail $\\undefined{")
    write_above(sheet.place(0, 0.3, 1, 1), "猫 $1$ 한국어 ñ.jpg")
    assert "a$b_c$^2 \\frac" in _texts(sheet)
    assert png(sheet.figure)[1:4] == b"PNG"


def test_a_long_detail_is_wrapped_inside_the_figure() -> None:
    sheet = Sheet(3.0, 1.0, "title", "many words " * 20)
    sheet.figure.draw_without_rendering()
    for text in sheet.figure.texts:
        assert text.get_window_extent().x1 <= sheet.figure.bbox.x1


def test_nothing_of_matplotlib_is_changed() -> None:
    before = dict(mpl.rcParams)
    sheet = Sheet(2.0, 2.0, "title")
    show_image(sheet.place(0, 0, 1, 1), np.zeros((4, 4, 1), np.uint8))
    png(sheet.figure)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("shape", [(4, 6, 1), (4, 6, 3)])
def test_an_image_is_shown_as_it_is(shape: tuple[int, int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    sheet = Sheet(3.0, 2.0, "")
    axes = sheet.place(0, 0, 3.0, 2.0)
    show_image(axes, pixels)
    box = axes.get_window_extent()
    drawn = np.asarray(Image.open(io.BytesIO(png(sheet.figure))).convert("RGB"))
    height, cell = drawn.shape[0], box.width / 6
    for row, column in ((0, 0), (3, 5), (1, 2)):
        y = round(height - box.y1 + (row + 0.5) * cell)
        x = round(box.x0 + (column + 0.5) * cell)
        expected = np.broadcast_to(pixels[row, column], 3).astype(int)
        assert np.abs(drawn[y, x] - expected).max() <= 1


def test_a_picture_is_a_file_or_an_error_in_words(tmp_path: Path) -> None:
    figure = Sheet(2.0, 1.0, "title").figure
    save_picture(figure, tmp_path / "new" / "ä.png")
    with Image.open(tmp_path / "new" / "ä.png") as image:
        assert image.format == "PNG"
    (tmp_path / "file").write_text("")
    with pytest.raises(ConvlensError, match="cannot write"):
        save_picture(figure, tmp_path / "file" / "a.png")


@pytest.mark.parametrize("length", [5, 12, 27])
def test_a_shortened_text_keeps_its_ends(length: int) -> None:
    text = "a-very-long-name-of-a-file.jpg"
    short = shorten(text, length)
    assert len(short) == length
    assert short[0] == "a"
    assert short.endswith("g")
    assert shorten(text, 99) == text
