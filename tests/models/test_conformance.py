"""What holds for every registered network, whatever its family."""

from collections.abc import Callable
from copy import deepcopy
from functools import lru_cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection import trace
from convlens.models import (
    ModelSpec,
    build_architecture,
    known_models,
    published_form,
    training_head,
)
from convlens.models.family import Family, family_named

CLASSES = 7
DEEP = {"resnet34", "resnet101", "resnet152"} | {
    name for name in known_models() if name.startswith(("vgg13", "vgg16", "vgg19"))
}
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in DEEP else n for n in known_models()]
every_network = pytest.mark.parametrize("name", NAMES)


def shapes(name: str) -> list[tuple[int, int, int]]:
    """Channels, height and width: the smallest square, one that is not square, a larger one."""
    side = max(family_named(name).smallest_side, 24)
    return [(3, side, side), (1, side + 9, side + 2), (3, side + 16, side + 16)]


def network(name: str, shape: tuple[int, int, int], *, seed: int = 0) -> Classifier:
    return deepcopy(drawn(name, shape, seed))


@lru_cache(maxsize=4)
def drawn(name: str, shape: tuple[int, int, int], seed: int) -> Classifier:
    """With the head of training on a user's data, and weights drawn from a seed."""
    channels, height, width = shape
    spec = ModelSpec(name=name)
    spec = spec.model_copy(update={"head": training_head(spec)})
    input_spec = InputSpec(height=height, width=width, channels=channels)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build_architecture(spec, input_spec, classes=CLASSES)


def images(shape: tuple[int, int, int], n: int = 2) -> torch.Tensor:
    return torch.rand((n, *shape), generator=torch.Generator().manual_seed(1))


@every_network
def test_forward_and_backward_at_three_sizes(name: str) -> None:
    for shape in shapes(name):
        net = network(name, shape).train()
        logits = net(images(shape))
        assert logits.shape == (2, CLASSES)
        nn.functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
        for key, parameter in net.named_parameters():
            assert parameter.grad is not None, key
            assert parameter.grad.isfinite().all(), key
            assert parameter.grad.any(), f"no gradient reaches {key}"


@every_network
def test_eval_depends_on_nothing_but_the_image(name: str) -> None:
    shape = shapes(name)[0]
    net, x = network(name, shape), images(shape, 3)
    with torch.no_grad():
        net.train()(x)  # statistics move
        net.eval()
        assert torch.equal(net(x), net(x))
        torch.testing.assert_close(net(x)[:1], net(x[:1]), rtol=1e-4, atol=1e-5)
        assert torch.equal(net(x), net.head(net.stages(x)))


@every_network
def test_saved_and_loaded_it_is_the_same_bit_for_bit(name: str, tmp_path: Path) -> None:
    shape = shapes(name)[1]
    net, other = network(name, shape).eval(), network(name, shape, seed=1).eval()
    save_file(net.state_dict(), tmp_path / "model.safetensors")
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    x = images(shape)
    with torch.no_grad():
        assert torch.equal(net(x), other(x))


@every_network
def test_the_same_seed_draws_the_same_weights(name: str) -> None:
    shape = shapes(name)[0]
    first, other = (network(name, shape, seed=s).state_dict() for s in (0, 1))
    drawn.cache_clear()
    second = network(name, shape).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@every_network
def test_the_trace_adds_up_to_the_network(name: str) -> None:
    shape = shapes(name)[0]
    net = network(name, shape)
    traced = trace(net, shape)
    assert traced.parameters == sum(p.numel() for p in net.parameters())
    assert sum(layer.parameters for layer in traced.layers) == traced.parameters
    assert traced.output_shape == (CLASSES,)


@every_network
def test_it_can_be_exported_as_a_graph(name: str) -> None:
    shape = shapes(name)[0]
    net, x = network(name, shape).eval(), images(shape)
    exported = torch.export.export(net, (x,))
    with torch.no_grad():
        torch.testing.assert_close(exported.module()(x), net(x))


@every_network
def test_its_features_are_those_of_the_same_stages(name: str) -> None:
    channels, height, width = shapes(name)[0]
    input_spec = InputSpec(height=height, width=width, channels=channels)
    spec = ModelSpec(name=name, head="none")
    with torch.device("meta"):
        bare = build_architecture(spec, input_spec, classes=CLASSES)
        without = build_architecture(ModelSpec(name=name), input_spec, classes=0)
    net = network(name, (channels, height, width))
    keys = [key for key in net.state_dict() if not key.startswith("head.")]
    assert list(bare.state_dict()) == list(without.state_dict()) == keys
    assert bare(torch.empty((1, *input_spec.shape), device="meta")).dim() == 4


@every_network
def test_a_description_that_traveled_as_json_builds_the_same(name: str) -> None:
    spec = ModelSpec(name=name)
    published = published_form(spec)
    assert published is not None
    input_spec, classes = published
    again = ModelSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    with torch.device("meta"):
        nets = [build_architecture(s, input_spec, classes=classes) for s in (spec, again)]
    listed = [{key: value.shape for key, value in net.state_dict().items()} for net in nets]
    assert listed[0] == listed[1]


@pytest.mark.parametrize("name", known_models())
def test_every_row_of_the_registry_is_a_family(name: str) -> None:
    family = family_named(name)
    assert isinstance(family, Family)
    assert family.published_input is not None


def smallest(name: str) -> int:
    return family_named(name).smallest_side


@pytest.mark.parametrize("name", [n for n in known_models() if smallest(n) > 1])
@pytest.mark.parametrize("shape_of", [lambda side: (side - 1, 200), lambda side: (200, side - 1)])
def test_an_image_too_small_is_refused_with_the_side_it_needs(
    name: str, shape_of: Callable[[int], tuple[int, int]]
) -> None:
    side = smallest(name)
    height, width = shape_of(side)
    with pytest.raises(ConvlensError, match=f"needs at least {side} pixels") as caught:
        build_architecture(
            ModelSpec(name=name), InputSpec(height=height, width=width), classes=CLASSES
        )
    assert caught.value.exit_status == 2
