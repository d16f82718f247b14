"""The one preprocessing contract: how a file becomes a tensor."""

import re
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from convlens.core.errors import ConvlensError

ResizeRule: TypeAlias = Literal["crop", "stretch", "pad"]
Side: TypeAlias = Annotated[int, Field(ge=1, le=8192)]
MOST_CHANNELS = 64
SMALLEST_STD = 1e-6  # of pixels in [0, 1]: half a gray level is 2e-3
Finite: TypeAlias = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Channels: TypeAlias = Annotated[int, Field(ge=1, le=MOST_CHANNELS)]


class InputSpec(BaseModel):
    """How a file becomes a tensor: size, channels, resize rule and normalization.

    It travels in the bundle, so that training, evaluation, prediction and serving see the same
    pixels. Scaling and normalization happen inside the network, from ``mean`` and ``std``.

    Attributes:
        height: rows of the network's input, in pixels.
        width: columns of the network's input, in pixels.
        channels: 3 for color (RGB), 1 for gray.
        resize: ``"crop"`` brings the short side to size / 0.875 and cuts the center, ``"stretch"``
            ignores the aspect ratio, ``"pad"`` keeps the whole image and fills the rest with black.
            An image that has the input's size already is left as it is, whatever the rule.
        value_bits: bits that 16-bit images use, 8 to 16. A sensor of 12 bits fills a sixteenth of
            the range: with 12 its white is white. Larger values become white too.
        mean: one value a channel, in units of [0, 1] pixels.
        std: one positive value a channel, in the same units.

    Raises:
        pydantic.ValidationError: a value is out of range, or ``mean`` and ``std`` do not have one
            value a channel.

    Example:
        >>> InputSpec(height=28, width=28, channels=1).mean
        (0.0,)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    height: Side
    width: Side
    channels: Channels = 3
    resize: ResizeRule = "crop"
    value_bits: Annotated[int, Field(ge=8, le=16)] = 16
    mean: tuple[Finite, ...] = ()
    std: tuple[Finite, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _identity_normalization(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        channels = values.get("channels", 3)
        if not isinstance(channels, int) or not 1 <= channels <= MOST_CHANNELS:
            return values
        return {
            **values,
            "mean": values.get("mean") or (0.0,) * channels,
            "std": values.get("std") or (1.0,) * channels,
        }

    @model_validator(mode="after")
    def _one_value_a_channel(self) -> Self:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(
                f"mean has {len(self.mean)} values and std {len(self.std)}; "
                f"give {self.channels}, one a channel"
            )
        if min(self.std) < SMALLEST_STD:
            raise ValueError(f"std is {self.std}; every value must be {SMALLEST_STD:g} or more")
        return self

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height, width: one image as the network sees it."""
        return self.channels, self.height, self.width


def parse_size(text: str) -> tuple[int, int]:
    """Read an input size as it is typed: ``"224"``, or ``"96x160"`` (height x width).

    Returns:
        Height and width in pixels.

    Raises:
        ConvlensError: the text is neither form, or a side is outside 1 to 8192.

    Example:
        >>> parse_size("224"), parse_size("96x160")
        ((224, 224), (96, 160))
    """
    match = re.fullmatch(r"(\d+)(?:[x×](\d+))?", text.strip().lower())
    height, width = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not (1 <= height <= 8192 and 1 <= width <= 8192):
        raise ConvlensError(
            f"size is '{text}'; expected one side (224) or height x width (96x160), "
            "each from 1 to 8192 pixels",
            code="bad-size",
        )
    return height, width
