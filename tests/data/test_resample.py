import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_image

from convlens.core.input_spec import InputSpec, ResizeRule
from convlens.data.resample import Size, Window, _taps, resample
from convlens.data.resize import plan

SIDES = st.integers(1, 400)
RULES = st.sampled_from(["crop", "stretch", "pad"])
MARGINS = st.sampled_from([0.0, 1 / 0.875 - 1, 0.5])


def spec(height: int, width: int | None = None, resize: ResizeRule = "crop") -> InputSpec:
    return InputSpec(height=height, width=width or height, resize=resize)


SPECS = st.builds(spec, SIDES, SIDES, RULES)
PHOTOGRAPH = load_sample_image("china.jpg")[:400, :600]


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.abs(one.astype(int) - other)


def with_pillow(image: NDArray[np.uint8], scaled: Size, window: Window) -> NDArray[np.uint8]:
    """The whole image resized, then cut."""
    whole = Image.fromarray(image).resize(scaled[::-1], Image.Resampling.BILINEAR)
    left, top = window.left, window.top
    return np.asarray(whole.crop((left, top, left + window.columns, top + window.rows)), np.uint8)


@pytest.mark.parametrize("factor", [1, 1.05, 1.3, 1.46, 1.8, 2, 2.4, 2.9, 3, 3.7, 5.5, 8, 16])
def test_shrinking_is_pillows_antialiased_filter(factor: float) -> None:
    scaled = Size(int(400 / factor), int(600 / factor))
    window = Window(scaled.rows // 8, scaled.columns // 8, scaled.rows // 2, scaled.columns // 2)
    ours = resample(PHOTOGRAPH, scaled, window)
    theirs = with_pillow(PHOTOGRAPH, scaled, window)
    assert difference(ours, theirs).mean() < 2
    if factor >= 2:
        # Bilinear interpolation without a filter would be far off: this bound tells them apart.
        assert (
            difference(
                PHOTOGRAPH[:: int(factor), :: int(factor)][: ours.shape[0]][:, : ours.shape[1]],
                theirs[: ours.shape[0]],
            ).mean()
            > 5
        )


def test_at_a_factor_of_two_the_filter_is_the_triangle_itself() -> None:
    scaled, window = Size(200, 300), Window(25, 37, 150, 225)
    ours = resample(PHOTOGRAPH, scaled, window)
    assert difference(ours, with_pillow(PHOTOGRAPH, scaled, window)).max() <= 1


@pytest.mark.parametrize("scaled", [(401, 601), (450, 700), (800, 1200), (1000, 700)])
def test_enlarging_is_bilinear(scaled: tuple[int, int]) -> None:
    window = Window(30, 20, 350, 500)
    ours = resample(PHOTOGRAPH, Size(*scaled), window)
    assert difference(ours, with_pillow(PHOTOGRAPH, Size(*scaled), window)).max() <= 1


@pytest.mark.parametrize("scaled", [(200, 900), (100, 590), (50, 2000), (4000, 6000)])
def test_uneven_or_wasteful_factors_are_pillows_answer(scaled: tuple[int, int]) -> None:
    window = Window(scaled[0] // 4, scaled[1] // 4, 20, 30)
    ours = resample(PHOTOGRAPH, Size(*scaled), window)
    assert difference(ours, with_pillow(PHOTOGRAPH, Size(*scaled), window)).max() <= 1


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 12])
@pytest.mark.parametrize("scaled", [(250, 375), (90, 130), (500, 700), (300, 700)])
def test_channels_are_resized_alike_and_alone(channels: int, scaled: tuple[int, int]) -> None:
    image = np.repeat(PHOTOGRAPH, 4, axis=2)[..., :channels]
    window = Window(10, 10, 70, 100)
    ours = resample(image, Size(*scaled), window)
    assert ours.shape == (70, 100, channels)
    one = resample(np.ascontiguousarray(PHOTOGRAPH[..., :1]), Size(*scaled), window)
    assert difference(ours[..., :1], one).max() <= 2


@given(SIDES, SIDES, SPECS, MARGINS, st.integers(0, 255))
def test_one_color_stays_that_color_at_any_size(
    height: int, width: int, wanted: InputSpec, margin: float, value: int
) -> None:
    scaled, window, _ = plan(height, width, wanted, margin)
    image = np.full((height, width, 3), value, np.uint8)
    pixels = resample(image, scaled, window)
    assert pixels.shape == (window.rows, window.columns, 3)
    assert difference(pixels, np.full_like(pixels, value)).max() <= 1


@given(st.integers(60, 400), st.integers(60, 400), st.integers(16, 60), RULES)
def test_the_mirror_image_gives_the_mirrored_pixels(
    height: int, width: int, side: int, rule: ResizeRule
) -> None:
    image = PHOTOGRAPH[:height, :width]
    scaled, window, _ = plan(height, width, spec(side, resize=rule))
    mirrored = Window(window.top, scaled.columns - window.left - window.columns, *window[2:])
    ours = resample(np.ascontiguousarray(image[:, ::-1]), scaled, mirrored)[:, ::-1]
    assert difference(ours, resample(image, scaled, window)).mean() < 1.5


def test_a_row_that_is_only_partly_filled_counts_by_its_part() -> None:
    ramp = np.tile(np.arange(0, 200, 2, dtype=np.uint8), (60, 1))[..., None]
    whole = resample(ramp[:, :99], Size(30, 45), Window(0, 0, 30, 45))
    longer = resample(ramp, Size(30, 45), Window(0, 0, 30, 45), extent=(60, 99))
    assert difference(whole, longer)[:, :-1].max() <= 1


@pytest.mark.parametrize(("height", "width"), [(1, 100_000), (100_000, 1), (1, 1), (2, 9000)])
def test_extreme_shapes_cost_no_more_than_what_is_seen(height: int, width: int) -> None:
    for rule in ("crop", "stretch", "pad"):
        scaled, window, _ = plan(height, width, spec(224, resize=rule))
        pixels = resample(np.full((height, width, 3), 7, np.uint8), scaled, window)
        assert pixels.shape[:2] == window[2:]
        assert (pixels == 7).all()


@given(st.floats(1, 8))
def test_taps_add_up_and_have_the_variance_that_they_should(factor: float) -> None:
    taps = np.array(_taps(factor))
    away = np.arange(len(taps)) - len(taps) // 2
    assert taps.sum() == 1
    assert (taps == taps[::-1]).all()
    assert taps.min() >= 0
    assert (taps * away**2).sum() == pytest.approx((factor**2 - 1) / 6, abs=0.02 * factor**2)
