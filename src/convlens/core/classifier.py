"""Every network is stages and a head."""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from convlens.core.input_spec import InputSpec


class Normalize(nn.Module):
    """Pixels in [0, 1] to (pixels - mean) / std, a channel at a time; uint8 is scaled first.

    The constants are non-persistent buffers: they come from the `InputSpec`, never from weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, input_spec: InputSpec) -> None:
        super().__init__()
        shape = (1, input_spec.channels, 1, 1)
        self.register_buffer("mean", torch.tensor(input_spec.mean).view(shape), persistent=False)
        self.register_buffer("std", torch.tensor(input_spec.std).view(shape), persistent=False)
        self.identity = set(input_spec.mean) == {0.0} and set(input_spec.std) == {1.0}

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W, uint8 or float in [0, 1], to the same shape, normalized."""
        if x.dtype == torch.uint8:
            x = x.to(self.mean.dtype).div_(255)
        return x if self.identity else (x - self.mean) / self.std


class Classifier(nn.Module):
    """A convolutional network as named stages and a head: ``forward(x)`` is ``head(stages(x))``.

    Args:
        stages: the stages by name, first to last; a normalizing stage is put before them.
        head: from the last stage's feature map (pooling or flatten first) to logits.
        input_spec: what the network is fed.

    Attributes:
        frozen_by_code: names of the parameters that came with ``requires_grad`` off: whoever wrote
            the network wants them left as they are.

    Example:
        >>> from torch import nn
        >>> spec = InputSpec(height=8, width=8, channels=1)
        >>> stages = {"block1": nn.Conv2d(1, 4, 3)}
        >>> net = Classifier(stages, nn.Sequential(nn.Flatten(), nn.Linear(144, 10)), spec)
        >>> net(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 10])
    """

    def __init__(
        self, stages: Mapping[str, nn.Module], head: nn.Module, input_spec: InputSpec
    ) -> None:
        super().__init__()
        self.input_spec = input_spec
        named = OrderedDict[str, nn.Module](normalize=Normalize(input_spec))
        self.stages = nn.Sequential(named | OrderedDict(stages))
        self.head = head
        self.frozen_by_code = frozenset(
            name for name, parameter in self.named_parameters() if not parameter.requires_grad
        )

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W pixels (uint8, or float in [0, 1]) to N×K logits."""
        logits: Tensor = self.head(self.stages(x))
        return logits


def class_logits(logits: Tensor) -> Tensor:
    """One logit a class, whatever the head: what a softmax makes probabilities of.

    A network for two classes may have a single output z, the logit of the second class; then
    (-z/2, z/2), whose softmax is (1 - sigmoid(z), sigmoid(z)).

    Args:
        logits: N×K, or N×1 for two classes.

    Returns:
        N×K, K at least 2 unless the network knows but one class.

    Example:
        >>> class_logits(torch.tensor([[2.0]])).softmax(1)[:, 1] == torch.sigmoid(torch.tensor(2.0))
        tensor([True])
    """
    return torch.cat([-logits / 2, logits / 2], dim=1) if logits.shape[1] == 1 else logits


def tail(classifier: Classifier, stages: int) -> nn.Sequential:
    """What comes after the first stages: it takes their feature map, and gives logits.

    Args:
        classifier: the network.
        stages: how many are left out, the normalizing one included.

    Returns:
        A module that shares the classifier's own modules, under the names they have there: what
        is learned in one is learned in the other.

    Example:
        >>> spec = InputSpec(height=8, width=8, channels=1)
        >>> net = Classifier({"block1": nn.Conv2d(1, 4, 3)}, nn.Flatten(), spec)
        >>> [name for name, _ in tail(net, 1).named_parameters()]
        ['stages.block1.weight', 'stages.block1.bias']
    """
    return nn.Sequential(OrderedDict(stages=classifier.stages[stages:], head=classifier.head))
