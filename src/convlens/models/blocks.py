"""What the families are built from: convolution blocks, residual blocks, and first draws.

Every use of an activation is a module of its own, and none works in place: a picture of the feature
maps before it stays what it was.
"""

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def conv_norm(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """A convolution without bias and its batch normalization; symmetric padding of kernel // 2.

    The bias is left out because the normalization subtracts it again.
    """
    conv = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=kernel // 2, groups=groups, bias=False
    )
    return nn.Sequential(OrderedDict(conv=conv, norm=nn.BatchNorm2d(outputs)))


class Residual(nn.Module):
    """Layers that keep the shape, and the way around them: ``F(x) + x``.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 3.2.

    Args:
        layers: F.
    """

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        """N×C×H×W to the same shape."""
        out: Tensor = self.layers(x) + x
        return out


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and the way around them: ``relu(F(x) + x)``.

    Where the shape changes, the way around is a 1×1 convolution (option B).
    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figures 2 and 5
    and section 3.3.

    Args:
        inputs: channels in.
        width: channels of the convolutions, and out.
        stride: of the first convolution.
    """

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = conv_norm(inputs, width, 3, stride=stride)
        self.conv1_relu = nn.ReLU()
        self.conv2 = conv_norm(width, width, 3)
        self.shortcut = _shortcut(inputs, width, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """N×inputs×H×W to N×width×⌈H/stride⌉×⌈W/stride⌉."""
        residual = self.conv2(self.conv1_relu(self.conv1(x)))
        out: Tensor = self.relu(residual + self.shortcut(x))
        return out


class Bottleneck(nn.Module):
    """A 1×1 convolution that narrows, a 3×3, a 1×1 that widens, and the way around them.

    The stride is on the 3×3 convolution, as in the published weights ("ResNet v1.5"); the paper
    has it on the first 1×1.
    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, figure 5.

    Args:
        inputs: channels in.
        width: channels of the 3×3 convolution; four times as many come out.
        stride: of the 3×3 convolution.
    """

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__()
        outputs = width * self.expansion
        self.conv1 = conv_norm(inputs, width, 1)
        self.conv1_relu = nn.ReLU()
        self.conv2 = conv_norm(width, width, 3, stride=stride)
        self.conv2_relu = nn.ReLU()
        self.conv3 = conv_norm(width, outputs, 1)
        self.shortcut = _shortcut(inputs, outputs, stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """N×inputs×H×W to N×(4·width)×⌈H/stride⌉×⌈W/stride⌉."""
        residual = self.conv1_relu(self.conv1(x))
        residual = self.conv3(self.conv2_relu(self.conv2(residual)))
        out: Tensor = self.relu(residual + self.shortcut(x))
        return out


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return conv_norm(inputs, outputs, 1, stride=stride)


def draw_he(module: nn.Module) -> None:
    """Draw first weights for rectified activations, in place.

    Convolutions and dense layers: normal with variance 2 / fan, over the outputs for convolutions
    and the inputs for dense layers; biases 0; normalization 1 and 0.
    Source: He et al., "Delving Deep into Rectifiers", ICCV 2015, equations 10 and 14.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
    _start_the_rest(module)


def draw_glorot(module: nn.Module) -> None:
    """Draw first weights for tanh, in place: uniform with variance 2 / (fan in + fan out).

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", AISTATS 2010, equation 16.
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
    _start_the_rest(module)


def draw_closing(head: nn.Module) -> None:
    """Draw a head's last dense layer near zero, so that the first loss is close to ln K."""
    dense = [layer for layer in head.modules() if isinstance(layer, nn.Linear)]
    if dense:
        nn.init.normal_(dense[-1].weight, std=0.01)


def _start_the_rest(module: nn.Module) -> None:
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)


def output_shape(module: nn.Module, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that comes out for one sample of the given shape, without computing a value."""
    on_meta = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }
    training = module.training
    module.eval()
    try:
        sample = torch.empty((1, *shape), device="meta")
        out: Tensor = torch.func.functional_call(module, on_meta, (sample,))
    finally:
        module.train(training)
    return tuple(out.shape[1:])


def named(**layers: nn.Module) -> nn.Sequential:
    """Layers in sequence, each under its name."""
    return nn.Sequential(OrderedDict(layers))


def renamed(key: str, modules: Mapping[str, str]) -> str:
    """A parameter's name with its module's name replaced.

    Example:
        >>> renamed("features.0.weight", {"features.0": "stages.block1.conv"})
        'stages.block1.conv.weight'
    """
    module, _, parameter = key.rpartition(".")
    return f"{modules.get(module, module)}.{parameter}"
