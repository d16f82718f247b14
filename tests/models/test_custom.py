"""Networks in a file of the user's own."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build, build_architecture, portable, training_head

SPEC = InputSpec(height=32, width=32)
HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"

IN_ORDER = """
def build(channels, classes):
    return nn.Sequential(
        nn.Conv2d(channels, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.1),
        nn.Conv2d(8, 16, 3, stride=2), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, classes),
    )
"""
BY_LAYERS = """
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 2)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.layer1 = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU())
        self.layer2 = nn.Sequential(nn.Conv2d(8, 16, 3), nn.ReLU())
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, classes)

    def forward(self, x):
        x = self.layer2(self.layer1(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(torch.flatten(self.avgpool(x), 1))

def build(classes=10):
    return Net(classes)
"""
POOLS_IN_FORWARD = """
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(8, classes))

    def forward(self, x):
        x = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(torch.flatten(x, 1))

def build(classes):
    return Net(classes)
"""
STAGES_AND_HEAD = """
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.stages = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(2))
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(900, classes))

    def forward(self, x):
        return self.head(self.stages(x))

def build(classes):
    return Net(classes)
"""
FUNCTIONAL = """
class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(8 * 900, classes)

    def forward(self, x):
        return self.fc(torch.flatten(F.relu(self.conv(x)), 1))

def build(classes):
    return Net(classes)
"""
# Each of these equals its children in order at first sight, and is not the same network.
BIAS_OF_ITS_OWN = """
class Net(nn.Sequential):
    def __init__(self, classes):
        super().__init__(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(7200, classes))
        self.extra = nn.Parameter(torch.zeros(classes))

    def forward(self, x):
        return super().forward(x) + self.extra

def build(classes):
    return Net(classes)
"""
DROPOUT_IN_TRAINING = """
class Net(nn.Sequential):
    def forward(self, x):
        return F.dropout(super().forward(x), 0.5, self.training)

def build(classes):
    return Net(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(7200, classes))
"""
DETACHED = """
class Net(nn.Sequential):
    def forward(self, x):
        return self[2](self[1](self[0](x).detach()))

def build(classes):
    return Net(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(7200, classes))
"""
SKIP = """
class Net(nn.Sequential):
    def forward(self, x):
        return self[2](self[1](x + self[0](x)))

def build(classes):
    return Net(nn.Conv2d(3, 3, 3, padding=1), nn.Flatten(), nn.Linear(3072, classes))
"""
AUXILIARY_OUTPUT = """
class Net(nn.Sequential):
    def forward(self, x):
        logits = super().forward(x)
        return (logits, logits) if self.training else logits

def build(classes):
    return Net(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(7200, classes))
"""
CHILD_OUT_OF_ITS_CONTEXT = """
class Last(nn.Module):
    def forward(self, x):
        return {"logits": x}["logit"] if x.dim() == 4 else x

class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.last = Last()
        self.fc = nn.Linear(7200, classes)

    def forward(self, x):
        return self.fc(self.last(torch.flatten(self.conv(x), 1)))

def build(classes):
    return Net(classes)
"""
BACKBONE = """
def build():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3))
"""


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Write a file of the user's own; what it left among the imported modules goes with it."""
    before = set(sys.modules)

    def write(source: str, function: str = "build", *, name: str = "Netz Ä.py") -> str:
        (tmp_path / name).write_text(HEAD + source, "utf-8")
        return f"{tmp_path / name}:{function}"

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("convlens_own_"):
            del sys.modules[name]


def own(name: str, *, classes: int = 5, **fields: object) -> Classifier:
    spec = ModelSpec.model_validate({"name": name, **fields})
    return build(spec, SPEC, classes=classes, trust_code=True)


def stage_names(net: Classifier) -> list[str]:
    return [name for name, _ in net.stages.named_children()][1:]


