from dataclasses import fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from convlens.augment import POLICIES, AugmentSettings, Draws, draw, policy
from convlens.augment.drawing import whole_length
from convlens.augment.trivial import OPERATIONS

EVERYTHING = AugmentSettings(
    rotation_range=20,
    width_shift_range=0.2,
    height_shift_range=5,
    shear_range=10,
    zoom_range=0.2,
    horizontal_flip=True,
    vertical_flip=True,
    brightness_range=(0.8, 1.2),
    channel_shift_range=30,
    crop_area=(0.3, 1),
    pad_crop=0.125,
    contrast_range=(0.5, 1.5),
    saturation_range=(0, 2),
    hue_range=90,
    gray=0.2,
    cutout=0.25,
    erase=0.5,
    trivial=True,
)


def drawn(options, indices=range(4000), *, seed=0, epoch=0, height=32, width=48):
    return draw(options, seed=seed, epoch=epoch, indices=indices, height=height, width=width)


def same(a, b):
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(Draws))


@settings(max_examples=30, deadline=None)
@given(
    indices=st.lists(st.integers(0, 2**40), min_size=1, max_size=12),
    cut=st.integers(0, 12),
    seed=st.integers(0, 2**63),
    epoch=st.integers(0, 1000),
)
def test_a_sample_draws_alike_whatever_batch_it_is_in(indices, cut, seed, epoch):
    whole = drawn(EVERYTHING, indices, seed=seed, epoch=epoch)
    parts = [indices[:cut], indices[cut:][::-1]]
    first, last = (drawn(EVERYTHING, part, seed=seed, epoch=epoch) for part in parts)
    for field in fields(Draws):
        together = getattr(whole, field.name)
        apart = np.concatenate([getattr(first, field.name), getattr(last, field.name)[::-1]])
        assert np.array_equal(together, apart), field.name


def test_seed_and_epoch_change_every_draw_of_photographs():
    base = drawn(policy("standard"))
    for other in (drawn(policy("standard"), seed=1), drawn(policy("standard"), epoch=1)):
        for name in ("rotation", "crop_area", "brightness", "contrast", "saturation", "crop_x"):
            assert (getattr(base, name) != getattr(other, name)).mean() > 0.99


def by_hand(seed, epoch, index, slot):
    """SplitMix64 chained over the counters, in Python's own integers."""
    state, word = 0, 2**64 - 1
    for counter in (seed, epoch, slot, index):
        z = (state + counter + 0x9E3779B97F4A7C15) & word
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & word
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & word
        state = z ^ (z >> 31)
    return (state >> 11) / 2**53


def test_draws_are_the_documented_function_of_the_counters():
    draws = drawn(EVERYTHING, [0, 1, 12345], seed=7, epoch=3)
    for place, index in enumerate([0, 1, 12345]):
        shear = -10 + 20 * by_hand(7, 3, index, 5)
        aspect = np.log(3 / 4) + np.log(16 / 9) * by_hand(7, 3, index, 13)
        assert draws.shear[place] == pytest.approx(shear)
        assert draws.crop_aspect[place] == pytest.approx(np.exp(aspect))
        assert draws.flip_y[place] == (by_hand(7, 3, index, 9) < 0.5)


@pytest.mark.parametrize(
    "option",
    [
        {"horizontal_flip": False},
        {"brightness_range": (1, 1)},
        {"crop_area": (1, 1)},
        {"erase": 0},
        {"cutout": 0},
        {"width_shift_range": 3},
    ],
)
def test_switching_one_option_leaves_the_draws_of_the_others(option):
    base = drawn(EVERYTHING)
    other = drawn(AugmentSettings(**{**EVERYTHING.model_dump(), **option}))
    kept = ("rotation", "shear", "zoom_x", "flip_y", "hue", "posterize")
    assert all(np.array_equal(getattr(base, name), getattr(other, name)) for name in kept)


@pytest.mark.parametrize(
    ("option", "name", "low", "high"),
    [
        ({"rotation_range": 20}, "rotation", -20, 20),
        ({"shear_range": 10}, "shear", -10, 10),
        ({"zoom_range": 0.2}, "zoom_x", 0.8, 1.2),
        ({"zoom_range": (0.5, 1)}, "zoom_y", 0.5, 1),
        ({"width_shift_range": 0.25}, "shift_x", -12, 12),
        ({"height_shift_range": 0.25}, "shift_y", -8, 8),
        ({"height_shift_range": 3.0}, "shift_y", -3, 3),
        ({"brightness_range": (0.5, 1.2)}, "brightness", 0.5, 1.2),
        ({"channel_shift_range": 50}, "channel_shift", -50, 50),
        ({"hue_range": 18}, "hue", -18, 18),
        ({"crop_area": (0.35, 1)}, "crop_area", 0.35, 1),
        ({"contrast_range": (0, 2)}, "contrast", 0, 2),
        ({"saturation_range": (0, 2)}, "saturation", 0, 2),
    ],
)
def test_a_range_is_drawn_from_uniformly(option, name, low, high):
    values = getattr(drawn(AugmentSettings(**option)), name)
    assert stats.kstest(values, stats.uniform(low, high - low).cdf).pvalue > 1e-4


