"""Draw, then do: an augmentation's parameters as a pure function of seed, epoch and sample."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convlens.augment.parameters import Draws, Flags, Reals, Slot, Whole
from convlens.augment.settings import AugmentSettings, Shift
from convlens.augment.trivial import LEVELS, OPERATIONS
from convlens.core.rng import bits, uniform

Parameters: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class _Chance:
    """Draws for some samples; what can have one value only costs no draw."""

    seed: int
    epoch: int
    indices: Whole

    def between(self, slot: Slot, low: float, high: float) -> Reals:
        if low == high:
            return np.full(len(self.indices), float(low))
        return low + (high - low) * uniform(self.seed, self.epoch, self.indices, slot)

    def around_zero(self, slot: Slot, half: float) -> Reals:
        return self.between(slot, -half, half)

    def log_between(self, slot: Slot, low: float, high: float) -> Reals:
        return np.exp(self.between(slot, np.log(low), np.log(high)))

    def happens(self, slot: Slot, probability: float) -> Flags:
        return self.between(slot, 0, 1 if probability else 0) < probability

    def below(self, slot: Slot, n: int) -> Whole:
        return self.between(slot, 0, n if n > 1 else 0).astype(np.int64)

    def alternating(self, slot: Slot) -> Flags:
        start = bits(self.seed, 0, self.indices, slot) & np.uint64(1)
        return np.equal((start.astype(np.int64) + self.epoch) % 2, 1)


def draw(
    settings: AugmentSettings,
    *,
    seed: int,
    epoch: int,
    indices: ArrayLike,
    height: int,
    width: int,
) -> Draws:
    """The parameters of some samples in one epoch, whatever batch they arrive in.

    Args:
        settings: the ranges to draw from.
        seed: the run's seed.
        epoch: counted from 0.
        indices: (N,) integers, which samples.
        height: rows of the network's input.
        width: columns of the network's input.

    Example:
        >>> some = draw(AugmentSettings(rotation_range=20), seed=0, epoch=0, indices=[4, 5],
        ...             height=32, width=32)
        >>> bool(abs(some.rotation).max() <= 20)
        True
    """
    chance = _Chance(seed, epoch, np.asarray(indices, np.int64))
    values = {
        **_geometry(settings, chance, height, width),
        **_color(settings, chance),
        **_rectangles(settings, chance, height, width),
    }
    if settings.trivial:
        _fold_in_trivial(values, chance, height, width)
    return Draws(**values)


def whole_length(length: float, side: int) -> int:
    """A length of settings in whole pixels: a share of the side if below 1, else pixels."""
    return round(length * side if length < 1 else length)


def _geometry(settings: AugmentSettings, chance: _Chance, height: int, width: int) -> Parameters:
    zoom = settings.zoom_bounds
    aspect = settings.crop_aspect if settings.crops else (1.0, 1.0)
    corner = 1.0 if settings.crops else 0.0
    flip = settings.horizontal_flip
    return {
        "rotation": chance.around_zero(Slot.ROTATION, settings.rotation_range),
        "shift_x": _shift(chance, Slot.SHIFT_X, settings.width_shift_range, width)
        + _padding(chance, Slot.PAD_X, settings.pad_crop, width),
        "shift_y": _shift(chance, Slot.SHIFT_Y, settings.height_shift_range, height)
        + _padding(chance, Slot.PAD_Y, settings.pad_crop, height),
        "shear": chance.around_zero(Slot.SHEAR, settings.shear_range),
        "skew_x": np.zeros(len(chance.indices)),
        "skew_y": np.zeros(len(chance.indices)),
        "zoom_x": chance.between(Slot.ZOOM_X, *zoom),
        "zoom_y": chance.between(Slot.ZOOM_Y, *zoom),
        "flip_x": chance.alternating(Slot.FLIP_X)
        if flip == "alternate"
        else chance.happens(Slot.FLIP_X, 0.5 * flip),
        "flip_y": chance.happens(Slot.FLIP_Y, 0.5 * settings.vertical_flip),
        "crop_area": chance.between(Slot.CROP_AREA, *settings.crop_area),
        "crop_aspect": chance.log_between(Slot.CROP_ASPECT, *aspect),
        "crop_x": chance.between(Slot.CROP_X, 0, corner),
        "crop_y": chance.between(Slot.CROP_Y, 0, corner),
    }


def _shift(chance: _Chance, slot: Slot, amount: Shift, side: int) -> Reals:
    if isinstance(amount, float):
        return chance.around_zero(slot, amount) * (side if amount < 1 else 1)
    values = np.arange(max(amount, 1)) if isinstance(amount, int) else np.asarray(amount)
    sign = 1 - 2.0 * chance.happens(Slot(slot + 1), 0.5)
    unit = side if values.max() < 1 else 1
    return sign * values[chance.below(slot, len(values))] * unit


def _padding(chance: _Chance, slot: Slot, amount: float, side: int) -> Reals:
    pixels = whole_length(amount, side)
    return np.floor(chance.between(slot, -pixels, pixels + 1 if pixels else 0))


def _color(settings: AugmentSettings, chance: _Chance) -> Parameters:
    n = len(chance.indices)
    return {
        "channel_shift": chance.around_zero(Slot.CHANNEL_SHIFT, settings.channel_shift_range),
        "brightness": chance.between(Slot.BRIGHTNESS, *settings.brightness_range),
        "contrast": chance.between(Slot.CONTRAST, *settings.contrast_range),
        "saturation": chance.between(Slot.SATURATION, *settings.saturation_range),
        "hue": chance.around_zero(Slot.HUE, settings.hue_range),
        "gray": chance.happens(Slot.GREY, settings.gray),
        "autocontrast": np.zeros(n, bool),
        "equalize": np.zeros(n, bool),
        "solarize": np.full(n, 256),
        "posterize": np.full(n, 8),
        "sharpness": np.ones(n),
    }


def _rectangles(settings: AugmentSettings, chance: _Chance, height: int, width: int) -> Parameters:
    n = len(chance.indices)
    boxes = {"cutout": np.zeros((n, 4), np.int64), "erase": np.zeros((n, 4), np.int64)}
    if settings.cutout:
        w, h = whole_length(settings.cutout, width), whole_length(settings.cutout, height)
        side = min(w, h)
        # The center may lie anywhere, so that part of the square may hang over the edge.
        left = chance.below(Slot.CUTOUT_X, width) - side // 2
        top = chance.below(Slot.CUTOUT_Y, height) - side // 2
        boxes["cutout"] = np.stack([left, top, np.full(n, side), np.full(n, side)], axis=1)
    if settings.erase:
        boxes["erase"] = _erased(settings, chance, height, width)
    noise = [chance.between(s, 0, 1 if settings.erase else 0) for s in (Slot.NOISE_X, Slot.NOISE_Y)]
    return {**boxes, "noise": np.stack(noise, axis=1)}


def _erased(settings: AugmentSettings, chance: _Chance, height: int, width: int) -> Whole:
    area = chance.between(Slot.ERASE_AREA, *settings.erase_area) * height * width
    aspect = chance.log_between(Slot.ERASE_ASPECT, *settings.erase_aspect)
    w = np.clip(np.rint(np.sqrt(area / aspect)), 1, width)
    h = np.clip(np.rint(np.sqrt(area * aspect)), 1, height)
    left = np.floor(chance.between(Slot.ERASE_X, 0, 1) * (width - w + 1))
    top = np.floor(chance.between(Slot.ERASE_Y, 0, 1) * (height - h + 1))
    box = np.stack([left, top, w, h], axis=1).astype(np.int64)
    return np.asarray(box * chance.happens(Slot.ERASE, settings.erase)[:, None])


def _fold_in_trivial(values: Parameters, chance: _Chance, height: int, width: int) -> None:
    operation = chance.below(Slot.TRIVIAL_OPERATION, len(OPERATIONS))
    level = chance.below(Slot.TRIVIAL_LEVEL, LEVELS)
    sign = 1 - 2.0 * chance.happens(Slot.TRIVIAL_SIGN, 0.5)
    sides = {"shift_x": width, "shift_y": height}
    for number, row in enumerate(OPERATIONS):
        if row.parameter:
            mine = operation == number
            largest = min(row.largest, sides.get(row.parameter, np.inf))
            amount = level[mine] * largest / (LEVELS - 1)
            values[row.parameter][mine] = row.change(
                values[row.parameter][mine], amount, sign[mine]
            )
