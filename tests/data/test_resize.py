import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.input_spec import InputSpec, ResizeRule
from convlens.data.resample import resample
from convlens.data.resize import kept_shape, plan

SIDES = st.integers(1, 400)
RULES = st.sampled_from(["crop", "stretch", "pad"])
MARGINS = st.sampled_from([0.0, 1 / 0.875 - 1, 0.5])


def spec(height: int, width: int | None = None, resize: ResizeRule = "crop") -> InputSpec:
    return InputSpec(height=height, width=width or height, resize=resize)


SPECS = st.builds(spec, SIDES, SIDES, RULES)


@pytest.mark.parametrize(
    ("height", "width", "scaled", "corner"),
    [  # what torchvision's Resize(256) and CenterCrop(224) do
        (375, 500, (256, 341), (16, 58)),
        (500, 375, (341, 256), (58, 16)),
        (256, 256, (256, 256), (16, 16)),
        (3000, 4000, (256, 341), (16, 58)),
        (480, 640, (256, 341), (16, 58)),
        (333, 500, (256, 384), (16, 80)),
        (200, 300, (256, 384), (16, 80)),
        (367, 500, (256, 348), (16, 62)),
    ],
)
def test_crop_is_what_pretrained_weights_were_evaluated_with(
    height: int, width: int, scaled: tuple[int, int], corner: tuple[int, int]
) -> None:
    assert plan(height, width, spec(224)) == (scaled, (*corner, 224, 224), (0, 0))


def test_crop_of_an_input_that_is_not_square_covers_it_on_both_sides() -> None:
    assert plan(300, 400, spec(96, 160)) == ((137, 183), (20, 12, 96, 160), (0, 0))
    assert plan(100, 400, spec(96, 160)).scaled == (110, 440)


def test_pad_keeps_the_whole_image_in_the_middle() -> None:
    assert plan(100, 200, spec(64, resize="pad")) == ((32, 64), (0, 0, 32, 64), (16, 0))


@given(SIDES, SIDES, SPECS, MARGINS)
def test_a_plan_stays_within_the_image_and_the_output(
    height: int, width: int, wanted: InputSpec, margin: float
) -> None:
    scaled, (top, left, rows, columns), corner = plan(height, width, wanted, margin)
    kept = kept_shape(wanted, margin)
    assert 0 <= top <= scaled.rows - rows
    assert 0 <= left <= scaled.columns - columns
    assert 0 <= corner[0] <= kept.rows - rows
    assert 0 <= corner[1] <= kept.columns - columns
    if wanted.resize != "pad":
        assert (rows, columns) == kept


@given(SIDES, SIDES, SIDES, SIDES, st.sampled_from(["crop", "pad"]))
def test_crop_and_pad_keep_the_aspect_ratio_to_a_pixel(
    height: int, width: int, rows: int, columns: int, rule: ResizeRule
) -> None:
    scaled = plan(height, width, spec(rows, columns, rule)).scaled
    exact_columns, exact_rows = scaled.rows * width / height, scaled.columns * height / width
    assert abs(scaled.columns - exact_columns) < 1 or abs(scaled.rows - exact_rows) < 1


def test_margin_keeps_the_whole_short_side_at_the_scale_of_evaluation() -> None:
    margin = 1 / 0.875 - 1
    with_margin = plan(375, 500, spec(224), margin)
    assert with_margin.scaled == plan(375, 500, spec(224)).scaled
    assert with_margin.window == (0, 42, 256, 256)


@pytest.mark.parametrize("rule", ["crop", "stretch", "pad"])
def test_an_image_of_the_inputs_size_is_left_as_it_is(rule: ResizeRule) -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    scaled, window, corner = plan(32, 48, spec(32, 48, rule))
    assert (scaled, window, corner) == ((32, 48), (0, 0, 32, 48), (0, 0))
    assert (resample(image, scaled, window) == image).all()
