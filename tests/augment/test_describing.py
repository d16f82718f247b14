import numpy as np
import pytest

from convlens.augment import POLICIES, describe, draw


def test_nothing_drawn_is_nothing_said(tools):
    assert describe(tools.at_rest(2), 1) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rotation": 12.4}, "turned 12° left"),
        ({"rotation": -3.2}, "turned 3.2° right"),
        ({"shift_x": 8, "shift_y": -3}, "moved 8 px right, 3 px up"),
        ({"shift_x": -8}, "moved 8 px left"),
        ({"shift_y": 2}, "moved 2 px down"),
        ({"shear": 0.15}, "sheared +0.15°"),
        ({"skew_x": -0.3}, "sheared −0.30 sideways"),
        ({"skew_y": 0.3}, "sheared +0.30 up and down"),
        ({"zoom_x": 0.8, "zoom_y": 1.25}, "zoomed ×1.25 wide, ×0.80 high"),
        ({"flip_x": True}, "mirrored"),
        ({"flip_y": True}, "upside down"),
        ({"crop_area": 0.5, "crop_aspect": 1.1}, "crop 50%, aspect ×1.10"),
        ({"brightness": 1.2}, "brightness ×1.20"),
        ({"channel_shift": -12}, "channels −12"),
        ({"hue": 20}, "hue +20°"),
        ({"gray": True}, "made gray"),
        ({"solarize": 100}, "solarized from 100"),
        ({"posterize": 3}, "posterized to 3 bits"),
        ({"autocontrast": True}, "autocontrast"),
        ({"equalize": True}, "equalized"),
        ({"cutout": [0, 0, 8, 8]}, "cut out 8×8 px"),
        ({"erase": [0, 0, 10, 20]}, "erased 10×20 px"),
    ],
)
def test_each_parameter_has_its_phrase(tools, changes, said):
    assert describe(tools.at_rest(**changes), 0) == (said,)


@pytest.mark.parametrize("name", POLICIES)
def test_a_phrase_for_whatever_a_policy_draws(name):
    draws = draw(POLICIES[name], seed=0, epoch=0, indices=np.arange(50), height=96, width=96)
    phrases = [describe(draws, number) for number in range(50)]
    assert any(phrases) is (name != "none")
