"""The pictures say in words and colors what was found."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.inspection import FeatureMaps, Filters, Following, GradCam, Shift
from convlens.inspection.pictures import (
    draw_feature_maps,
    draw_filters,
    draw_grad_cam,
    draw_shift,
    overlay,
    png,
)
from convlens.inspection.pictures.feature_maps import channels_to_show

NUMBERS = np.random.default_rng(0)


def _words(figure: Figure) -> str:
    found = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        found += [axes.get_title(), axes.get_xlabel(), *(text.get_text() for text in axes.texts)]
    return "\n".join(found)


def _pixels(count: int, height: int = 12, width: int = 16, channels: int = 3) -> NDArray[np.uint8]:
    return NUMBERS.integers(0, 256, (count, height, width, channels), np.uint8)


def _maps(count: int, channels: int = 10, dead: tuple[int, ...] = (3, 7)) -> FeatureMaps:
    maps = NUMBERS.random((count, channels, 5, 6), np.float32)
    maps[:, list(dead)] = 0
    return FeatureMaps("layer2", maps, np.array(dead))


@pytest.mark.parametrize(("count", "scale"), [(1, "shared"), (2, "own"), (6, "shared")])
def test_feature_maps_name_layer_shape_images_and_dead_channels(count: int, scale: str) -> None:
    names = [f"photo{number}.jpg" for number in range(count)]
    figure = draw_feature_maps(_maps(count), _pixels(count), names, scale=scale)
    words = _words(figure)
    assert "layer2   5×6×10" in words
    assert "2 of 10 dead" in words
    for name in names:
        assert name in words
    assert sum(hasattr(axes, "_colorbar") for axes in figure.axes) == (scale == "shared")
    assert png(figure)


def test_of_many_channels_those_that_vary_most_are_shown_in_their_order() -> None:
    maps = NUMBERS.random((2, 100, 3, 3), np.float32) * np.arange(100)[:, None, None]
    assert channels_to_show(maps.astype(np.float32), 10).tolist() == sorted(
        np.argsort(-maps.std(axis=(0, 2, 3)))[:10]
    )
    figure = draw_feature_maps(
        FeatureMaps("a", maps, np.array([0])), _pixels(2), ["x", "y"], most=10
    )
    assert "the 10 of 100 channels that vary most" in _words(figure)


@pytest.mark.parametrize(
    ("shape", "sees_color", "scale", "said"),
    [
        ((8, 3, 5, 5), True, "shared", "gray is 0"),
        ((8, 1, 3, 3), False, "own", "by norm, strongest first"),
        ((70, 1, 3, 3), False, "shared", "64 of 70"),
        ((30, 12, 3, 3), False, "own", "the 12 strongest of its 12 kernels"),
        ((30, 40, 1, 1), False, "shared", "the 16 strongest of its 40 kernels"),
        ((3, 5, 1, 7), False, "own", "3 filters of 1×7×5"),
    ],
)
def test_filters_say_how_they_are_shown(
    shape: tuple[int, ...], sees_color: bool, scale: str, said: str
) -> None:
    weights = NUMBERS.normal(size=shape).astype(np.float32)
    norms = np.sqrt((weights**2).sum(axis=(1, 2, 3)))
    figure = draw_filters(Filters("block1.0", weights, norms, sees_color), scale=scale)
    assert said in _words(figure)
    assert png(figure)


def test_the_strongest_filters_stand_above() -> None:
    weights = np.ones((4, 6, 3, 3), np.float32) * np.array([2, 9, 1, 5])[:, None, None, None]
    norms = np.sqrt((weights**2).sum(axis=(1, 2, 3)))
    words = _words(draw_filters(Filters("a", weights, norms, False))).split("\n")
    rows = [word for word in words if word in {"0", "1", "2", "3"}]
    assert [word.strip() for word in words if "." in word][:4] == [
        f"{n:.2f}" for n in sorted(norms)[::-1]
    ]
    assert rows[-4:] == ["1", "3", "0", "2"]


def test_filters_of_zeros_are_drawn() -> None:
    weights = np.zeros((4, 6, 3, 3), np.float32)
    assert png(draw_filters(Filters("a", weights, np.zeros(4, np.float32), False)))


def _cam(count: int) -> GradCam:
    heat = NUMBERS.random((count, 4, 5), np.float32)
    heat[0] = 0
    return GradCam("layer4", heat, np.arange(count) % 3, NUMBERS.normal(size=(count, 3)))


@pytest.mark.parametrize("count", [1, 7])
def test_grad_cam_names_class_probability_and_emptiness(count: int) -> None:
    probabilities = np.full((count, 3), [0.7, 0.2, 0.1], np.float32)
    names = [f"{number}.png" for number in range(count)]
    figure = draw_grad_cam(
        _cam(count),
        _pixels(count),
        names,
        classes=["rose", "daisy", "tulip"],
        probabilities=probabilities,
    )
    words = _words(figure)
    assert "Grad-CAM at layer4" in words
    assert "rose   70%: no evidence" in words
    assert ("daisy   20%" in words) == (count > 1)
    assert png(figure)


def test_the_overlay_leaves_cold_places_and_covers_hot_ones() -> None:
    image = np.full((400, 400, 3), 100, np.uint8)
    heat = np.zeros((8, 8), np.float32)
    heat[1, 6] = 2
    covered = overlay(image, heat)
    assert covered.shape == image.shape
    change = np.abs(covered.astype(int) - 100).sum(axis=2)
    assert change[250:, :250].max() == 0
    hottest = np.unravel_index(change.argmax(), change.shape)
    assert 50 <= hottest[0] < 100
    assert 300 <= hottest[1] < 350
    np.testing.assert_array_equal(overlay(image, np.zeros((8, 8), np.float32)), image)


def test_a_small_gray_image_is_enlarged_under_its_heat() -> None:
    image = NUMBERS.integers(0, 256, (28, 20, 1), np.uint8)
    covered = overlay(image, np.zeros((3, 3), np.float32))
    times = covered.shape[0] // 28
    assert covered.shape == (28 * times, 20 * times, 3)
    assert covered.shape[0] >= 360
    np.testing.assert_array_equal(covered[::times, ::times], image.repeat(3, 2))


@pytest.mark.parametrize("layers", [1, 6])
def test_shift_says_how_often_the_answer_holds(layers: int) -> None:
    offsets = np.arange(-3, 4)
    agreement = np.array([np.nan, 0.9, 0.95, 1, 0.95, 0.9, np.nan])
    following = [
        Following(f"block{n}", 2, NUMBERS.random((7, 4, 4), np.float32), agreement)
        for n in range(layers)
    ]
    probabilities = np.array([[0.4, 0.6]] * 2 + [[0.8, 0.2]] * 5, np.float32)
    found = Shift("y", offsets, _pixels(7), np.log(probabilities), tuple(following))
    figure = draw_shift(found, "a.jpg", classes=["cat", "_dog"], probabilities=probabilities)
    words = _words(figure)
    assert "a.jpg moved by up to 3 pixels" in words
    assert "the answer is the same at 5 of 7 offsets" in words
    assert "positive is down" in words
    assert "block0" in words
    assert png(figure)
