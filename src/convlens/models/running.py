"""Which module of a network is running: to say where the code of a user's own broke off."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import nn


class Running:
    """The modules that are running, outermost first; the network itself is not named.

    Attributes:
        names: their paths.
        kinds: their classes' names.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.kinds: list[str] = []

    def describe(self) -> str:
        """The innermost one, such as ``" in 'features.1' (Conv2d)"``; empty where none runs."""
        return f" in '{self.names[-1]}' ({self.kinds[-1]})" if self.names else ""


@contextmanager
def watched_modules(network: nn.Module) -> Iterator[Running]:
    """Within it, what runs of a network is known; after an error it is what ran last.

    Args:
        network: hooks are put on its modules, and taken off again.
    """
    running = Running()

    def entering(name: str) -> Callable[..., None]:
        def enter(module: nn.Module, _: object) -> None:
            running.names.append(name)
            running.kinds.append(type(module).__name__)

        return enter

    def leave(*_: object) -> None:
        running.names.pop()
        running.kinds.pop()

    hooks = []
    for name, module in network.named_modules():
        if name:
            hooks.append(module.register_forward_pre_hook(entering(name)))
            hooks.append(module.register_forward_hook(leave))
    try:
        yield running
    finally:
        for hook in hooks:
            hook.remove()
