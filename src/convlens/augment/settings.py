"""What an augmentation may do to an image: the ``[augment]`` part of a recipe."""

from typing import Annotated, Literal, NamedTuple, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

FillMode: TypeAlias = Literal["nearest", "constant", "reflect", "wrap"]
Probability: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Range: TypeAlias = tuple[float, float]
Shift: TypeAlias = (
    Annotated[int, Field(ge=0, le=8192)]
    | Annotated[float, Field(ge=0, le=8192, allow_inf_nan=False)]
    | tuple[float, ...]
)
Length: TypeAlias = Annotated[float, Field(ge=0, le=8192, allow_inf_nan=False)]

UNCHANGED: Range = (1.0, 1.0)
RANGES = (
    "brightness_range",
    "contrast_range",
    "saturation_range",
    "crop_area",
    "crop_aspect",
    "erase_area",
    "erase_aspect",
)

_SPLITS = frozenset({"val", "valid", "validation", "test", "testing", "eval", "evaluation"})


class Fill(NamedTuple):
    """What lies beyond an image: how it goes on, and for ``"constant"`` the value in [0, 1]."""

    mode: FillMode = "nearest"
    value: float = 0.0


def augments_training_alone(key: str) -> PydanticCustomError:
    """What to raise for a key that would augment images which are measured on."""
    return PydanticCustomError(
        "no_such_place",
        "there is no key '{key}': training images are augmented, and no others; validation and "
        "test images are seen as they are, or their figures would mean nothing. Leave it out",
        {"key": key},
    )


