"""What makes one step of the shares of a batch that several processes have worked on."""

import torch
from torch import Tensor, nn

from convlens.core.batch_norm import running_statistics
from convlens.core.distributed import Ranks


def shared_step(network: nn.Module, figures: Tensor, *, samples: int, ranks: Ranks) -> Tensor:
    """Give every process the sum of all gradients, and the same statistics, in one message.

    What batch normalization has learned of a batch becomes the mean over the processes, each
    counting as its samples do: all of them have one network, at the end of every step.

    Args:
        network: its gradients and running statistics are changed in place.
        figures: (N,) what else is to be summed.
        samples: this process's share of the batch; it may be 0, and its gradients None.
        ranks: the processes.

    Returns:
        (N,) the sums of the figures.
    """
    if ranks.world_size == 1:
        return figures
    learning = [p for p in network.parameters() if p.requires_grad]
    statistics = [*running_statistics(network)]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in learning]
    used = [p.grad is not None for p in learning]
    parts = [
        *gradients,
        *(statistic * samples for statistic in statistics),
        torch.tensor([samples, *used], device=figures.device),
        figures,
    ]
    whole = ranks.all_reduce(torch.cat([part.reshape(-1).to(learning[0].dtype) for part in parts]))
    sums: tuple[Tensor, ...] = whole.split([part.numel() for part in parts])
    everyone, *used = sums[-2].tolist()
    for parameter, gradient, total, anywhere in zip(learning, gradients, sums, used, strict=False):
        gradient.copy_(total.view_as(gradient))
        # A weight that no process has used is none that the optimizer may decay.
        parameter.grad = gradient if anywhere else None
    for statistic, total in zip(statistics, sums[len(learning) :], strict=False):
        statistic.copy_((total / everyone).view_as(statistic))
    return sums[-1]
