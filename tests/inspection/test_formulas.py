import re

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional as F

from convlens.inspection.formulas import Padding, Window, Windows

windows = st.builds(
    Window,
    side=st.integers(1, 40),
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    before=st.integers(0, 3),
    after=st.integers(0, 3),
    dilation=st.integers(1, 3),
)


def worth(text):
    """The two sides of a formula as numbers; ⌊ ⌋ and ⌈ ⌉ are rounding."""
    sum_, result = text.partition(", ")[0].split(" = ")
    python = sum_.replace("−", "-").replace("·", "*")
    python = re.sub(r"⌊(.*)⌋", r"__import__('math').floor(\1)", python)
    python = re.sub(r"⌈(.*)⌉", r"__import__('math').ceil(\1)", python)
    return eval(python), int(result.replace("−", "-"))  # noqa: S307


@given(windows)
def test_a_convolution_gives_the_side_that_the_formula_says(window):
    assume(window.room >= 0)
    image = F.pad(torch.zeros(1, 1, 1, window.side), (window.before, window.after))
    kernel = torch.zeros(1, 1, 1, window.kernel)
    made = F.conv2d(image, kernel, stride=(1, window.stride), dilation=(1, window.dilation))
    assert window.count == made.shape[-1]
    left, right = worth(window.formula())
    assert left == right == made.shape[-1]


@given(windows, st.booleans())
def test_a_pool_gives_the_side_that_the_formula_says(window, round_up):
    padding = min(window.before, window.kernel // 2)
    pool = Window(
        window.side, window.kernel, window.stride, padding, padding, window.dilation, round_up
    )
    assume(pool.room >= 0)
    made = F.max_pool1d(
        torch.zeros(1, 1, pool.side), pool.kernel, pool.stride, padding, pool.dilation, round_up
    )
    assert pool.count == made.shape[-1]
    left, right = worth(pool.formula())
    assert left == right == made.shape[-1]


def test_the_words_of_the_sums():
    assert Window(28, 3).formula() == "(28 − 3 + 2·0)/1 + 1 = 26"
    assert Window(1, 3).formula() == "(1 − 3 + 2·0)/1 + 1 = −1"
    assert Window(28, 3, dilation=2).formula() == "(28 − 5 + 2·0)/1 + 1 = 24, 5 = 2·(3 − 1) + 1"
    assert Windows(Window(4, 3), Window(5, 3)).formula() == (
        "(4 − 3 + 2·0)/1 + 1 = 2; (5 − 3 + 2·0)/1 + 1 = 3"
    )


@pytest.mark.parametrize(("before", "after"), [((0, 0), (1, 1)), ((1, 2), (0, 3))])
def test_padding_is_taken_into_the_window_behind_it(before, after):
    sides = (9, 12)
    padding = Padding(sides, before, after)
    padded = [side + a + b for side, a, b in zip(sides, before, after, strict=True)]
    direct = Windows(*(Window(side, 3, 2) for side in padded))
    taken_in = padding.taken_in(direct)
    assert (taken_in.down.side, taken_in.across.side) == sides
    assert (taken_in.down.count, taken_in.across.count) == (direct.down.count, direct.across.count)
