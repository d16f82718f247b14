"""Which input sizes a network can work with, found by trying on the meta device."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from convlens.inspection.formulas import Shape
from convlens.inspection.forward_pass import Call, ForwardPass, attempt

_LARGEST = 1024


@dataclass(frozen=True)
class WorkingSize:
    """Tries square inputs from 1 to 1,024 pixels a side; nothing is computed but shapes.

    Args:
        module: the network.
        channels: of its input.
    """

    module: nn.Module
    channels: int

    def passing(self, layer: str) -> int | None:
        """The smallest side with which a layer runs; None where there is none.

        Args:
            layer: the module's path.
        """
        return self._smallest(lambda passed: _shape_given(passed, layer, ran=True) is not None)

    def giving(self, layer: str, numbers: int) -> str:
        """The sides with which vectors of just this length reach a layer.

        Args:
            layer: the module's path.
            numbers: the length.

        Returns:
            ``"28"``, or ``"26 to 29"``; empty where no side does.
        """

        def length(passed: ForwardPass) -> int:
            return (_shape_given(passed, layer, ran=False) or (0,))[-1]

        first = self._smallest(lambda passed: length(passed) >= numbers)
        if first is None or length(self._try(first)) != numbers:
            return ""
        beyond = self._smallest(lambda passed: length(passed) > numbers)
        last = first if beyond is None else beyond - 1
        return f"{first}" if last == first else f"{first} to {last}"

    def _smallest(self, works: Callable[[ForwardPass], bool]) -> int | None:
        low, high = 1, _LARGEST
        if not works(self._try(high)):
            return None
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if works(self._try(middle)) else (middle + 1, high)
        return high

    def _try(self, side: int) -> ForwardPass:
        return attempt(self.module, (2, self.channels, side, side))


def _shape_given(passed: ForwardPass, layer: str, *, ran: bool) -> Shape | None:
    """What reached a layer; None where nothing did, or it was to run and did not."""
    failed = passed.failure is not None and passed.failure.call.name == layer
    call = _find(passed.outermost, layer)
    return None if call is None or not call.given or (ran and failed) else call.given[0]


def _find(call: Call | None, name: str) -> Call | None:
    if call is None or call.name == name:
        return call
    inside = (event for event in call.events if isinstance(event, Call))
    return next((found for child in inside if (found := _find(child, name))), None)
