"""How an output's shape follows, written out as sums."""

from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A window sliding along one axis of a map.

    Attributes:
        side: units of the map, without padding.
        kernel: cells of the window.
        stride: units from one stop to the next.
        before: units of padding before the map.
        after: units of padding behind it.
        dilation: units from one cell to the next.
        round_up: whether a last stop that is only partly filled counts.
    """

    side: int
    kernel: int
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    round_up: bool = False

    @property
    def reach(self) -> int:
        """Units that the window spans, the gaps of the dilation included."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def room(self) -> int:
        """How far the window can travel; negative where it does not fit."""
        return self.side + self.before + self.after - self.reach

    @property
    def count(self) -> int:
        """Stops, the output's side."""
        if not self.round_up:
            return self.room // self.stride + 1
        count = -(-self.room // self.stride) + 1
        # PyTorch drops a last stop that would begin behind the map.
        return count - ((count - 1) * self.stride >= self.side + self.before)

    def formula(self) -> str:
        """The sum of one axis.

        Example:
            >>> Window(28, 3).formula(), Window(26, 3, 2, 0, 1).formula()
            ('(28 − 3 + 2·0)/1 + 1 = 26', '(26 − 3 + 0 + 1)/2 + 1 = 13')
            >>> Window(13, 2, 2).formula(), Window(13, 2, 2, round_up=True).formula()
            ('⌊(13 − 2 + 2·0)/2⌋ + 1 = 6', '⌈(13 − 2 + 2·0)/2⌉ + 1 = 7')
        """
        symmetric = self.before == self.after
        padding = f"2·{self.before}" if symmetric else f"{self.before} + {self.after}"
        quotient = f"({self.side} − {self.reach} + {padding})/{self.stride}"
        value = self.room // self.stride + 1
        if self.room % self.stride:
            left, right = "⌈⌉" if self.round_up else "⌊⌋"
            quotient = f"{left}{quotient}{right}"
            value += self.round_up
        # The dropped stop, where there is one, and what dilation makes of the kernel.
        dropped = f" − {value - self.count}" if value != self.count else ""
        spans = f", {self.reach} = {self.dilation}·({self.kernel} − 1) + 1"
        return f"{quotient} + 1{dropped} = {self.count}".replace("-", "−") + (
            spans if self.dilation > 1 else ""
        )


@dataclass(frozen=True, slots=True)
class Windows:
    """A window sliding over a map, down and across."""

    down: Window
    across: Window

    def formula(self) -> str:
        """The sum, once where both axes have the same."""
        return both_axes(self.down.formula(), self.across.formula())


@dataclass(frozen=True, slots=True)
class Padding:
    """Rows and columns put around a map; negative ones are cut off.

    Attributes:
        sides: the map's, down and across.
        before: above, and at the left.
        after: below, and at the right.
    """

    sides: tuple[int, int]
    before: tuple[int, int]
    after: tuple[int, int]

    def formula(self) -> str:
        """The sum.

        Example:
            >>> Padding((32, 32), (0, 0), (1, 1)).formula()
            '32 + 0 + 1 = 33'
        """
        down, across = (
            f"{side} + {before} + {after} = {side + before + after}"
            for side, before, after in zip(self.sides, self.before, self.after, strict=True)
        )
        return both_axes(down, across)

    def taken_in(self, windows: Windows) -> Windows:
        """The windows as they slide over the map before it was padded."""
        down, across = (
            replace(
                window,
                side=side,
                before=window.before + before,
                after=window.after + after,
            )
            for window, side, before, after in zip(
                (windows.down, windows.across), self.sides, self.before, self.after, strict=True
            )
        )
        return Windows(down, across)


What: TypeAlias = Windows | Padding | str
"""What an operation does to a shape; text where no sum tells it."""


def formula(done: What) -> str:
    """What is told of it."""
    return done if isinstance(done, str) else done.formula()


def both_axes(down: str, across: str) -> str:
    """One sum where both axes have the same, else both, height first."""
    return down if down == across else f"{down}; {across}"


def product(shape: Shape) -> str:
    """How a map becomes a vector, channels last.

    Example:
        >>> product((64, 3, 3))
        '3·3·64 = 576'
    """
    channels, *sides = shape
    return f"{'·'.join(map(str, (*sides, channels)))} = {prod(shape):,}"


def channels_last(shape: Shape) -> list[int]:
    """C×H×W as height, width, channels; a vector stays what it is.

    Example:
        >>> channels_last((16, 26, 28)), channels_last((576,))
        ([26, 28, 16], [576])
    """
    return [*shape[1:], shape[0]] if len(shape) == 3 else list(shape)


def shape_in_words(shape: Shape) -> str:
    """One image's shape as it is read aloud, height first.

    Example:
        >>> shape_in_words((16, 26, 26)), shape_in_words((25088,))
        ('26×26×16', '25,088')
    """
    return f"{shape[0]:,}" if len(shape) == 1 else "×".join(map(str, channels_last(shape)))
