"""Whether features of frozen stages are kept, and of what: a rule, and its reason in words."""

from dataclasses import dataclass

from torch import nn

from convlens.augment import AugmentSettings
from convlens.core.errors import ConvlensError


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureChoice:
    """Whether features are kept, and of what.

    Attributes:
        draws: how many versions of each training image; 0 where none are kept.
        augment: what the versions differ by; None for the images as they are.
        reason: why, in words.
    """

    draws: int
    augment: AugmentSettings | None = None
    reason: str


def choose_features(
    augment: AugmentSettings, *, draws: int, frozen: nn.Module, wanted: bool = True
) -> FeatureChoice:
    """Decide whether a phase keeps the features of its frozen stages.

    Args:
        augment: what happens to training images.
        draws: how many augmented versions of each the user asks to keep.
        frozen: the leading stages that do not learn.
        wanted: False where the user wants none kept.

    Raises:
        ConvlensError: versions are to be kept of images that are mixed.

    Example:
        >>> choose_features(AugmentSettings(), draws=0, frozen=nn.Conv2d(3, 8, 3)).reason
        'the frozen stages always make the same of an image: it is computed once and kept'
    """
    if not any(True for _ in frozen.parameters()):
        return FeatureChoice(draws=0, reason="no stage with weights is frozen before what learns")
    if not wanted:
        return FeatureChoice(draws=0, reason="training.feature_cache is off")
    if draws > 0 and augment.mixes:
        raise _mixes(augment, draws)
    if draws > 0 and augment.early_epochs and augment.early_scale < 1:
        raise ConvlensError(
            f"training.feature_draws is {draws}, but augment.early_scale is "
            f"{augment.early_scale:g}: features are kept of images of one size",
            remedy="pass --set augment.early_scale=1, or --set training.feature_draws=0",
            code="scaled-features",
        )
    if augment == AugmentSettings():
        reason = "the frozen stages always make the same of an image: it is computed once and kept"
        return FeatureChoice(draws=1, reason=reason)
    if draws > 0:
        reason = f"{draws} augmented versions of each training image are computed once and kept"
        return FeatureChoice(draws=draws, augment=augment, reason=reason)
    remedy = "" if augment.mixes else "; --set training.feature_draws=8 would keep 8 versions"
    reason = f"training images are augmented anew in every epoch{remedy}"
    return FeatureChoice(draws=0, reason=reason)


def _mixes(augment: AugmentSettings, draws: int) -> ConvlensError:
    on = {name: getattr(augment, name) for name in ("mixup", "cutmix") if getattr(augment, name)}
    said = " and ".join(f"augment.{name} is {value:g}" for name, value in on.items())
    off = " ".join(f"--set augment.{name}=0" for name in on)
    return ConvlensError(
        f"training.feature_draws is {draws}, but {said}: that mixes the images of every batch "
        "anew before the network's first layer, and features are kept of one image at a time",
        remedy=f"pass {off}, or --set training.feature_draws=0",
        code="mixed-features",
    )
