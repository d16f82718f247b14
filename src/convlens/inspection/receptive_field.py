"""Receptive fields: which pixels of the input a unit of a feature map can see.

Along one axis, the units of a map see windows of the same size, a fixed number of pixels (the jump)
apart. A window of kernel k and stride s over such a map gives ``size + (k - 1) * jump`` and
``jump * s``; where branches meet, a unit sees what it sees through any of them.
Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks",
Distill 2019, equations 1 to 4 and the section on arbitrary computation graphs.
"""

from dataclasses import dataclass, replace
from typing import Self

Dims = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Axis:
    """What the units along one axis of a map see of the input along that axis.

    Pixels of padding count, so that the figures do not depend on the input's size.

    Attributes:
        start: the first pixel that the first unit sees; negative inside the padding.
        size: pixels that a unit sees.
        jump: pixels from one unit's field to the next; None where it varies, or where there is one
            unit alone.
        end: one past the last pixel that the last unit sees.
        whole: whether every unit sees all of it, as behind a global pool.

    Example:
        >>> pixels = Axis.of_input(28)
        >>> pixels.window(kernel=3, stride=2, before=1, dilation=1, count=14)
        Axis(start=-1, size=3, jump=2, end=28, whole=False)
    """

    start: int
    size: int
    jump: int | None
    end: int
    whole: bool = False

    @classmethod
    def of_input(cls, side: int) -> Self:
        """The pixels themselves: each sees itself."""
        return cls(0, 1, 1, side)

    def window(
        self, *, kernel: int, stride: int, before: int, dilation: int, count: int
    ) -> "Axis | None":
        """Behind a window sliding over the map; None where the fields are too irregular to say.

        Args:
            kernel: cells of the window.
            stride: units from one stop to the next.
            before: units of padding before the first.
            dilation: units from one cell to the next.
            count: stops.
        """
        if self.whole:
            return replace(self, jump=None if self.jump is None else self.jump * stride)
        if self.jump is None:
            return None
        start = self.start - before * self.jump
        size = self.size + (kernel - 1) * dilation * self.jump
        jump = self.jump * stride
        return Axis(start, size, jump, start + (count - 1) * jump + size)

    def padded(self, before: int, after: int) -> "Axis | None":
        """With units of padding around the map."""
        if self.whole:
            return self
        if self.jump is None:
            return self if before == after == 0 else None
        return replace(
            self, start=self.start - before * self.jump, end=self.end + after * self.jump
        )

    def adaptive(self, side: int, count: int) -> "Axis | None":
        """Behind an adaptive pool from ``side`` units to ``count``."""
        if self.whole or side == count:
            return self
        if count == 1:
            return self.gathered()
        if side % count == 0:
            kernel = side // count
            return self.window(kernel=kernel, stride=kernel, before=0, dilation=1, count=count)
        if self.jump is None:
            return None
        kernel = max(-(-(i + 1) * side // count) - i * side // count for i in range(count))
        return replace(self, size=self.size + (kernel - 1) * self.jump, jump=None)

    def gathered(self) -> "Axis":
        """Behind something that reads all units at once, such as a dense layer."""
        return Axis(self.start, self.end - self.start, None, self.end, whole=True)

    def joined(self, other: "Axis") -> "Axis | None":
        """Where two maps of the same shape meet: each unit sees what it sees through either."""
        start, end = min(self.start, other.start), max(self.end, other.end)
        if self.whole or other.whole:
            jump = self.jump if self.jump is not None else other.jump
            return Axis(start, end - start, jump, end, whole=True)
        if self.jump is None or self.jump != other.jump:
            return None
        size = max(self.start + self.size, other.start + other.size) - start
        return Axis(start, size, self.jump, end)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the units of a tensor see of the image.

    Attributes:
        axes: down and across; None where it is not known.
        dims: which of the tensor's dimensions run down and across, counted from the end; None
            where the map has been flattened into a vector.
    """

    axes: tuple[Axis, Axis] | None
    dims: Dims | None = (-2, -1)

    @classmethod
    def of_image(cls, height: int, width: int) -> Self:
        """The image itself."""
        return cls((Axis.of_input(height), Axis.of_input(width)))

    def with_axes(self, height: Axis | None, width: Axis | None) -> "Seen":
        """The same places with other fields; unknown where either is."""
        return UNKNOWN if height is None or width is None else replace(self, axes=(height, width))

    def gathered(self, *, dims: Dims | None = None) -> "Seen":
        """Behind something that reads the whole map at once."""
        if self.axes is None:
            return UNKNOWN
        return Seen((self.axes[0].gathered(), self.axes[1].gathered()), dims)

    def joined(self, other: "Seen") -> "Seen":
        """Where two tensors meet, unit by unit or by broadcasting."""
        if self.axes is None or other.axes is None:
            return UNKNOWN
        if self.dims != other.dims:
            return UNKNOWN
        height, width = (a.joined(b) for a, b in zip(self.axes, other.axes, strict=True))
        return self.with_axes(height, width)


UNKNOWN = Seen(None, None)
"""On the way from the image, but nobody knows which pixels are seen."""
