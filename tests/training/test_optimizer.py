from collections.abc import Callable

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, Adam, AdamW, Optimizer

from convlens.core.classifier import Classifier
from convlens.training.muon import Muon
from convlens.training.optimizer import OptimizerSettings, build_optimizer
from tests.training.quarters import QuarterBatches

Network = Callable[[], Classifier]
NAMES = ["sgd", "adam", "adamw", "muon"]


def asked(name: str, **settings: object) -> OptimizerSettings:
    return OptimizerSettings.model_validate({"name": name, **settings})


def train(network: nn.Module, optimizer: Optimizer, steps: int, *, start: int = 0) -> float:
    """Some steps on the quarters without dropout; returns the last loss."""
    network.train()
    network.head[1].eval()
    batches = list(QuarterBatches(160).epoch(0))
    loss = torch.zeros(())
    for step in range(start, start + steps):
        batch = batches[step % len(batches)]
        loss = F.cross_entropy(network(batch.pixels), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return loss.item()


@pytest.mark.parametrize(
    ("name", "theirs"),
    [
        ("sgd", lambda groups: SGD(groups, lr=0.01, momentum=0.8, nesterov=True)),
        ("adam", lambda groups: Adam(groups, lr=0.01)),
        ("adamw", lambda groups: AdamW(groups, lr=0.01)),
    ],
)
def test_steps_are_torchs(
    name: str, theirs: Callable[[list[dict[str, object]]], Optimizer], network: Network
) -> None:
    ours, reference = network(), network()
    settings = asked(name, learning_rate=0.01, weight_decay=0.1, momentum=0.8)
    train(ours, build_optimizer(ours, settings), 12)
    parameters = list(reference.parameters())
    decayed = {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.1}
    others = {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}
    train(reference, theirs([decayed, others]), 12)
    for own, other in zip(ours.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_by_default_each_trains_a_small_network(name: str, network: Network) -> None:
    net = network()
    first = train(net, build_optimizer(net, asked(name)), 1)
    assert train(net, build_optimizer(net, asked(name)), 120) < first / 3


@pytest.mark.parametrize("name", NAMES)
def test_going_on_from_its_state_it_takes_the_same_steps(name: str, network: Network) -> None:
    whole, resumed = network(), network()
    optimizer = build_optimizer(whole, asked(name))
    train(whole, optimizer, 7)
    resumed.load_state_dict(whole.state_dict())
    fresh = build_optimizer(resumed, asked(name))
    saved = optimizer.state_dict()["state"]
    assert all(isinstance(value, Tensor) for entry in saved.values() for value in entry.values())
    copies = {n: {k: t.clone() for k, t in entry.items()} for n, entry in saved.items()}
    fresh.load_state_dict({**fresh.state_dict(), "state": copies})
    train(whole, optimizer, 5, start=7)
    train(resumed, fresh, 5, start=7)
    for own, other in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(own, other)
    after, expected = fresh.state_dict()["state"], optimizer.state_dict()["state"]
    for number, entry in expected.items():
        assert all(torch.equal(after[number][key], tensor) for key, tensor in entry.items())


@pytest.mark.parametrize("name", NAMES)
def test_decay_pulls_kernels_and_matrices_alone(name: str, network: Network) -> None:
    optimizer = build_optimizer(network(), asked(name, weight_decay=0.5))
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.5 if parameter.ndim > 1 else 0.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_that_learns_is_in_one_group(name: str, network: Network) -> None:
    net = network()
    net.stages[1][1].requires_grad_(False)
    groups = build_optimizer(net, asked(name)).param_groups
    found = [id(p) for group in groups for p in group["params"]]
    assert sorted(found) == sorted(id(p) for p in net.parameters() if p.requires_grad)


def test_each_group_says_what_its_rate_is_of_the_schedules(network: Network) -> None:
    muon = asked("muon", learning_rate=0.1, rest_learning_rate=0.005)
    groups = build_optimizer(network(), muon).param_groups
    assert [group["rate_scale"] for group in groups] == pytest.approx([1, 0.05, 0.05])
    assert [group["lr"] for group in groups] == [0.1, 0.005, 0.005]
    for name in ("sgd", "adam", "adamw"):
        groups = build_optimizer(network(), asked(name)).param_groups
        assert [group["rate_scale"] for group in groups] == [1.0, 1.0]


def test_muon_leaves_grouped_convolutions_to_the_rest() -> None:
    net = nn.Sequential(nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 6, 3))
    optimizer = build_optimizer(net, asked("muon"))
    assert isinstance(optimizer, Muon)
    kernels = optimizer.param_groups[0]
    assert kernels["orthogonal"]
    assert [id(p) for p in kernels["params"]] == [id(net[0].weight), id(net[2].weight)]


def test_muon_of_a_head_alone_has_only_the_rest(network: Network) -> None:
    net = network()
    net.stages.requires_grad_(False)
    optimizer = build_optimizer(net, asked("muon"))
    assert not any(group["orthogonal"] for group in optimizer.param_groups)
    assert train(net, optimizer, 60) < 1.3


def test_rates_and_decays_by_default_suit_the_optimizer_named() -> None:
    for name in NAMES:
        settings = asked(name)
        assert "learning_rate" not in settings.model_fields_set
        assert OptimizerSettings.model_validate(settings.model_dump()) == settings
    assert asked("sgd").learning_rate > asked("adamw").learning_rate
    assert asked("sgd", learning_rate=0.5).learning_rate == 0.5
    assert OptimizerSettings().name == "adamw"


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValidationError, match="'sgd', 'adam', 'adamw' or 'muon'"):
        asked("adamax")
