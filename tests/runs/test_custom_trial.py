"""A network of the user's own is tried before anything is spent on it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import convlens as package
from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.data import open_source
from convlens.models import build
from convlens.recipe import resolve_defaults
from convlens.runs import try_own_network

CPU = torch.device("cpu")
HEAD = """\
import torch
from torch import nn
import torch.nn.functional as F


class Base(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8, classes)


"""
FORWARD = """\
class Net(Base):
    def forward(self, x):
        {body}


def build(classes):
    return Net(classes)
"""
LAZY = """\
def build(classes):
    return nn.Sequential(
        nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.AdaptiveAvgPool2d(4),
        nn.Flatten(), nn.LazyLinear(classes))
"""
LAZY_INSIDE = """\
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(nn.LazyConv2d(8, 3), nn.ReLU())
        self.fc = nn.LazyLinear(classes)

    def forward(self, x):
        return self.fc(F.relu(self.features(x)).mean((2, 3)))


def build(classes):
    return Net(classes)
"""
SHARED = """\
def build(classes):
    conv = nn.Conv2d(8, 8, 3, padding=1)
    return nn.Sequential(nn.Conv2d(3, 8, 3), conv, nn.ReLU(), conv, nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2, inplace=True), nn.Linear(8, classes))
"""
UNUSED = """\
class Net(Base):
    def __init__(self, classes):
        super().__init__(classes)
        self.unused = nn.Linear(3, 3)
        self.register_buffer("scale16", torch.ones(1, dtype=torch.float16))

    def forward(self, x):
        x = self.conv(x).permute(0, 2, 3, 1)  # not contiguous
        return self.fc((x * self.scale16).mean((1, 2)))


def build(classes):
    return Net(classes)
"""
SEQUENTIAL_IN_PLACE = """\
def build(classes):
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.Sigmoid(), nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
"""
NORMALIZES_ONE_NUMBER = """\
class Net(Base):
    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        return self.fc(F.batch_norm(x, None, None, training=self.training) if self.training else x)


def build(classes):
    return Net(classes)
"""
INSTANCE_NORM = """\
def build(classes):
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.InstanceNorm2d(8),
        nn.Flatten(), nn.Linear(8, classes))
"""
REMEMBERS = """\
class Net(Base):
    kept = 0.0

    def forward(self, x):
        x = self.conv(x).mean((2, 3))
        self.kept = x.mean() + self.kept
        return self.fc(x) + self.kept


def build(classes):
    return Net(classes)
