"""Augmentation: draw parameters, compose one warp, apply it to a batch.

Training images alone are augmented: training is handed a batch transform, and nothing that
measures or ships can import this package. On arrays of one's own, in three lines::

    from convlens.augment import AugmentSettings, augment

    settings = AugmentSettings(rotation_range=30, width_shift_range=0.2, height_shift_range=0.2,
                               horizontal_flip=True, zoom_range=0.2, shear_range=0.15,
                               brightness_range=(0.8, 1.2), fill_mode="nearest")
    nine = [augment(sample_image, settings, epoch=epoch) for epoch in range(9)]

In a run::

    transform = make_transform(policy("standard"), seed=0, classes=10, height=224, width=224)
    batch = transform(batch)

Parameters are drawn by `draw` as a pure function of seed, epoch and sample; `compose` makes one
affine matrix an image of the geometric ones; `apply` does what was drawn, on the batch's device.
`convlens.augment.pictures` shows what becomes of an image.
"""

from convlens.augment.describing import describe
from convlens.augment.drawing import draw
from convlens.augment.geometry import compose
from convlens.augment.mixing import MixDraws, draw_mix
from convlens.augment.parameters import Draws
from convlens.augment.policies import POLICIES, PolicyChoice, default_policy, policy
from convlens.augment.settings import (
    AugmentSettings,
    Fill,
    FillMode,
    augments_training_alone,
)
from convlens.augment.transform import apply, augment, make_transform

__all__ = [
    "POLICIES",
    "AugmentSettings",
    "Draws",
    "Fill",
    "FillMode",
    "MixDraws",
    "PolicyChoice",
    "apply",
    "augment",
    "augments_training_alone",
    "compose",
    "default_policy",
    "describe",
    "draw",
    "draw_mix",
    "make_transform",
    "policy",
]
