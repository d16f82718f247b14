import numpy as np
import pytest

from convlens.augment.parameters import Slot


def test_a_slot_keeps_its_number_for_ever():
    """New slots are added below; a number that changes would change every run's augmentation."""
    names = """
        ROTATION SHIFT_X SHIFT_X_SIGN SHIFT_Y SHIFT_Y_SIGN SHEAR ZOOM_X ZOOM_Y FLIP_X FLIP_Y
        BRIGHTNESS CHANNEL_SHIFT CROP_AREA CROP_ASPECT CROP_X CROP_Y PAD_X PAD_Y CONTRAST
        SATURATION HUE GREY TRIVIAL_OPERATION TRIVIAL_LEVEL TRIVIAL_SIGN CUTOUT_X CUTOUT_Y ERASE
        ERASE_AREA ERASE_ASPECT ERASE_X ERASE_Y NOISE_X NOISE_Y
    """
    assert [slot.name for slot in sorted(Slot)] == names.split()
    assert sorted(Slot) == list(range(len(Slot)))


def test_draws_cannot_be_written_to(tools):
    draws = tools.at_rest(3)
    assert len(draws) == 3
    with pytest.raises(ValueError, match="read-only"):
        draws.rotation[0] = np.pi
