"""Training and evaluation mode, which looking at a network must leave as they were."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def kept_modes(*networks: nn.Module) -> Iterator[None]:
    """Within it the mode may be set; afterward every module is in the mode that it was in.

    Example:
        >>> network = nn.Sequential(nn.Dropout(), nn.ReLU().eval())
        >>> with kept_modes(network):
        ...     inside = network.eval()
        >>> [module.training for module in network]
        [True, False]
    """
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
