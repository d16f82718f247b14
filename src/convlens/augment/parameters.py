"""The parameters of an augmentation: which there are, and the number of each one's draw."""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Reals: TypeAlias = NDArray[np.float64]
Whole: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


class Slot(IntEnum):
    """The number of each draw; it stays for ever, so that no new option shifts another's draws."""

    ROTATION = 0
    SHIFT_X = 1
    SHIFT_X_SIGN = 2
    SHIFT_Y = 3
    SHIFT_Y_SIGN = 4
    SHEAR = 5
    ZOOM_X = 6
    ZOOM_Y = 7
    FLIP_X = 8
    FLIP_Y = 9
    BRIGHTNESS = 10
    CHANNEL_SHIFT = 11
    CROP_AREA = 12
    CROP_ASPECT = 13
    CROP_X = 14
    CROP_Y = 15
    PAD_X = 16
    PAD_Y = 17
    CONTRAST = 18
    SATURATION = 19
    HUE = 20
    GREY = 21
    TRIVIAL_OPERATION = 22
    TRIVIAL_LEVEL = 23
    TRIVIAL_SIGN = 24
    CUTOUT_X = 25
    CUTOUT_Y = 26
    ERASE = 27
    ERASE_AREA = 28
    ERASE_ASPECT = 29
    ERASE_X = 30
    ERASE_Y = 31
    NOISE_X = 32
    NOISE_Y = 33


@dataclass(frozen=True, eq=False, kw_only=True)
class Draws:
    """The parameters of N images: what `convlens.augment.apply` does to each.

    Attributes:
        rotation: degrees, anticlockwise.
        shift_x: pixels of the input, to the right.
        shift_y: pixels of the input, down.
        shear: degrees.
        skew_x: columns moved a row (TrivialAugment's shear).
        skew_y: rows moved a column.
        zoom_x: how much more of the width is shown; below 1 magnifies.
        zoom_y: likewise of the height.
        flip_x: whether left and right change places.
        flip_y: whether top and bottom do.
        crop_area: share of the image's area that is shown.
        crop_aspect: the crop's aspect ratio relative to the input's.
        crop_x: where the crop lies, from 0 (left) to 1 (right).
        crop_y: likewise, from 0 (top).
        channel_shift: what is added to all channels, in 8-bit units.
        brightness: factor.
        contrast: factor.
        saturation: factor.
        hue: degrees.
        gray: whether the color goes.
        autocontrast: whether each channel is stretched to the full range.
        equalize: whether each channel's histogram is made even.
        solarize: 8-bit values from here up are inverted; 256 for none.
        posterize: bits kept; 8 for all.
        sharpness: factor; below 1 blurs.
        cutout: (N, 4) left, top, width, height of the gray square in pixels; width 0 for none.
        erase: (N, 4) likewise of the rectangle that becomes noise.
        noise: (N, 2) column and row of the noise that it takes, each in [0, 1).
    """

    rotation: Reals
    shift_x: Reals
    shift_y: Reals
    shear: Reals
    skew_x: Reals
    skew_y: Reals
    zoom_x: Reals
    zoom_y: Reals
    flip_x: Flags
    flip_y: Flags
    crop_area: Reals
    crop_aspect: Reals
    crop_x: Reals
    crop_y: Reals
    channel_shift: Reals
    brightness: Reals
    contrast: Reals
    saturation: Reals
    hue: Reals
    gray: Flags
    autocontrast: Flags
    equalize: Flags
    solarize: Whole
    posterize: Whole
    sharpness: Reals
    cutout: Whole
    erase: Whole
    noise: Reals

    def __post_init__(self) -> None:
        for field in fields(self):
            getattr(self, field.name).setflags(write=False)

    def __len__(self) -> int:
        return len(self.rotation)
