"""Pooling in loops against torch's, and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from convlens.core.errors import ConvlensError
from convlens.inspection import EXAMPLE_IMAGE, pool, pooling


@st.composite
def _settings_of_a_pool(draw: st.DrawFn) -> tuple[int, int, int, int, int, int]:
    size = draw(st.integers(1, 5))
    padding = draw(st.integers(0, size // 2))
    least = max(1, size - 2 * padding)
    height, width = draw(st.integers(least, 12)), draw(st.integers(least, 12))
    return height, width, size, draw(st.integers(1, 4)), padding, draw(st.integers(0, 2**16))


@settings(deadline=None, max_examples=100)
@given(_settings_of_a_pool())
def test_the_loops_give_what_torch_gives(given: tuple[int, int, int, int, int, int]) -> None:
    height, width, size, stride, padding, seed = given
    image = np.random.default_rng(seed).normal(size=(height, width))
    batch = torch.from_numpy(image)[None, None]
    largest = F.max_pool2d(batch, size, stride, padding)[0, 0]
    mean = F.avg_pool2d(batch, size, stride, padding)[0, 0]
    np.testing.assert_array_equal(pool(image, size, "max", stride=stride, padding=padding), largest)
    found = pool(image, size, "average", stride=stride, padding=padding)
    np.testing.assert_allclose(found, mean, rtol=0, atol=1e-12)


def test_the_stride_is_the_side_unless_said() -> None:
    pooled = pooling(EXAMPLE_IMAGE)
    np.testing.assert_array_equal(pooled.maximum, [[2, 3], [2, 1]])
    np.testing.assert_array_equal(pooled.average, [[1, 1.5], [1, 0.5]])
    assert pooled.sliding.formula() == "⌊(5 − 2 + 2·0)/2⌋ + 1 = 2"


def test_padding_is_never_the_largest() -> None:
    np.testing.assert_array_equal(pool([[-3.0]], 2, "max", padding=1), [[-3]])
    np.testing.assert_array_equal(pool([[-4.0]], 2, "average", padding=1), [[-1]])


@pytest.mark.parametrize(
    ("size", "steps", "said"),
    [
        (6, {}, "spans 6 pixels"),
        (0, {}, "at least 1"),
        (2, {"stride": 0}, "stride 0"),
        (2, {"padding": 2}, "padding is 2 for a 2×2 pooling window"),
        (3, {"padding": -1}, "padding is -1"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(size: int, steps: dict[str, int], said: str) -> None:
    with pytest.raises(ConvlensError, match=said):
        pooling(EXAMPLE_IMAGE, size, **steps)
