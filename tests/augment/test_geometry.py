import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.augment import compose


def composed(draws, height=8, width=8, stored_height=None, stored_width=None):
    return compose(
        draws,
        height=height,
        width=width,
        stored_height=stored_height or height,
        stored_width=stored_width or width,
    )


def reference(*, theta, tx, ty, shear, zx, zy, flip_x, flip_y, height, width):
    """The product of homogeneous matrices, (x, y), from the result to the image."""
    a, s = np.deg2rad(theta), np.deg2rad(shear)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    factors = [
        [[1, 0, cx], [0, 1, cy], [0, 0, 1]],
        [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]],
        [[1, 0, -tx], [0, 1, -ty], [0, 0, 1]],
        [[1, -np.sin(s), 0], [0, np.cos(s), 0], [0, 0, 1]],
        [[zx, 0, 0], [0, zy, 0], [0, 0, 1]],
        [[1 - 2 * flip_x, 0, 0], [0, 1 - 2 * flip_y, 0], [0, 0, 1]],
        [[1, 0, -cx], [0, 1, -cy], [0, 0, 1]],
    ]
    product = np.eye(3)
    for factor in factors:
        product = product @ np.array(factor, float)
    return product[:2]


@settings(max_examples=60, deadline=None)
@given(
    values=st.fixed_dictionaries(
        {
            "theta": st.floats(-180, 180),
            "tx": st.floats(-50, 50),
            "ty": st.floats(-50, 50),
            "shear": st.floats(-80, 80),
            "zx": st.floats(0.1, 3),
            "zy": st.floats(0.1, 3),
            "flip_x": st.booleans(),
            "flip_y": st.booleans(),
        }
    ),
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
)
def test_the_matrix_is_the_product_of_its_parts(tools, values, size):
    names = {"theta": "rotation", "tx": "shift_x", "ty": "shift_y", "zx": "zoom_x", "zy": "zoom_y"}
    draws = tools.at_rest(**{names.get(name, name): value for name, value in values.items()})
    expected = reference(**values, height=size[0], width=size[1])
    assert composed(draws, *size)[0] == pytest.approx(expected, abs=1e-8)


def test_nothing_drawn_is_the_identity_to_the_last_bit(tools):
    assert (composed(tools.at_rest(3), 33, 50) == np.eye(2, 3)).all()


def test_flips_land_on_pixels_exactly(tools):
    matrix = composed(tools.at_rest(flip_x=True, flip_y=True), 33, 50)[0]
    assert matrix.tolist() == [[-1, 0, 49], [0, -1, 32]]


@pytest.mark.parametrize(("stored", "corner"), [((40, 56), (3, 3)), ((35, 51), (0, 0))])
def test_without_a_crop_the_middle_is_taken_at_whole_pixels(tools, stored, corner):
    height, width = 34, 50
    matrix = composed(tools.at_rest(), height, width, *stored)[0]
    assert matrix.tolist() == [[1, 0, corner[1]], [0, 1, corner[0]]]


@settings(max_examples=50, deadline=None)
@given(
    crop=st.fixed_dictionaries(
        {
            "crop_area": st.floats(0.01, 0.999),
            "crop_aspect": st.floats(0.5, 2),
            "crop_x": st.floats(0, 1),
            "crop_y": st.floats(0, 1),
        }
    ),
    size=st.tuples(st.integers(4, 100), st.integers(4, 100)),
    margin=st.integers(0, 20),
)
def test_a_crop_lies_within_the_stored_pixels(tools, crop, size, margin):
    draws, (height, width) = tools.at_rest(**crop), size
    area, aspect = crop["crop_area"], crop["crop_aspect"]
    stored = height + margin, width + margin
    matrix = composed(draws, height, width, *stored)[0]
    corners = np.array([[-0.5, -0.5, 1], [width - 0.5, height - 0.5, 1]])
    (left, top), (right, bottom) = corners @ matrix.T
    assert min(left, top) >= -0.5 - 1e-9
    assert right <= stored[1] - 0.5 + 1e-9
    assert bottom <= stored[0] - 0.5 + 1e-9
    covered = (right - left) * (bottom - top) / (stored[0] * stored[1])
    assert covered <= area + 1e-9
    whole_sides = right - left > stored[1] - 1e-6 or bottom - top > stored[0] - 1e-6
    assert whole_sides or covered == pytest.approx(area)
    assert whole_sides or (right - left) / (bottom - top) * height / width == pytest.approx(aspect)