@pytest.mark.parametrize(
    ("source", "stages"),
    [
        (IN_ORDER, ["block1", "block2"]),
        (BY_LAYERS, ["block1", "layer1", "layer2"]),
        (POOLS_IN_FORWARD, ["features"]),
        (STAGES_AND_HEAD, ["block1", "block2"]),
    ],
)
def test_a_module_is_taken_apart_where_that_is_the_same_network(
    source: str, stages: list[str], written: Callable[..., str]
) -> None:
    net = own(written(source)).eval()
    assert stage_names(net) == stages
    module = sys.modules[next(m for m in reversed(sys.modules) if m.startswith("convlens_own_"))]
    torch.manual_seed(0)
    given = vars(module)["build"](**({"channels": 3} if source == IN_ORDER else {}), classes=5)
    torch.manual_seed(0)
    net = own(written(source)).eval()
    x = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(net(x), given.eval()(x))
        assert net.stages(x).dim() == 4


@pytest.mark.parametrize(
    "source",
    [
        FUNCTIONAL,
        BIAS_OF_ITS_OWN,
        DROPOUT_IN_TRAINING,
        DETACHED,
        SKIP,
        CHILD_OUT_OF_ITS_CONTEXT,
    ],
)
def test_any_other_module_is_one_opaque_stage(source: str, written: Callable[..., str]) -> None:
    net = own(written(source))
    assert stage_names(net) == ["network"]
    assert isinstance(net.head, nn.Identity)
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 5)
    with pytest.raises(ConvlensError, match="cannot be taken apart into stages and a head"):
        own(written(source), head="globalavgpool, dense")
    with pytest.raises(ConvlensError, match="cannot be taken apart"):
        own(written(source), classes=0)


def test_the_user_may_name_the_stages(written: Callable[..., str]) -> None:
    net = own(written(BY_LAYERS), stages=["relu", "layer1"])
    assert stage_names(net) == ["relu", "layer1"]
    assert [name for name, _ in net.head.named_children()] == ["layer2", "avgpool", "flatten", "fc"]
    for wrong in (["layer1", "relu"], ["layer9"]):
        with pytest.raises(ConvlensError, match="cannot be cut after"):
            own(written(BY_LAYERS), stages=wrong)


def test_it_can_be_given_another_head_or_none(written: Callable[..., str]) -> None:
    net = own(written(BY_LAYERS), head="globalavgpool, dense 7 relu, dense")
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 5)
    assert net.head.dense1.in_features == 16
    assert own(written(BY_LAYERS), head="none")(torch.rand(1, 3, 32, 32)).shape == (1, 16, 11, 11)


def test_a_backbone_is_stages_and_needs_a_head(written: Callable[..., str]) -> None:
    with pytest.raises(ConvlensError, match="gives feature maps.* --head 'globalavgpool, dense'"):
        own(written(BACKBONE))
    net = own(written(BACKBONE), head="globalavgpool, dense")
    assert stage_names(net) == ["block1", "block2"]
    named = own(written(BACKBONE), head="globalavgpool, dense", stages=["1"])
    assert stage_names(named) == ["block1", "rest"]
    x = torch.rand(2, 3, 32, 32)
    assert named.stages(x).shape == net.stages(x).shape == (2, 4, 13, 13)


def test_trying_it_out_leaves_no_trace(written: Callable[..., str]) -> None:
    name = written(IN_ORDER)
    torch.manual_seed(3)
    net = own(name)
    after = torch.rand(1)
    torch.manual_seed(3)
    nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3), nn.Linear(16, 5))  # the same draws
    assert torch.equal(torch.rand(1), after)
    assert net.stages.block1.get_submodule("1").num_batches_tracked == 0
    assert net.training


def test_it_goes_on_the_same_in_another_process(
    written: Callable[..., str], tmp_path: Path
) -> None:
    """Carried in a description, it is rebuilt from its text once the reader trusts it."""
    spec = portable(ModelSpec(name=written(BY_LAYERS), weights=tmp_path / "w.pth"))
    assert (spec.name, str(spec.weights)) == ("Netz Ä.py:build", "w.pth")
    assert spec.source == HEAD + BY_LAYERS
    assert spec.source_sha256 == hashlib.sha256((HEAD + BY_LAYERS).encode()).hexdigest()
    (tmp_path / "Netz Ä.py").unlink()
    carried = ModelSpec.model_validate_json(spec.model_dump_json())
    with pytest.raises(ConvlensError, match="--trust-code") as caught:
        build_architecture(carried, SPEC, classes=5)
    assert caught.value.code == "untrusted-code"
    assert str(spec.source_sha256) in str(caught.value)
    net = build_architecture(carried, SPEC, classes=5, trust_code=True)
    assert stage_names(net) == ["block1", "layer1", "layer2"]
    assert portable(carried) == carried


