"""MixUp and CutMix: what makes one image of two, and one target of theirs.

Partners and shares are drawn once a batch, as a function of the seed, the epoch and which samples
are in the batch: they do not depend on where a run was interrupted, but on the batch size.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor

from convlens.augment.parameters import Whole
from convlens.augment.settings import AugmentSettings
from convlens.augment.warp import from_unit, to_unit
from convlens.core.rng import Stream, bits, derived_seed


@dataclass(frozen=True, eq=False, kw_only=True)
class MixDraws:
    """How a batch is mixed.

    Attributes:
        partners: (N,) for each image the place in the batch of the one mixed into it.
        share: what each image keeps of itself, in [0, 1].
        box: left, top, width, height of what CutMix pastes, in pixels; None for MixUp.
    """

    partners: Whole
    share: float
    box: tuple[int, int, int, int] | None = None


def draw_mix(
    settings: AugmentSettings,
    *,
    seed: int,
    epoch: int,
    indices: ArrayLike,
    height: int,
    width: int,
) -> MixDraws:
    """How one batch is mixed.

    CutMix's box has the share 1 - λ of the image, λ drawn from Beta(alpha, alpha), and its center
    anywhere; it is cut off at the edges, and what is kept is counted in pixels (arXiv 1905.04899,
    equation 2).

    Args:
        settings: MixUp, CutMix or both are on.
        seed: the run's seed.
        epoch: counted from 0.
        indices: (N,) integers, which samples the batch holds.
        height: rows of an image.
        width: columns of an image.
    """
    words = bits(seed, epoch, indices, Stream.MIX)
    step = int(np.bitwise_xor.reduce(words))
    rng = np.random.default_rng(derived_seed(seed, epoch, step, slot=Stream.MIX))
    partners = rng.permutation(len(words))
    first = rng.random() < 0.5
    cuts = settings.cutmix > 0 and (first or settings.mixup == 0)
    alpha = settings.cutmix if cuts else settings.mixup
    share = float(rng.beta(alpha, alpha))
    if not cuts:
        return MixDraws(partners=partners, share=share)
    x, y = rng.integers(width), rng.integers(height)
    half_w, half_h = (np.sqrt(1 - share) * np.array([width, height]) / 2).astype(int)
    left, right = np.clip([x - half_w, x + half_w], 0, width).tolist()
    top, bottom = np.clip([y - half_h, y + half_h], 0, height).tolist()
    box = (left, top, right - left, bottom - top)
    return MixDraws(partners=partners, share=1 - box[2] * box[3] / (width * height), box=box)


def mix_pixels(pixels: Tensor, draws: MixDraws) -> Tensor:
    """Each image with its partner: blended, or with the box of it pasted in.

    Args:
        pixels: N×C×H×W, uint8 or float in [0, 1].
        draws: how.

    Returns:
        Pixels of the same shape, dtype and device.
    """
    partners = torch.from_numpy(draws.partners).to(pixels.device)
    if draws.box is None:
        own = to_unit(pixels)
        return from_unit(own[partners].lerp(own, draws.share), pixels.dtype)
    left, top, width, height = draws.box
    mixed = pixels.clone()
    window = (..., slice(top, top + height), slice(left, left + width))
    mixed[window] = pixels[window][partners]
    return mixed


def mix_targets(targets: Tensor, draws: MixDraws, classes: int) -> Tensor:
    """The targets of mixed images: each class by its share.

    Args:
        targets: (N,) int64 class numbers, or (N, K) float.
        draws: how.
        classes: K.

    Returns:
        (N, K) float32, each row adding up to 1.
    """
    own = F.one_hot(targets, classes).float() if targets.ndim == 1 else targets.float()
    partners = torch.from_numpy(draws.partners).to(targets.device)
    return own[partners].lerp(own, draws.share)
