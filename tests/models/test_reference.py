"""The networks are the real ones: parameters, shapes and numbers against torchvision's."""

import hashlib
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import torch

from convlens.core.classifier import Classifier
from convlens.core.input_spec import InputSpec
from convlens.models import ModelSpec, build_architecture
from convlens.models.family import family_named

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
LISTING = "5cb8ab796e320c16"  # the first digits of the SHA-256 of all keys and shapes
HEAVY = {"vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg16_bn", "resnet101", "resnet152"}


@dataclass(frozen=True)
class Facts:
    parameters: int
    norm: float
    logits: tuple[float, ...]
    shapes: dict[str, tuple[int, ...]]


@cache
def facts() -> dict[str, Facts]:
    found: dict[str, Facts] = {}
    for line in (Path(__file__).parent / "torchvision.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            name, _, rest = line[1:].partition("]")
            words = rest.split()
            logits = tuple(map(float, words[5:]))
            found[name] = Facts(int(words[1]), float(words[3]), logits, {})
        elif not line.startswith("#"):
            kind, module, *sides = line.split()
            shape = tuple(map(int, sides))
            parts: dict[str, tuple[int, ...]] = {"weight": shape}
            if kind == "biased":
                parts["bias"] = shape[:1]
            elif kind == "norm":
                parts = dict.fromkeys(NORM, shape) | {"num_batches_tracked": ()}
            found[name].shapes.update({f"{module}.{part}": of for part, of in parts.items()})
    return found


def published(name: str) -> Classifier:
    with torch.device("meta"):
        spec, input_spec = ModelSpec(name=name), InputSpec(height=224, width=224)
        return build_architecture(spec, input_spec, classes=1000).eval()


def weights_by_formula(key: str, position: int, shape: tuple[int, ...]) -> torch.Tensor:
    n = math.prod(shape)
    if key.endswith("num_batches_tracked"):
        return torch.zeros((), dtype=torch.int64)
    w = torch.arange(1, n + 1, dtype=torch.float64).mul_(0.37).add_(0.11 * position).sin_()
    if len(shape) > 1:
        w *= math.sqrt(2 / (n / shape[0]))
    elif key.endswith("running_var"):
        w = 1 + 0.1 * w.abs()
    elif key.endswith(("running_mean", "bias")):
        w *= 0.1
    else:
        w = 1 + 0.1 * w
    return w.reshape(shape)


@pytest.mark.parametrize("name", facts())
def test_every_parameter_and_shape(name: str) -> None:
    known, net = facts()[name], published(name)
    assert sum(p.numel() for p in net.parameters()) == known.parameters
    translate = family_named(name).from_torchvision
    assert translate is not None
    theirs = {translate(key): shape for key, shape in known.shapes.items()}
    assert len(theirs) == len(known.shapes)
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == theirs


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=pytest.mark.slow) if n in HEAVY else n for n in facts()],
)
def test_the_logits_of_weights_that_anyone_can_make(name: str) -> None:
    known, net = facts()[name], published(name)
    translate = family_named(name).from_torchvision
    assert translate is not None
    weights = {
        translate(key): weights_by_formula(key, position, shape)
        for position, (key, shape) in enumerate(known.shapes.items())
    }
    net.load_state_dict(weights, assign=True)
    net.stages.normalize.to_empty(device="cpu")  # its identity needs no constants
    image = torch.arange(150_528, dtype=torch.float64).mul_(0.01).sin_().reshape(1, 3, 224, 224)
    with torch.no_grad():
        logits = net(image)[0]
    assert logits[:10].tolist() == pytest.approx(known.logits, rel=1e-6)
    assert logits.norm().item() == pytest.approx(known.norm, rel=1e-6)


def test_the_facts_are_whole() -> None:
    assert len(facts()) == 13
    listing = "\n".join(f"{n} {k} {s}" for n, f in facts().items() for k, s in f.shapes.items())
    assert hashlib.sha256(listing.encode()).hexdigest().startswith(LISTING)
