"""Modules of every kind: the trace works on whatever runs."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm

from convlens.inspection import trace


class Made(nn.Module):
    """A module from a forward function and its children."""

    def __init__(self, forward, **children):
        super().__init__()
        self.function = forward
        for name, child in children.items():
            setattr(self, name, child)

    def forward(self, x):
        return self.function(self, x)


def names(found):
    return [layer.name for layer in found.layers]


def test_functions_in_forward_become_rows():
    net = Made(
        lambda m, x: m.fc(torch.flatten(F.max_pool2d(F.relu(m.conv(x)), 2), 1)),
        conv=nn.Conv2d(1, 4, 3),
        fc=nn.Linear(4 * 3 * 3, 5),
    )
    found = trace(net, (1, 8, 8))
    assert names(found) == ["conv", "max_pool2d", "flatten", "fc"]
    assert found.layers[1].formula == "(6 − 2 + 2·0)/2 + 1 = 3"
    assert found.layers[2].output_shape == (36,)
    assert found.layers[3].receptive_field == 4 + 2 * 2


def test_padding_and_convolution_written_out_are_one_sum():
    net = Made(
        lambda m, x: m.act(F.conv2d(F.pad(x, (0, 1, 0, 1)), m.weight, stride=2)),
        weight=nn.Parameter(torch.zeros(2, 1, 3, 3)),
        act=nn.ReLU(),
    )
    found = trace(net, (1, 8, 8))
    assert [layer.name for layer in found.layers] == ["conv2d", "act"]
    assert found.layers[0].formula == "(8 − 3 + 0 + 1)/2 + 1 = 4"
    assert found.layers[0].parameters == 18


def test_a_module_that_runs_twice_counts_its_parameters_once():
    conv = nn.Conv2d(3, 3, 3, padding=1)
    found = trace(nn.Sequential(conv, nn.ReLU(), conv), (3, 8, 8))
    assert names(found) == ["0", "1", "0#2"]
    assert [layer.parameters for layer in found.layers] == [84, 0, 0]
    assert found.layers[0].macs == found.layers[2].macs > 0
    assert found.parameters == 84


def test_tied_weights_count_once():
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    found = trace(nn.Sequential(nn.Flatten(), first, second), (1, 2, 2))
    assert [layer.parameters for layer in found.layers] == [0, 16, 0]
    assert found.parameters == 16


def test_parameters_that_take_no_part_are_told():
    net = Made(lambda m, x: m.conv(x), conv=nn.Conv2d(1, 1, 1), spare=nn.Linear(3, 4))
    found = trace(net, (1, 4, 4))
    assert found.parameters == 2 + 16
    assert found.notes == ("16 parameters are not used when an image is classified",)


def test_squeeze_and_excitation_sees_everything():
    net = Made(
        lambda m, x: (y := m.conv(x)) * m.gate(y),
        conv=nn.Conv2d(3, 4, 3, 2, 1),
        gate=nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(4, 4, 1), nn.Sigmoid()),
    )
    found = trace(nn.Sequential(net, nn.Conv2d(4, 4, 3)), (3, 16, 16))
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["0.conv"].receptive_field == 3
    assert by_name["0.gate.0"].formula == "mean of 8×8"
    assert by_name["0.gate.0"].receptive_field == 3 + 7 * 2
    assert (by_name["1"].receptive_field, by_name["1"].jump) == (17, 2)


def test_joined_channels():
    net = Made(
        lambda m, x: m.last(torch.cat([m.a(x), m.b(x)], 1)),
        a=nn.Conv2d(3, 4, 1),
        b=nn.Conv2d(3, 8, 5, padding=2),
        last=nn.Conv2d(12, 2, 3),
    )
    found = trace(net, (3, 9, 9))
    joined = found.layers[2]
    assert (joined.name, joined.formula) == ("cat", "4 + 8 = 12 channels")
    assert joined.receptive_field == 5
    assert found.receptive_field == 7


def test_grouped_dilated_and_transposed_convolutions():
    shuffle = Made(lambda m, x: x.view(-1, 2, 3, *x.shape[2:]).transpose(1, 2).flatten(1, 2))
    net = nn.Sequential(
        nn.Conv2d(6, 6, 3, groups=6), shuffle, nn.Conv2d(6, 8, 3, dilation=2, groups=2)
    )
    found = trace(net, (6, 12, 12))
    assert found.receptive_field == 1 + 2 + 4
    assert [layer.macs for layer in found.layers] == [10 * 10 * 6 * 9, 0, 6 * 6 * 8 * 9 * 3]
    up = trace(nn.ConvTranspose2d(4, 2, 3, stride=2), (4, 5, 5))
    assert up.output_shape == (2, 11, 11)
    assert up.macs == 4 * 5 * 5 * 2 * 9
    assert up.receptive_field is None
    assert up.layers[0].formula == "5×5×4 → 11×11×2"


def test_channels_last_inside_as_in_convnext():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 8, 7, padding=3, groups=8)
            self.norm = nn.LayerNorm(8)
            self.up, self.down = nn.Linear(8, 32), nn.Linear(32, 8)
            self.scale = nn.Parameter(torch.ones(8))

        def forward(self, x):
            y = self.norm(self.conv(x).permute(0, 2, 3, 1))
            y = self.scale * self.down(F.gelu(self.up(y)))
            return x + y.permute(0, 3, 1, 2)

    found = trace(nn.Sequential(Block(), Block()), (8, 16, 16))
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["0.up"].output_shape == (32, 16, 16)
    assert by_name["0.up"].macs == 16 * 16 * 8 * 32
    assert by_name["0.mul"].parameters == 8
    assert [by_name[f"{i}.add"].receptive_field for i in (0, 1)] == [7, 13]
    assert sum(layer.parameters for layer in found.layers) == found.parameters


def test_attention_is_one_row_and_its_field_is_not_claimed():
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.patch = nn.Conv2d(3, 8, 4, 4)
            self.position = nn.Parameter(torch.zeros(16, 8))
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2) + self.position
            return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))

    found = trace(Tokens(), (3, 16, 16))
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["attention"].output_shape == (16, 8)
    assert by_name["attention"].parameters == 4 * 8 * 8 + 4 * 8
    assert by_name["attention"].macs == 4 * 16 * 8 * 8 + 2 * 16 * 16 * 8
    assert by_name["attention"].receptive_field is None
    assert sum(layer.parameters for layer in found.layers) == found.parameters


def test_recurrent_rows():
    net = Made(
        lambda m, x: m.lstm(x.flatten(1, 2))[0],
        lstm=nn.LSTM(8, 4, batch_first=True),
    )
    found = trace(net, (1, 8, 8))
    assert names(found) == ["lstm"]
    assert found.output_shape == (8, 4)
    assert sum(layer.parameters for layer in found.layers) == found.parameters


def test_parametrized_weights_belong_to_their_layer():
    class Symmetric(nn.Module):
        def forward(self, weight):
            return (weight + weight.flip(-1)) / 2

    conv = nn.Conv2d(1, 4, 3)
    parametrize.register_parametrization(conv, "weight", Symmetric())
    found = trace(nn.Sequential(conv, weight_norm(nn.Conv2d(4, 4, 3))), (1, 9, 9))
    assert names(found) == ["0", "1"]
    assert [layer.parameters for layer in found.layers] == [40, 4 * 4 * 9 + 4 + 4]


def test_lazy_modules_stay_lazy():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5))
    found = trace(net, (1, 6, 6))
    assert [layer.parameters for layer in found.layers] == [40, 0, 325]
    assert found.parameters == 365
    assert isinstance(net[0], nn.LazyConv2d)


def test_a_forward_that_needs_numbers_runs_on_its_own_device():
    def forward(m, x):
        y = m.conv(x)
        return m.head(y.mean((2, 3)) * (2 if float(y.sum()) > 0 else 1))

    found = trace(Made(forward, conv=nn.Conv2d(1, 4, 3), head=nn.Linear(4, 2)), (1, 8, 8))
    assert names(found) == ["conv", "mean", "head"]
    assert found.layers[1].formula == "mean of 6×6"


def test_numbers_that_leave_torch_and_come_back():
    away = Made(lambda m, x: torch.from_numpy(x.numpy() * 2))
    found = trace(nn.Sequential(nn.Conv2d(1, 2, 3), away, nn.Conv2d(2, 3, 3)), (1, 8, 8))
    assert names(found) == ["0", "1", "2"]
    assert found.receptive_field is None
    assert found.parameters == sum(layer.parameters for layer in found.layers)


def test_writing_into_a_tensor_of_its_own():
    def forward(m, x):
        y = torch.zeros_like(x)
        y[:, :, 1:] = x[:, :, :-1]
        return m.conv(y)

    found = trace(Made(forward, conv=nn.Conv2d(2, 3, 3)), (2, 8, 8))
    assert names(found) == ["conv"]
    assert found.receptive_field is None


def test_structured_outputs():
    net = Made(lambda m, x: {"logits": m.head(x.flatten(1)), "x": x}, head=nn.Linear(16, 3))
    assert trace(net, (1, 4, 4)).layers[-1].output_shape == (3,)


def test_a_failure_that_is_forgiven():
    def forward(m, x):
        try:
            return m.large(x)
        except RuntimeError:
            return m.small(x)

    net = Made(forward, large=nn.Conv2d(1, 2, 9), small=nn.Conv2d(1, 2, 3))
    assert names(trace(net, (1, 5, 5))) == ["small"]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_scripted_modules():
    scripted = torch.jit.trace(
        nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU()), torch.zeros(1, 1, 8, 8)
    )
    found = trace(nn.Sequential(scripted, nn.Flatten(), nn.Linear(144, 2)), (1, 8, 8))
    assert found.output_shape == (2,)
    assert found.parameters == 40 + 290


def test_half_precision_halves_the_memory():
    def bytes_of(module):
        return trace(module, (1, 8, 8)).activation_bytes

    assert bytes_of(nn.Conv2d(1, 4, 3).half()) * 2 == bytes_of(nn.Conv2d(1, 4, 3))


def test_in_place_and_idle_layers_take_no_memory():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True), nn.Dropout(), nn.Identity())
    found = trace(net, (1, 8, 8))
    assert names(found) == ["0", "1", "2"]
    assert [layer.activation_bytes for layer in found.layers] == [4 * 36 * 4, 0, 0]


@pytest.mark.parametrize("module", [nn.Identity(), nn.Sequential()])
def test_nothing_at_all(module):
    found = trace(module, (1, 4, 5))
    assert (found.layers, found.output_shape, found.macs) == ((), (1, 4, 5), 0)
