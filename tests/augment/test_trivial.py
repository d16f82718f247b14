import numpy as np
import pytest

from convlens.augment import AugmentSettings, draw
from convlens.augment.trivial import LEVELS, OPERATIONS

# Müller and Hutter, arXiv 2103.10158: the wide search space.
PUBLISHED = {
    "rotation": (-135, 135),
    "skew_x": (-0.99, 0.99),
    "skew_y": (-0.99, 0.99),
    "shift_x": (-32, 32),
    "shift_y": (-32, 32),
    "saturation": (0.01, 2),
    "contrast": (0.01, 2),
    "brightness": (0.01, 2),
    "sharpness": (0.01, 2),
    "solarize": (0, 256),
    "posterize": (2, 8),
    "autocontrast": (0, 1),
    "equalize": (0, 1),
}


@pytest.fixture(scope="module")
def drawn():
    options = AugmentSettings(trivial=True)
    return draw(options, seed=0, epoch=0, indices=np.arange(20_000), height=224, width=224)


def test_there_are_the_papers_fourteen_operations():
    assert len(OPERATIONS) == 14
    assert {row.parameter for row in OPERATIONS} == {"", *PUBLISHED}


@pytest.mark.parametrize("parameter", PUBLISHED)
def test_ranges_are_the_published_ones(drawn, parameter):
    values = getattr(drawn, parameter)
    assert (values.min(), values.max()) == pytest.approx(PUBLISHED[parameter])


@pytest.mark.parametrize(
    ("parameter", "values"),
    # No strength leaves brightness as it is: the other images make it one value more.
    [("rotation", 2 * LEVELS - 1), ("brightness", LEVELS + 1), ("solarize", LEVELS)],
)
def test_there_are_thirty_one_strengths_and_a_sign_where_there_is_a_direction(
    drawn, parameter, values
):
    assert len(np.unique(getattr(drawn, parameter))) == values


def test_posterize_keeps_from_eight_bits_down_to_two(drawn):
    assert np.unique(drawn.posterize).tolist() == [2, 3, 4, 5, 6, 7, 8]


def test_a_small_image_is_not_moved_by_more_than_its_side():
    options = AugmentSettings(trivial=True)
    small = draw(options, seed=0, epoch=0, indices=np.arange(5000), height=8, width=16)
    assert np.abs(small.shift_x).max() == 16
    assert np.abs(small.shift_y).max() == 8