def test_the_axes_are_drawn_apart():
    draws = drawn(AugmentSettings(zoom_range=0.2, width_shift_range=0.1, height_shift_range=0.1))
    assert abs(np.corrcoef(draws.zoom_x, draws.zoom_y)[0, 1]) < 0.05
    assert abs(np.corrcoef(draws.shift_x, draws.shift_y)[0, 1]) < 0.05


def test_a_whole_shift_stays_below_its_range_and_zero_is_as_likely_as_in_keras():
    shift = drawn(AugmentSettings(width_shift_range=3)).shift_x
    values, counts = np.unique(shift, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert counts / len(shift) == pytest.approx([1 / 6, 1 / 6, 1 / 3, 1 / 6, 1 / 6], abs=0.03)
    assert not drawn(AugmentSettings(width_shift_range=1)).shift_x.any()


def test_shifts_by_listed_values():
    fractions = drawn(AugmentSettings(width_shift_range=(0.25, 0.5))).shift_x
    assert np.unique(fractions).tolist() == [-24, -12, 12, 24]
    pixels = drawn(AugmentSettings(height_shift_range=(0.5, 2))).shift_y
    assert np.unique(pixels).tolist() == [-2, -0.5, 0.5, 2]


@pytest.mark.parametrize(("amount", "widest", "highest"), [(0.125, 6, 4), (2, 2, 2), (0.01, 0, 0)])
def test_padding_and_cropping_moves_by_whole_pixels_both_ways(amount, widest, highest):
    draws = drawn(AugmentSettings(pad_crop=amount))
    assert np.unique(draws.shift_x).tolist() == list(range(-widest, widest + 1))
    assert np.unique(draws.shift_y).tolist() == list(range(-highest, highest + 1))


def test_a_length_is_a_share_below_one_and_pixels_from_there():
    assert [whole_length(length, 32) for length in (0, 0.125, 1, 4)] == [0, 4, 1, 4]


def test_half_the_images_are_flipped():
    draws = drawn(AugmentSettings(horizontal_flip=True, vertical_flip=True))
    both = np.stack([draws.flip_x, draws.flip_y])
    assert both.mean(axis=1) == pytest.approx([0.5, 0.5], abs=0.03)
    assert abs(np.corrcoef(both)[0, 1]) < 0.05


def test_alternating_flips_take_every_other_epoch():
    options = AugmentSettings(horizontal_flip="alternate")
    epochs = [drawn(options, epoch=epoch).flip_x for epoch in range(4)]
    assert epochs[0].mean() == pytest.approx(0.5, abs=0.03)
    for now, after in pairwise(epochs):
        assert np.array_equal(now, ~after)


def test_cropped_aspects_are_even_on_a_logarithmic_scale():
    aspect = drawn(AugmentSettings(crop_area=(0.5, 0.9))).crop_aspect
    width = np.log(4 / 3) - np.log(3 / 4)
    assert stats.kstest(np.log(aspect), stats.uniform(np.log(3 / 4), width).cdf).pvalue > 1e-3
    assert (drawn(AugmentSettings()).crop_aspect == 1).all()


def test_shares_of_images_are_met():
    draws = drawn(AugmentSettings(gray=0.2, erase=0.3))
    assert draws.gray.mean() == pytest.approx(0.2, abs=0.03)
    assert (draws.erase[:, 2] > 0).mean() == pytest.approx(0.3, abs=0.03)


def test_erased_rectangles_lie_within_the_image_and_have_the_area_asked_for():
    left, top, width, height = drawn(AugmentSettings(erase=1)).erase.T
    assert min(left.min(), top.min()) == 0
    assert (left + width).max() == 48
    assert (top + height).max() == 32
    share = width * height / (32 * 48)
    assert share.max() == pytest.approx(0.33, abs=0.02)
    assert share.min() == pytest.approx(0.02, abs=0.006)
    fits = (width < 48) & (height < 32) & (share > 0.1)
    aspect = (height / width)[fits]
    assert aspect.min() == pytest.approx(0.3, rel=0.25)
    assert aspect.max() == pytest.approx(3.3, rel=0.25)


def test_a_cut_square_may_hang_over_the_edge():
    left, top, width, height = drawn(AugmentSettings(cutout=8)).cutout.T
    assert (width == 8).all()
    assert (height == 8).all()
    assert (left.min(), left.max()) == (-4, 43)
    assert (top.min(), top.max()) == (-4, 27)


def test_a_cut_squares_share_is_of_the_short_side():
    assert (drawn(AugmentSettings(cutout=0.25), height=32, width=48).cutout[:, 2] == 8).all()


def test_trivial_changes_one_parameter_of_an_image_at_most():
    rest, draws = drawn(AugmentSettings()), drawn(AugmentSettings(trivial=True))
    names = [row.parameter for row in OPERATIONS if row.parameter]
    changed = np.array([getattr(rest, name) != getattr(draws, name) for name in names])
    assert changed.sum(axis=0).max() == 1
    # Where strength 0 of 31 changes nothing, or the first five round down to nothing, it is fewer.
    unchanged = {"rotation": 1, "skew_x": 1, "skew_y": 1, "shift_x": 1, "shift_y": 1, "solarize": 1}
    unchanged["posterize"] = 5
    expected = [(1 - unchanged.get(name, 0) / 31) / 14 for name in names]
    assert changed.mean(axis=1) == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_draws(name):
    assert same(drawn(POLICIES[name]), drawn(POLICIES[name]))
