"""The shapes of images and batches as they are handed over, and the usual ways they go wrong."""

import re
from collections.abc import Sequence
from math import isqrt

from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.formatting import pluralize
from convlens.inspection.formulas import Shape

_LONGEST, _MOST_CHANNELS = 8192, 64


def parse_image_shape(text: str) -> Shape:
    """Read an image's shape as it is typed, height x width x channels.

    Returns:
        Channels, height, width.

    Raises:
        ConvlensError: the text is something else.

    Example:
        >>> parse_image_shape("28x28x1"), parse_image_shape("96x160x3")
        ((1, 28, 28), (3, 96, 160))
    """
    numbers = re.findall(r"\d+", text)
    written = bool(re.fullmatch(r"\s*\d+(\s*[x×,]\s*\d+){2}\s*", text.lower()))
    height, width, channels = map(int, numbers) if written else (0, 0, 0)
    sides = 1 <= height <= _LONGEST and 1 <= width <= _LONGEST
    if sides and 1 <= channels <= _MOST_CHANNELS:
        return channels, height, width
    hint = "for example 28x28x1 for gray, 224x224x3 for color"
    if len(numbers) == 2:
        hint = f"{'x'.join(numbers)} lacks its channels: {'x'.join(numbers)}x3, or x1 for gray"
    elif written and height <= 4 < channels:
        hint = f"the channels come last: {width}x{channels}x{height}"
    raise ConvlensError(
        f"input is '{text}'; expected height x width x channels, each side from 1 to {_LONGEST} "
        f"pixels and 1 to {_MOST_CHANNELS} channels; {hint}",
        code="bad-input-shape",
    )


def checked_image_shape(module: nn.Module, shape: Sequence[int]) -> Shape:
    """One image's shape, if it is one: channels, height, width.

    Raises:
        ConvlensError: it has another number of axes, or an axis is empty.
    """
    if len(shape) == 3 and min(shape) >= 1:
        return tuple(shape)
    told, channels = "×".join(map(str, shape)), probable_channels(module) or 1
    remedy = f"for example ({channels}, 224, 224)"
    if len(shape) == 2:
        remedy = f"the channel axis is missing: ({channels}, {shape[0]}, {shape[1]})"
    elif len(shape) == 4:
        remedy = f"leave the batch axis out: {tuple(shape[1:])}"
    raise ConvlensError(
        f"the image's shape is {told or 'empty'}; expected three positive numbers, channels × "
        "height × width",
        remedy=remedy,
        code="shape-mismatch",
    )


def probable_channels(module: nn.Module) -> int | None:
    """The channels that a network takes, as far as can be told without running it.

    Of a module that is no `Classifier`, the convolution that was made first need not run first.
    """
    if isinstance(module, Classifier):
        return module.input_spec.channels
    first = next((child for child in module.modules() if isinstance(child, nn.Conv2d)), None)
    return first.in_channels if first else None


def mend_batch(shape: Shape, channels: int) -> tuple[str, str]:
    """What is wrong with the axes of a batch that are not N×C×H×W, and what would mend it.

    Args:
        shape: as handed over.
        channels: that the network takes.
    """
    told = "×".join(map(str, shape))
    match shape:
        case (_, _, _, _):
            return (
                (
                    f"{told} has its channels last (N×H×W×C); the network takes them first "
                    f"(N×{channels}×H×W)"
                ),
                "x.permute(0, 3, 1, 2); x.transpose(0, 3, 1, 2) in NumPy",
            )
        case (first, _, _) if first == channels:
            return f"{told} is one image (C×H×W) without a batch axis", "x[None]"
        case (_, _, last) if last == channels:
            return (
                f"{told} is one image with its channels last (H×W×C), without a batch axis",
                "x.permute(2, 0, 1)[None]; x.transpose(2, 0, 1)[None] in NumPy",
            )
        case (_, _, _):
            expand = f".expand(-1, {channels}, -1, -1)" if channels > 1 else ""
            return (
                f"{told} (N×H×W) has no channel axis; the network takes N×{channels}×H×W",
                f"x[:, None]{expand}",
            )
        case (_, length) if length % channels == 0 and isqrt(length // channels) ** 2 == (
            length // channels
        ):
            side = isqrt(length // channels)
            return (
                f"{told} holds images flattened into vectors; a convolution needs their rows",
                f"x.reshape(-1, {channels}, {side}, {side})",
            )
        case (_, _):
            return f"{told} (H×W) has neither a batch nor a channel axis", "x[None, None]"
    return (
        f"{told} has {len(shape)} axes; the network takes four: N×C×H×W",
        "x.flatten(0, 1), where the first two axes both count images",
    )


def validate_spread(module: nn.Module, channels: int) -> None:
    """Refuse what normalizing would quietly spread: one channel over three.

    Raises:
        ConvlensError: a `Classifier` was built for another number of channels.
    """
    if isinstance(module, Classifier) and channels != module.input_spec.channels:
        taken = module.input_spec.channels
        raise ConvlensError(
            f"the image has {pluralize(channels, 'channel')}, but the network takes {taken}: "
            f"{channels} ≠ {taken}",
            remedy=channels_remedy(channels, taken),
            between="; to mend it: ",
            code="shape-mismatch",
        )


def channels_remedy(given: int, taken: int) -> str:
    """What to do where the image has other channels than the network takes."""
    if (given, taken) == (3, 1):
        return "turn the images gray, or build the network for 3 channels"
    if (given, taken) == (1, 3):
        return "repeat the gray channel three times, or build the network for 1 channel"
    if (given, taken) == (4, 3):
        return "leave the alpha channel out: x[:, :3]"
    return f"hand it {pluralize(taken, 'channel')}, or build the network for {given}"