"""
BATCH_NORM_OF_ONE_PIXEL = """\
def build(classes):
    return nn.Sequential(nn.Conv2d(3, 8, 16), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
"""
EXTRA_STATE = """\
class Net(Base):
    def forward(self, x):
        return self.fc(F.relu(self.conv(x)).mean((2, 3)))

    def get_extra_state(self):
        return {"version": 3}

    def set_extra_state(self, state):
        pass


def build(classes):
    return Net(classes)
"""


def arrays(samples: int = 24) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (samples, 16, 16, 3), np.uint8), np.arange(samples) % 3


def tried(folder: Path, source: str, *, samples: int = 24, **asked: Any) -> None:
    (folder / "net.py").write_text(HEAD + source, "utf-8")
    images = open_source(arrays(), reporter=Quiet())
    model = {"name": f"{folder / 'net.py'}:build"}
    recipe, _ = resolve_defaults({"source": "arrays", "model": model, **asked}, images)
    network = build(recipe.model, recipe.input, classes=3, trust_code=True)
    before = {name: tensor.clone() for name, tensor in network.named_parameters()}
    before |= {name: tensor.clone() for name, tensor in network.named_buffers()}
    modes = [module.training for module in network.modules()]
    torch.manual_seed(5)
    try:
        try_own_network(network, recipe, samples=samples, device=CPU)
    finally:
        after = torch.rand(1)
        torch.manual_seed(5)
        assert torch.equal(torch.rand(1), after), "torch's generator is left alone"
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            assert torch.equal(tensor, before[name]), name
        assert modes == [module.training for module in network.modules()]


@pytest.mark.parametrize(
    "source", [LAZY, LAZY_INSIDE, SHARED, UNUSED, BATCH_NORM_OF_ONE_PIXEL], ids=range(5)
)
@pytest.mark.parametrize("samples", [24, 25])
def test_what_can_be_trained_passes(tmp_path: Path, source: str, samples: int) -> None:
    tried(tmp_path, source, samples=samples, training={"batch_size": 8})


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (
            FORWARD.format(body="x = F.relu(self.conv(x)); x += 1; return self.fc(x.mean((2, 3)))"),
            r"backward pass fails \('stages.network' \(Net\), line 15\).*inplace.*x = x \+ 1",
        ),
        (
            SEQUENTIAL_IN_PLACE,
            r"'\S*' \(Sigmoid\) gave is changed in place.*leave inplace=True out",
        ),
        (
            FORWARD.format(body="return F.relu(self.fc(self.conv(x).mean((2, 3)))).detach()"),
            "does not require grad.*without detach",
        ),
        (REMEMBERS, "second time.*keep with detach"),
        (
            FORWARD.format(body="return self.fc(F.relu(self.conv(x)).mean((2, 3)).squeeze())"),
            r"fed \(1, 3, 16, 16\) in prediction, gives shape \(3,\); expected .*\(1, 3\).*squeeze",
        ),
        (
            FORWARD.format(
                body="y = self.fc(self.conv(x).mean((2, 3))); "
                "return torch.cat([y, y], 1) if self.training else y"
            ),
            r"in training, gives shape \(3, 6\); expected logits of shape \(3, 3\)",
        ),
        (INSTANCE_NORM, r"in '\S*' \(InstanceNorm2d\).*more than 1 spatial element"),
        (EXTRA_STATE, "weights of .* cannot be saved.*get_extra_state"),
    ],
    ids=["in place", "relu", "detached", "kept", "squeezed", "wider", "instance norm", "state"],
)
def test_what_fails_later_is_refused_by_name(tmp_path: Path, source: str, words: str) -> None:
    with pytest.raises(ConvlensError, match=f"(?s){words}") as caught:
        tried(tmp_path, source)
    assert caught.value.exit_status == 2


def test_a_last_batch_of_one_image_is_tried_where_there_is_one(tmp_path: Path) -> None:
    """torch's functions normalize over a batch as well, and no module tells of it."""
    eight = {"training": {"batch_size": 8}}
    tried(tmp_path, NORMALIZES_ONE_NUMBER, samples=24, **eight)
    with pytest.raises(ConvlensError, match=r"fed \(1, 3, 16, 16\) in training"):
        tried(tmp_path, NORMALIZES_ONE_NUMBER, samples=25, **eight)


def test_a_layer_whose_shape_stays_open_is_named(tmp_path: Path) -> None:
    source = LAZY_INSIDE.replace(
        "        self.fc", "        self.never = nn.LazyLinear(3)\n        self.fc"
    )
    with pytest.raises(ConvlensError, match="shape of 'never.weight' is still open"):
        tried(tmp_path, source)


def test_lazy_layers_are_drawn_from_the_seed(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(HEAD + LAZY, "utf-8")
    images = open_source(arrays(), reporter=Quiet())
    model = {"name": f"{tmp_path / 'net.py'}:build"}
    recipe, _ = resolve_defaults({"source": "arrays", "model": model}, images)
    drawn = []
    for _ in range(2):
        torch.manual_seed(3)
        drawn.append(build(recipe.model, recipe.input, classes=3, trust_code=True).state_dict())
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])


def test_it_is_refused_before_an_epoch_and_found_by_check(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(HEAD + SEQUENTIAL_IN_PLACE, "utf-8")
    model = f"{tmp_path / 'net.py'}:build"
    with pytest.raises(ConvlensError, match="backward pass fails"):
        package.train(arrays(), model=model, epochs=1, out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
    found = {f.code: f for f in package.check(arrays(), model=model, quiet=True).findings}
    assert "backward pass fails" in found["network-refuses"].message
    assert "leave inplace=True out" in found["network-refuses"].remedy
    with pytest.raises(ConvlensError, match="backward pass fails"):
        package.visualize_lr(arrays(), model=model, quiet=True)


def test_a_lazy_network_is_trained_and_used(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(HEAD + LAZY, "utf-8")
    model = f"{tmp_path / 'net.py'}:build"
    run = package.train(arrays(60), model=model, epochs=1, out=tmp_path / "run", quiet=True)
    predictor = package.load(run.folder, trust_code=True)
    assert len(predictor.predict(arrays(2)[0])) == 2


def test_what_the_code_froze_is_the_same_after_training_and_counted(tmp_path: Path) -> None:
    source = FORWARD.format(body="return self.fc(self.norm(self.conv(x)).mean((2, 3)))").replace(
        "    return Net(classes)",
        "    net = Net(classes)\n    net.norm = nn.BatchNorm2d(8)\n"
        "    net.conv.requires_grad_(False)\n    net.norm.requires_grad_(False)\n    return net",
    )
    (tmp_path / "net.py").write_text(HEAD + source, "utf-8")
    model = f"{tmp_path / 'net.py'}:build"
    told = package.inspect(model, input="16x16x3", classes=3)
    assert (told.trainable_parameters, told.parameters) == (27, 27 + 224 + 16)
    run = package.train(arrays(60), model=model, epochs=2, out=tmp_path / "run", quiet=True)
    trained = package.load(run.folder, trust_code=True).bundle.classifier.state_dict()
    norm = {name: tensor for name, tensor in trained.items() if ".norm." in name}
    assert torch.equal(norm["stages.network.norm.running_mean"], torch.zeros(8))
    assert torch.equal(norm["stages.network.norm.running_var"], torch.ones(8))
