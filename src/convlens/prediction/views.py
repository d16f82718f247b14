"""Test-time views: the same images moved or mirrored a little, for a network to be asked again.

They are of use where a moved or mirrored image still shows the same class: a mirrored cat is a cat,
a mirrored b is a d. Nothing here is done unless it is asked for.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor

from convlens.core.errors import ConvlensError

View: TypeAlias = Literal["flip", "crops"]
"""``"flip"`` adds the mirror image, ``"crops"`` four crops moved toward the corners."""

_MOVED = 16  # crops are moved by a sixteenth of a side


def parse_views(text: str) -> tuple[View, ...]:
    """Read views as they are typed: ``"flip"``, ``"crops"``, or ``"flip,crops"`` for both.

    Raises:
        ConvlensError: a view is unknown.

    Example:
        >>> parse_views("crops,flip")
        ('crops', 'flip')
    """
    known = get_args(View)
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if unknown := [name for name in names if name not in known]:
        raise ConvlensError(
            f"views are '{text}', and '{unknown[0]}' is unknown; expected flip, crops, or "
            "flip,crops for both",
            code="bad-views",
        )
    return tuple(view for name in names for view in known if view == name)


def views_of(images: Tensor, views: Sequence[View]) -> Iterator[Tensor]:
    """The images themselves, then every other view of them.

    Args:
        images: N×C×H×W, of any type.
        views: which; both make the crops and the mirror image of each.

    Yields:
        N×C×H×W: 1 without views, 2 with ``"flip"``, 5 with ``"crops"``, 10 with both.

    Example:
        >>> row = torch.arange(3).view(1, 1, 1, 3)
        >>> [view.flatten().tolist() for view in views_of(row, ["flip"])]
        [[0, 1, 2], [2, 1, 0]]
    """
    for own in (images, *(_crops(images) if "crops" in views else ())):
        yield own
        if "flip" in views:
            yield own.flip(-1)


def count_views(views: Sequence[View]) -> int:
    """How many views of every image those are, itself included."""
    return (2 if "flip" in views else 1) * (5 if "crops" in views else 1)


def _crops(images: Tensor) -> Iterator[Tensor]:
    """Four crops as large as the images, moved toward the corners, edges mirrored."""
    height, width = images.shape[-2:]
    down, right = (max(1, round(side / _MOVED)) for side in (height, width))
    for y in (-down, down):
        for x in (-right, right):
            moved = images.index_select(-2, _mirrored(height, y, images.device))
            yield moved.index_select(-1, _mirrored(width, x, images.device))


def _mirrored(side: int, by: int, device: torch.device) -> Tensor:
    """Which row or column each place shows once moved: 2, 1, 0, 1, 2 around the first."""
    if side == 1:
        return torch.zeros(1, dtype=torch.int64, device=device)
    places = torch.arange(side, device=device) + by
    around = places.remainder(2 * (side - 1))
    return torch.minimum(around, 2 * (side - 1) - around)
