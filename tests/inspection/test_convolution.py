"""Convolution in loops against torch's, and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from convlens.core.errors import ConvlensError
from convlens.inspection import EXAMPLE_IMAGE, convolution, convolve, find_kernel


@st.composite
def _settings_of_a_convolution(draw: st.DrawFn) -> dict[str, int]:
    values = {
        "height": draw(st.integers(1, 12)),
        "width": draw(st.integers(1, 12)),
        "kernel_height": draw(st.integers(1, 5)),
        "kernel_width": draw(st.integers(1, 5)),
        "stride": draw(st.integers(1, 4)),
        "padding": draw(st.integers(0, 4)),
        "dilation": draw(st.integers(1, 3)),
        "seed": draw(st.integers(0, 2**16)),
    }
    for side, kernel in (("height", "kernel_height"), ("width", "kernel_width")):
        reach = values["dilation"] * (values[kernel] - 1) + 1
        values[side] = max(values[side], reach - 2 * values["padding"], 1)
    return values


@settings(deadline=None, max_examples=150)
@given(_settings_of_a_convolution())
def test_the_loops_give_what_torch_gives(given: dict[str, int]) -> None:
    numbers = np.random.default_rng(given["seed"])
    image = numbers.normal(size=(given["height"], given["width"]))
    kernel = numbers.normal(size=(given["kernel_height"], given["kernel_width"]))
    steps = {name: given[name] for name in ("stride", "padding", "dilation")}
    expected = F.conv2d(
        torch.from_numpy(image)[None, None], torch.from_numpy(kernel)[None, None], **steps
    )
    np.testing.assert_allclose(convolve(image, kernel, **steps), expected[0, 0], rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch says that it copies the image
@settings(deadline=None, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    kernel=st.integers(1, 5),
    dilation=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_same_padding_gives_what_torch_gives_at_stride_1(
    shape: tuple[int, int], kernel: int, dilation: int, seed: int
) -> None:
    numbers = np.random.default_rng(seed)
    image, weights = numbers.normal(size=shape), numbers.normal(size=(kernel, kernel))
    batch, one = torch.from_numpy(image)[None, None], torch.from_numpy(weights)[None, None]
    expected = F.conv2d(batch, one, padding="same", dilation=dilation)[0, 0]
    found = convolve(image, weights, padding="same", dilation=dilation)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("side", "kernel", "stride"), [(5, 3, 2), (6, 3, 2), (7, 2, 2), (28, 3, 2), (9, 5, 3)]
)
def test_same_padding_with_stride_gives_ceil_and_pads_below_and_right(
    side: int, kernel: int, stride: int
) -> None:
    image, weights = np.arange(side**2.0).reshape(side, side), np.ones((kernel, kernel))
    found = convolve(image, weights, stride=stride, padding="same")
    count = -(-side // stride)
    assert found.shape == (count, count)
    total = max((count - 1) * stride + kernel - side, 0)
    padded = np.pad(image, (total // 2, total - total // 2))
    np.testing.assert_allclose(found, convolve(padded, weights, stride=stride))


def test_the_5_by_5_example_by_hand() -> None:
    shown = convolution(EXAMPLE_IMAGE, find_kernel("vertical edge"))
    assert shown.feature_map[0, 0] == 1
    np.testing.assert_array_equal(shown.feature_map, [[1, 1, 3], [0, 2, 0], [0, -2, 0]])
    np.testing.assert_array_equal(shown.products(0, 0), [[-1, 0, 0], [0, 0, 2], [-1, 0, 1]])


def test_it_is_not_flipped() -> None:
    np.testing.assert_array_equal(convolve([[1, 2, 3]], [[0, 0, 1]]), [[3]])


@settings(deadline=None, max_examples=60)
@given(_settings_of_a_convolution())
def test_the_products_add_up_to_the_feature_map(given: dict[str, int]) -> None:
    numbers = np.random.default_rng(given["seed"])
    weights = numbers.normal(size=(given["kernel_height"], given["kernel_width"]))
    kernel = find_kernel("; ".join(" ".join(map(repr, row)) for row in weights.tolist()))
    image = numbers.normal(size=(given["height"], given["width"]))
    steps = {name: given[name] for name in ("stride", "padding", "dilation")}
    shown = convolution(image, kernel, **steps)
    for place, value in np.ndenumerate(shown.feature_map):
        assert shown.products(*place).sum() == pytest.approx(value, abs=1e-12)


def test_the_strongest_answer_is_sought_away_from_the_padding() -> None:
    image = np.full((6, 6), 100.0)
    image[3, 3] = 110
    shown = convolution(image, find_kernel("outline"), padding=1)
    assert shown.strongest() == (3, 3)
    assert np.abs(shown.feature_map).argmax() == 0  # the corner, which is padding's own edge


def test_padding_all_over_leaves_nothing_to_seek_away_from_it() -> None:
    shown = convolution([[1.0]], find_kernel("blur"), padding=1)
    assert shown.strongest() == (0, 0)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ({}, "spans 7 pixels"),
        ({"dilation": 2}, "spans 13 pixels"),
        ({"stride": 0}, "stride 0"),
        ({"dilation": 0}, "dilation 0"),
        ({"padding": -1}, "padding is -1"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(steps: dict[str, int], said: str) -> None:
    with pytest.raises(ConvlensError, match=said):
        convolve(np.zeros((5, 5)), np.zeros((7, 7)), **steps)


@pytest.mark.parametrize("image", [np.zeros((2, 2, 3)), np.zeros(4), np.zeros((0, 3)), [[np.nan]]])
def test_only_a_matrix_of_finite_numbers_is_an_image(image: object) -> None:
    with pytest.raises(ConvlensError, match="rows × columns"):
        convolve(image, [[1.0]])  # type: ignore[arg-type]
