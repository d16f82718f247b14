"""Where a backward pass breaks off: torch names neither module nor line, so it is repeated."""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

_REMEDIES = (
    (
        "modified by an inplace operation",
        "write x = x + 1 in place of x += 1, and leave inplace=True out",
    ),
    (
        "does not require grad",
        "let the logits be computed from the weights, without detach() or torch.no_grad()",
    ),
    (
        "backward through the graph a second time",
        "keep no tensor from one forward to the next; what has to be kept, keep with detach()",
    ),
)


@dataclass
class _Outputs:
    """What modules gave, and the version of each tensor then."""

    given: list[tuple[str, str, Tensor, int]] = field(default_factory=list)

    def changed(self) -> str:
        """The last module whose output was changed in place, in words; empty where none was."""
        found = [(n, k) for n, k, tensor, version in self.given if tensor._version != version]  # noqa: SLF001
        return f"what '{found[-1][0]}' ({found[-1][1]}) gave is changed in place" if found else ""


def backward_remedy(error: Exception) -> str:
    """What mends an error of a backward pass."""
    known = (remedy for sign, remedy in _REMEDIES if sign in str(error))
    return next(known, "run loss.backward() on it in Python to see more")


def blame_backward(network: nn.Module, step: Callable[[nn.Module], None], path: str) -> str:
    """Repeat a step whose backward pass has failed, and say where in the network that was.

    Args:
        network: to be repeated with; it changes.
        step: the forward and the backward pass.
        path: of the file with the user's code.

    Returns:
        In words, such as ``"'block' (Block), line 12"``; empty where it is not known.
    """
    with warnings.catch_warnings(record=True) as caught, _recorded(network) as outputs:
        warnings.simplefilter("always")
        try:
            with torch.autograd.detect_anomaly(check_nan=False):
                step(network)
        except Exception:  # noqa: BLE001, S110 - it is the one that is looked for
            pass
        changed = outputs.changed()
    lines = [
        int(line)
        for warning in caught
        for file, line in re.findall(r'File "(.+?)", line (\d+)', str(warning.message))
        if file == path
    ]
    if not lines:
        return changed
    name, kind = _module_of(network, path, lines[-1])
    return ", ".join(filter(None, [f"'{name}' ({kind})" if name else kind, f"line {lines[-1]}"]))


@contextmanager
def _recorded(network: nn.Module) -> Iterator[_Outputs]:
    found = _Outputs()

    def keeper(name: str) -> Callable[..., None]:
        def keep(module: nn.Module, _: object, output: object) -> None:
            if isinstance(output, Tensor):
                version = output._version  # noqa: SLF001 - what torch compares as well
                found.given.append((name, type(module).__name__, output, version))

        return keep

    hooks = [
        module.register_forward_hook(keeper(name))
        for name, module in network.named_modules()
        if not any(True for _ in module.children())
    ]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def _module_of(network: nn.Module, path: str, line: int) -> tuple[str, str]:
    """The module whose ``forward`` holds a line of the user's file, and its class."""
    for name, module in network.named_modules():
        code = getattr(type(module).forward, "__code__", None)
        if code is None or code.co_filename != path:
            continue
        last = max((at for _, _, at in code.co_lines() if at), default=0)
        if code.co_firstlineno <= line <= last:
            return name, type(module).__name__
    return "", ""
