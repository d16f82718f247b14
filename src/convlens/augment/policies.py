"""Named policies, and the rule that chooses one."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from convlens.augment.settings import AugmentSettings
from convlens.core.errors import unknown_name

POLICIES: Mapping[str, AugmentSettings] = MappingProxyType(
    {
        # Nothing.
        "none": AugmentSettings(),
        # For small images: mirrored, and moved by up to an eighth of the side (4 pixels of 32).
        "light": AugmentSettings(
            horizontal_flip="alternate",
            pad_crop=0.125,
            fill_mode="reflect",
        ),
        # For photographs: another part of the picture, tilted a little, in another light.
        "standard": AugmentSettings(
            crop_area=(0.35, 1.0),
            rotation_range=10,
            horizontal_flip=True,
            brightness_range=(0.8, 1.2),
            contrast_range=(0.8, 1.2),
            saturation_range=(0.8, 1.2),
            fill_mode="reflect",
        ),
        # For many epochs: one operation of any kind besides, a part erased, and images mixed.
        "strong": AugmentSettings(
            crop_area=(0.2, 1.0),
            horizontal_flip=True,
            trivial=True,
            erase=0.25,
            mixup=0.2,
            cutmix=1.0,
            fill_mode="reflect",
        ),
        # As in the TrivialAugment paper: mirrored, moved, and one operation of 14.
        "trivial": AugmentSettings(
            horizontal_flip=True,
            pad_crop=0.125,
            trivial=True,
            fill_mode="reflect",
        ),
    }
)

SMALL_SIDE = 64
_SIDES = frozenset({"left", "right", "clockwise", "anticlockwise", "counterclockwise"})
_NUMBERS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "  # noqa: SIM905
    "sixteen seventeen eighteen nineteen twenty".split()
)
_LONGEST_NUMBER = 3


class PolicyChoice(NamedTuple):
    """Which policy, with what settings, and why.

    Attributes:
        name: a key of `POLICIES`.
        settings: the policy's, without a horizontal flip where that would change a class.
        reason: why this one, in words.
        handed: why a mirror image would be of another class; empty where nothing says so.
    """

    name: str
    settings: AugmentSettings
    reason: str
    handed: str = ""


def policy(name: str, **changes: Any) -> AugmentSettings:
    """The settings of a policy by name, with some of them changed.

    Args:
        name: a key of `POLICIES`.
        changes: settings to put in place of the policy's own.

    Raises:
        ConvlensError: the name is unknown.
        pydantic.ValidationError: a change is unknown or out of range.

    Example:
        >>> policy("light", horizontal_flip=False).pad_crop
        0.125
    """
    if name not in POLICIES:
        raise unknown_name("augmentation policy", name, POLICIES, code="unknown-policy")
    return AugmentSettings(**(POLICIES[name].model_dump(exclude_defaults=True) | changes))


def default_policy(class_names: Sequence[str], *, height: int, width: int) -> PolicyChoice:
    """The policy for a set of images on which nobody has said otherwise.

    Images of up to 64 pixels a side get ``light``, larger ones ``standard``. Where a mirror image
    would have another meaning, there is no horizontal flip: every class is named by a number, in
    digits or as a word, or by a single character, after whatever all names begin with
    (``digit_3``, ``0-zero``, letters, numbered signs); or a name speaks of a side (``turn_left``).

    Args:
        class_names: the classes; none where they are not known.
        height: rows of the network's input.
        width: columns of the network's input.

    Example:
        >>> default_policy(["cat", "dog"], height=224, width=224).name
        'standard'
    """
    if max(height, width) <= SMALL_SIDE:
        name, size = "light", f"images are small ({height}x{width})"
    else:
        name, size = "standard", f"images are {height}x{width}"
    handed = _why_handed(class_names)
    if not handed:
        return PolicyChoice(name, policy(name), size)
    reason = f"{size}; no horizontal flip: {handed}"
    return PolicyChoice(name, policy(name, horizontal_flip=False), reason, handed)


def _why_handed(class_names: Sequence[str]) -> str:
    """Why a mirror image would have another meaning; empty where nothing says so."""
    if class_names and (
        all(len(name) == 1 or name.isdecimal() for name in class_names) or _numbered(class_names)
    ):
        return "classes are digits, letters or numbers"
    for name in class_names:
        words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
        if any(word.lower() in _SIDES for word in words):
            return f"class '{name}' speaks of a side"
    return ""


def _numbered(class_names: Sequence[str]) -> bool:
    """Whether names are numbers or single letters after the words that all of them begin with.

    Of several digits more than three are no number but an identifier (``n02085620``).
    """
    words = [re.findall(r"\d+|[^\W\d_]+", name.casefold()) for name in class_names]
    shared = 0
    while all(len(own) > shared and own[: shared + 1] == words[0][: shared + 1] for own in words):
        shared += 1
    return all(
        own[shared:] and all(_is_number_or_letter(word) for word in own[shared:]) for own in words
    )


def _is_number_or_letter(word: str) -> bool:
    if word.isdecimal():
        return len(word) <= _LONGEST_NUMBER
    return len(word) == 1 or word in _NUMBERS
