from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from convlens.inspection.pictures import draw_rates, png

RATES = [1e-6 * 10 ** (step / 10) for step in range(60)]
FALLING = [2.0 / (1 + rate / 1e-4) for rate in RATES]


def test_the_curve_is_drawn_and_the_suggested_rate_named() -> None:
    (axes,) = draw_rates(RATES, FALLING, suggestion=1e-4, title="葉 $1$").axes
    curve, line, dot = axes.lines
    assert np.allclose(curve.get_xdata(), RATES)
    assert np.allclose(curve.get_ydata(), FALLING)
    assert axes.get_xscale() == "log"
    assert list(line.get_xdata()) == [1e-4, 1e-4]
    assert dot.get_ydata()[0] == pytest.approx(1.0)
    assert [words.get_text() for words in axes.texts] == ["suggested: 0.0001"]
    assert "learning rate" in axes.get_xlabel()
    assert "nats" in axes.get_ylabel()


@pytest.mark.parametrize(("rate", "side"), [(RATES[5], "left"), (RATES[50], "right")])
def test_the_name_stands_where_there_is_room(rate: float, side: str) -> None:
    (axes,) = draw_rates(RATES, FALLING, suggestion=rate, title="").axes
    assert axes.texts[0].get_horizontalalignment() == side


def test_a_loss_that_blows_up_does_not_flatten_the_fall() -> None:
    (axes,) = draw_rates(RATES, [*FALLING[:-1], 1e6], suggestion=None, title="").axes
    low, high = axes.get_ylim()
    assert low < min(FALLING)
    assert 2.0 < high < 4.0
    assert not axes.texts


def test_a_loss_that_stays_is_not_drawn_as_mountains() -> None:
    (axes,) = draw_rates(
        RATES, [0.693 + 1e-4 * (n % 2) for n in range(60)], suggestion=None, title=""
    ).axes
    low, high = axes.get_ylim()
    assert low < 0.63
    assert high - low < 0.2


@pytest.mark.parametrize("loss", [0.7, 0.0])
def test_a_single_rate_is_a_picture_too(loss: float) -> None:
    with Image.open(BytesIO(png(draw_rates([1e-6], [loss], suggestion=None, title="t")))) as found:
        assert found.width > 1000