def test_code_that_was_changed_is_refused(written: Callable[..., str]) -> None:
    spec = portable(ModelSpec(name=written(BY_LAYERS)))
    changed = spec.model_copy(update={"source": f"{spec.source}\nimport os\n"})
    with pytest.raises(ConvlensError, match="is not what it was"):
        build_architecture(changed, SPEC, classes=5, trust_code=True)


def test_a_known_network_carries_nothing() -> None:
    spec = ModelSpec(name="resnet18")
    assert portable(spec) == spec
    assert training_head(ModelSpec(name="mine.py:build")) == "published"


@pytest.mark.parametrize(
    ("source", "function", "message"),
    [
        ("def build(x): pass", "build", "requires x; it can be given classes, channels"),
        ("def build(): return 1 / 0", "build", r"failed \(line 4\): ZeroDivisionError"),
        ("def build(): return 3", "build", "returned a int; let it return a torch.nn.Module"),
        ("def make(): pass", "build", "has no function 'build'"),
        ("build = 3", "build", "has no function 'build'"),
        ("def build(:", "build", "failed: SyntaxError"),
        ("import not_there_at_all", "build", r"failed \(line 4\): ModuleNotFoundError"),
        ("raise SystemExit(0)", "build", r"failed \(line 4\): SystemExit"),
        ("def build(): return nn.Linear(3, 5)", "build", "fed .2, 3, 32, 32"),
        ("def build(): return nn.Flatten(2)", "build", r"gives shape \(2, 3, 1024\)"),
        ("def build(): return nn.LSTM(32, 5)", "build", "fed .2, 3, 32, 32"),
        (IN_ORDER, "missing", "has no function 'missing'"),
        (AUXILIARY_OUTPUT, "build", "gives tuple in training; let its forward give logits"),
    ],
)
def test_what_is_wrong_with_it_is_said_without_a_traceback(
    source: str, function: str, message: str, written: Callable[..., str]
) -> None:
    with pytest.raises(ConvlensError, match=message) as caught:
        own(written(source, function))
    assert caught.value.exit_status == 2


def test_the_number_of_classes_has_to_agree(written: Callable[..., str]) -> None:
    fixed = BY_LAYERS.replace("return Net(classes)", "return Net(10)")
    with pytest.raises(ConvlensError, match="gives 10 outputs, but there are 5 classes"):
        own(written(fixed))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConvlensError, match="cannot read .*No such file"):
        own(f"{tmp_path}/missing.py:build")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\xff\n")
    with pytest.raises(ConvlensError, match="it is not UTF-8 text"):
        own(f"{tmp_path / 'latin.py'}:build")


def test_dataclasses_and_parameters_of_the_function_work(written: Callable[..., str]) -> None:
    source = """
from __future__ import annotations
from dataclasses import dataclass
from convlens.core.input_spec import InputSpec

@dataclass
class Settings:
    filters: int = 4

def build(input_spec: InputSpec, height, width, filters=Settings().filters, *, classes):
    assert (height, width) == (input_spec.height, input_spec.width)
    return nn.Sequential(nn.Conv2d(input_spec.channels, filters, 3), nn.Flatten(),
                         nn.Linear(filters * (height - 2) * (width - 2), classes))
"""
    path, _, _ = written(source).rpartition(":")
    Path(path).write_text(
        source.replace("\nfrom dataclasses", f"\n{HEAD}from dataclasses"), "utf-8"
    )
    net = own(f"{path}:build")
    assert net(torch.rand(1, 3, 32, 32)).shape == (1, 5)
