"""What normalizes over a batch, and what it learns of one beside its weights."""

from collections.abc import Iterator

from torch import Tensor, nn


def normalizes_over_batch(network: nn.Module) -> bool:
    """Whether a network has batch normalization, learning or not.

    Example:
        >>> normalizes_over_batch(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)))
        True
    """
    return any(True for _ in _batch_norms(network))


def batch_norm_learns(network: nn.Module) -> bool:
    """Whether a weight of batch normalization is among those that learn."""
    return any(p.requires_grad for norm in _batch_norms(network) for p in norm.parameters())


def fewest_images(network: nn.Module) -> int:
    """Images that a network learns from at once at the least, in the mode that it is in.

    Returns:
        2 where batch normalization is in training mode, for one image may have no variance; else 1.
    """
    return 2 if any(norm.training for norm in _batch_norms(network)) else 1


def running_statistics(network: nn.Module) -> Iterator[Tensor]:
    """Means and variances that normalization in training mode keeps up, themselves."""
    for norm in _keeping_statistics(network):
        for name, statistic in norm.named_buffers(recurse=False):
            if name in {"running_mean", "running_var"}:
                yield statistic


def measurable_norms(network: nn.Module) -> list[nn.Module]:
    """Normalization in training mode whose running statistics can be measured again.

    Returns:
        Modules that keep a mean and a variance with a ``momentum``, as torch's own do.
    """
    return [
        norm
        for norm in _keeping_statistics(network)
        if isinstance(getattr(norm, "running_var", None), Tensor) and hasattr(norm, "momentum")
    ]


def copied_statistics(network: nn.Module) -> dict[Tensor, Tensor]:
    """A copy of all that normalization in training mode keeps up, the count of batches included.

    Returns:
        Each copy by the tensor that it is of, so that this can be put back.
    """
    return {
        statistic: statistic.clone()
        for norm in _keeping_statistics(network)
        for statistic in norm.buffers(recurse=False)
    }


def _batch_norms(network: nn.Module) -> Iterator[nn.Module]:
    kinds = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d
    return (module for module in network.modules() if isinstance(module, kinds))


def _keeping_statistics(network: nn.Module) -> Iterator[nn.Module]:
    """Told by what they keep, not by their kind: a user's own normalization is one too."""
    for module in network.modules():
        if module.training and isinstance(getattr(module, "running_mean", None), Tensor):
            yield module
