"""Move an image pixel by pixel: do the feature maps follow, and does the answer hold?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.inspection.recording import Pixels, as_input, as_maps, chosen_layers, record
from convlens.inspection.trace import trace

Axis: TypeAlias = Literal["x", "y"]
_AT_ONCE = 8


@dataclass(frozen=True)
class Following:
    """One layer while the image moves.

    Attributes:
        layer: its name.
        channel: the channel shown, the one that varies most over the unmoved image.
        maps: S×h×w float32, that channel at every offset.
        agreement: (S,) cosine similarity, over all channels, of the moved image's maps with the
            unmoved image's maps moved along, where both are known: 1 where the maps follow exactly;
            NaN where nothing can be compared.
    """

    layer: str
    channel: int
    maps: NDArray[np.float32]
    agreement: NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """An image moved pixel by pixel along one axis.

    Attributes:
        axis: ``"x"`` (to the right) or ``"y"`` (down).
        offsets: (S,) pixels, from -reach to reach.
        pixels: S×H×W×C uint8, the moved images; the border's own pixels fill what opens up.
        logits: S×K float32.
        layers: how each layer follows.
    """

    axis: Axis
    offsets: NDArray[np.int64]
    pixels: Pixels
    logits: NDArray[np.float32]
    layers: tuple[Following, ...]


def shift(
    classifier: Classifier,
    pixels: Pixels,
    *,
    reach: int,
    axis: Axis = "x",
    layers: Sequence[str] = (),
) -> Shift:
    """Move one image pixel by pixel, and watch feature maps and logits.

    A convolution's maps move with the image exactly; after a stride or a pool of s they can only
    move in steps of s pixels, so that the answer wavers in between (Zhang, "Making convolutional
    networks shift-invariant again", ICML 2019, section 3).

    Args:
        classifier: run in eval mode, and left as it was.
        pixels: uint8 H×W×C, as decoded for the network.
        reach: how many pixels to go either way, less than the image's side.
        axis: ``"x"`` moves to the right, ``"y"`` down.
        layers: whose maps to watch; every stage unless given.

    Raises:
        ConvlensError: the reach is out of range, a layer is unknown, or the image does not fit.
    """
    along = 1 if axis == "x" else 0
    side = pixels.shape[along]
    if not 1 <= reach < side:
        raise ConvlensError(
            f"the image is to move by {reach} pixels; expected 1 to {side - 1}", code="bad-reach"
        )
    names = chosen_layers(classifier, layers)
    offsets = np.arange(-reach, reach + 1)
    moved = np.stack([move(pixels, int(offset), axis) for offset in offsets])
    _, still = _maps(classifier, pixels[None], names)
    jumps = _jumps(classifier, names)
    watched = {name: _Watched(still[name][0], jumps[name], axis) for name in names}
    logits = []
    for start in range(0, len(offsets), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        answers, maps = _maps(classifier, moved[some], names)
        logits.append(answers)
        for name in names:
            watched[name].add(offsets[some], maps[name])
    followings = tuple(watched[name].following(name) for name in names)
    return Shift(axis, offsets, moved, np.concatenate(logits), followings)


def move(pixels: Pixels, offset: int, axis: Axis) -> Pixels:
    """The image moved by whole pixels, its border's own pixels filling what opens up.

    Example:
        >>> move(np.array([[[1], [2], [3]]], np.uint8), 1, "x")[0, :, 0].tolist()
        [1, 1, 2]
    """
    along = 1 if axis == "x" else 0
    side = pixels.shape[along]
    return pixels.take(np.clip(np.arange(side) - offset, 0, side - 1), axis=along)


def follows(
    still: NDArray[np.float32], moved: NDArray[np.float32], step: float, axis: Axis
) -> float:
    """Cosine similarity of ``moved`` with ``still`` moved along, where both are known.

    Args:
        still: C×h×w, the maps of the unmoved image.
        moved: C×h×w, the maps of the moved image.
        step: how far the maps should have moved, in their own pixels; fractions are interpolated.
        axis: along which.

    Returns:
        1 where they agree, 0 where they have nothing in common; NaN where nothing is left to
        compare, or all of it is 0.
    """
    along = 2 if axis == "x" else 1
    side = still.shape[along]
    source = np.arange(side) - step
    inside = np.flatnonzero((source >= 0) & (source <= side - 1))
    before = np.floor(source[inside]).astype(int)
    after = np.minimum(before + 1, side - 1)
    shape = [1, 1, 1]
    shape[along] = -1
    part = (source[inside] - before).reshape(shape)
    expected = still.take(before, along) * (1 - part) + still.take(after, along) * part
    found = moved.take(inside, along).astype(np.float64)
    scale = np.sqrt((expected**2).sum() * (found**2).sum())
    return float((expected * found).sum() / scale) if scale > 0 else math.nan


class _Watched:
    """What is kept of one layer while the image moves."""

    def __init__(self, still: NDArray[np.float32], jump: int | None, axis: Axis) -> None:
        self._still = still
        self._jump = jump
        self._axis = axis
        self._channel = int(still.std(axis=(1, 2)).argmax())
        self._shown: list[NDArray[np.float32]] = []
        self._agreement: list[float] = []

    def add(self, offsets: NDArray[np.int64], maps: NDArray[np.float32]) -> None:
        self._shown.append(maps[:, self._channel])
        for offset, moved in zip(offsets, maps, strict=True):
            step = math.nan if self._jump is None else offset / self._jump
            self._agreement.append(follows(self._still, moved, step, self._axis))

    def following(self, layer: str) -> Following:
        maps = np.concatenate(self._shown)
        return Following(layer, self._channel, maps, np.array(self._agreement))


def _jumps(classifier: Classifier, names: Sequence[str]) -> dict[str, int | None]:
    """Pixels between neighboring units of each layer, read off its last row in the trace."""
    rows = trace(classifier, classifier.input_spec.shape).layers
    return {
        name: next(
            (row.jump for row in reversed(rows) if f"{row.name}.".startswith(f"{name}.")), None
        )
        for name in names
    }


def _maps(
    classifier: Classifier, pixels: Pixels, names: Sequence[str]
) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float32]]]:
    x = as_input(classifier, pixels)
    logits, outputs = record(classifier, x, names)
    return logits.float().cpu().numpy(), {n: as_maps(n, outputs[n]) for n in names}