class AugmentSettings(BaseModel):
    """The ranges that an image's random parameters are drawn from; as it stands, nothing changes.

    The first block has the names, meanings and units of Keras's ``ImageDataGenerator``. Every
    range is drawn from uniformly. A *length* below 1 is a share of the input's side, else pixels.

    Attributes:
        rotation_range: degrees; drawn from [-r, r], a positive angle turns anticlockwise.
        width_shift_range: sideways; a float f: from [-f, f], a share of the width if below 1, else
            pixels; a whole number n: whole pixels between -n and n, both excluded; several values:
            one of them, with a random sign.
        height_shift_range: likewise, up or down.
        shear_range: degrees; drawn from [-s, s].
        zoom_range: a float z for [1 - z, 1 + z], or both ends; drawn for each axis on its own. The
            factor is how much more of the image is shown: below 1 magnifies.
        horizontal_flip: half of the images, drawn anew each epoch; ``"alternate"``: each image
            every other epoch (Jordan, "94% on CIFAR-10 in 3.29 seconds", arXiv 2404.00498, section
            3.6), which is more even over few epochs.
        vertical_flip: half of the images.
        brightness_range: factors; 1 changes nothing, 0 is black.
        channel_shift_range: drawn from [-c, c] in units of 8-bit pixels, added to all channels and
            held within the image's own lowest and highest value.
        fill_mode: what lies beyond the image: its edge repeated, ``cval``, its mirror image (edge
            included), or the image over again.
        cval: the value for ``"constant"``, 0 to 255.
        crop_area: random resized crop: the share of the image's area that is shown (Szegedy et
            al., arXiv 1409.4842, section 6); (1, 1) is off.
        crop_aspect: with it, the crop's aspect ratio relative to the input's, drawn
            log-uniformly.
        pad_crop: a length (of whole pixels) that the image is moved by at most, both ways: the
            same as padding it on every side and cropping at random.
        contrast_range: factors on the distance from the image's mean gray.
        saturation_range: factors on the distance from each pixel's own gray; 0 is gray.
        hue_range: degrees; drawn from [-h, h], turned in the chroma plane at constant luma.
        gray: share of the images that lose their color.
        trivial: TrivialAugment, wide space (Müller and Hutter, arXiv 2103.10158, algorithm
            1): one operation of 14 at one strength of 31 for each image.
        cutout: a length; a gray square of this side somewhere over the image (DeVries and Taylor,
            arXiv 1708.04552, section 3).
        erase: share of the images of which a rectangle becomes noise (Zhong et al., arXiv
            1708.04896, algorithm 1).
        erase_area: the rectangle's share of the image.
        erase_aspect: its aspect ratio, drawn log-uniformly.
        mixup: alpha of MixUp (Zhang et al., arXiv 1710.09412, section 2); 0 is off.
        cutmix: alpha of CutMix (Yun et al., arXiv 1905.04899, section 3.1); 0 is off. With both,
            each batch takes one of them, with equal chances.
        early_scale: the first epochs see smaller images, this share of the input's sides, which
            takes about its square of the time (progressive resizing: Howard and others in the
            DAWNBench of 2018; Tan and Le, arXiv 2104.00298, section 3.2); 1 is off.
        early_epochs: how many epochs these are.

    Raises:
        pydantic.ValidationError: a value is out of range.

    Example:
        >>> AugmentSettings(rotation_range=20, zoom_range=0.2).zoom_bounds
        (0.8, 1.2)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation_range: Annotated[float, Field(ge=0, le=180)] = 0.0
    width_shift_range: Shift = 0.0
    height_shift_range: Shift = 0.0
    shear_range: Annotated[float, Field(ge=0, lt=90)] = 0.0
    zoom_range: float | Range = 0.0
    horizontal_flip: bool | Literal["alternate"] = False
    vertical_flip: bool = False
    brightness_range: Range = UNCHANGED
    channel_shift_range: Annotated[float, Field(ge=0, le=255)] = 0.0
    fill_mode: FillMode = "nearest"
    cval: Annotated[float, Field(ge=0, le=255)] = 0.0

    crop_area: Range = UNCHANGED
    crop_aspect: Range = (3 / 4, 4 / 3)
    pad_crop: Length = 0.0
    contrast_range: Range = UNCHANGED
    saturation_range: Range = UNCHANGED
    hue_range: Annotated[float, Field(ge=0, le=180)] = 0.0
    gray: Probability = 0.0
    trivial: bool = False
    cutout: Length = 0.0
    erase: Probability = 0.0
    erase_area: Range = (0.02, 0.33)
    erase_aspect: Range = (0.3, 3.3)
    mixup: Annotated[float, Field(ge=0, le=100)] = 0.0
    cutmix: Annotated[float, Field(ge=0, le=100)] = 0.0
    early_scale: Annotated[float, Field(gt=0, le=1)] = 1.0
    early_epochs: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="before")
    @classmethod
    def _no_rescale(cls, values: object) -> object:
        if isinstance(values, dict) and "rescale" in values:
            raise ValueError(
                f"rescale is {values['rescale']}; leave it out: pixels are scaled to [0, 1] inside "
                "the network"
            )
        return values

    @model_validator(mode="before")
    @classmethod
    def _training_images_alone(cls, values: object) -> object:
        for key in values if isinstance(values, dict) else ():
            if _SPLITS & set(str(key).casefold().replace("-", "_").split("_")):
                raise augments_training_alone(f"augment.{key}")
        return values

    @model_validator(mode="after")
    def _sound_ranges(self) -> Self:
        for name in RANGES:
            low, high = getattr(self, name)
            if not 0 <= low <= high < float("inf"):
                raise ValueError(f"{name} is ({low}, {high}); expected 0 <= low <= high")
        for name in ("crop_area", "erase_area"):
            low, high = getattr(self, name)
            if not 0 < low <= high <= 1:
                raise ValueError(f"{name} is ({low}, {high}); expected shares above 0, up to 1")
        for name in ("crop_aspect", "erase_aspect"):
            if getattr(self, name)[0] == 0:
                raise ValueError(f"{name} starts at 0; expected ratios above 0")
        if not 0 < self.zoom_bounds[0] <= self.zoom_bounds[1] < float("inf"):
            raise ValueError(
                f"zoom_range is {self.zoom_range}; expected a number from 0 to below 1, "
                "or (low, high) with 0 < low <= high"
            )
        for name in ("width_shift_range", "height_shift_range"):
            if getattr(self, name) == ():
                raise ValueError(f"{name} is empty; give at least one value, or 0 for no shift")
        return self

    @property
    def zoom_bounds(self) -> Range:
        """Lowest and highest zoom factor."""
        if isinstance(self.zoom_range, tuple):
            return self.zoom_range
        return 1 - self.zoom_range, 1 + self.zoom_range

    @property
    def fill(self) -> Fill:
        """What lies beyond an image."""
        return Fill(self.fill_mode, self.cval / 255)

    @property
    def crops(self) -> bool:
        """Whether random resized crops are on."""
        return self.crop_area != UNCHANGED

    @property
    def margin(self) -> float:
        """How much larger than the input the stored pixels should be, as a share of its side.

        A random resized crop starts from what the resize rule "crop" would cut off, at the scale
        of evaluation (short side to size / 0.875).
        """
        return 1 / 0.875 - 1 if self.crops else 0.0

    @property
    def colors(self) -> bool:
        """Whether color may change, which images of other than 1 or 3 channels do not have."""
        saturates = self.saturation_range != UNCHANGED
        return saturates or self.trivial or self.hue_range > 0 or self.gray > 0

    def side(self, pixels: int, epoch: int) -> int:
        """How many of a side's pixels an epoch's images have; at least 1."""
        return max(1, round(pixels * self.early_scale)) if epoch < self.early_epochs else pixels

    @property
    def mixes(self) -> bool:
        """Whether images of a batch are mixed, and targets with them."""
        return self.mixup > 0 or self.cutmix > 0
