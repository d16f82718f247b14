"""Take a module apart into stages and a head, where that is provably the same network.

Its children are run one after another, and the result is compared with the module's own, bit for
bit, in evaluation and in training, and so are the gradients. What differs (a skip, an activation or
a ``detach()`` in ``forward``, a child used twice) cannot be taken apart this way.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

Stages: TypeAlias = dict[str, nn.Module]

_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_FOLLOWERS = (nn.BatchNorm2d, nn.Dropout, nn.Dropout2d, nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh)
_BEFORE_THE_VECTOR = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Dropout, nn.Dropout2d)


def take_apart(
    net: nn.Module, sample: Tensor, names: Sequence[str] = ()
) -> tuple[Stages, nn.Module] | None:
    """The stages and the head of a module, or None where it cannot be taken apart.

    Args:
        net: with attributes ``stages`` (a sequence) and ``head``, or children that run in order.
        sample: (N, C, H, W) pixels to try it on, N at least 2.
        names: the children that end a stage, in order; found by what they do where it is empty.
    """
    for stages, head in _candidates(net, sample, names):
        parts = nn.Sequential(*stages.values(), head)
        same = stages and _same_tensors(net, parts) and _same_function(net, parts, sample)
        if same and _same_gradients(net, parts, sample):
            return stages, head
    return None


def _candidates(
    net: nn.Module, sample: Tensor, names: Sequence[str]
) -> Iterator[tuple[Stages, nn.Module]]:
    children = dict(net.named_children())
    stages, head = children.get("stages"), children.get("head")
    if isinstance(stages, nn.Sequential) and head is not None and not names:
        yield _presentable(dict(stages.named_children())), head
        return
    if any(name not in children for name in names):
        return
    if names:
        groups, rest = _cut_after(children, names)
    else:
        cut = _where_maps_end(net, sample)
        groups = _gather(dict(list(children.items())[:cut]))
        rest = dict(list(children.items())[cut:])
    for joined in _joined(rest):
        yield _presentable(groups), nn.Sequential(OrderedDict(joined))


def _cut_after(children: Mapping[str, nn.Module], names: Sequence[str]) -> tuple[Stages, Stages]:
    """A stage ends at each name; what follows the last is the head."""
    stages: Stages = {}
    current: Stages = {}
    for name, child in children.items():
        current[name] = child
        if len(stages) < len(names) and name == names[len(stages)]:
            stages[name] = _one(current)
            current = {}
    return (stages, current) if len(stages) == len(names) else ({}, {})


def _where_maps_end(net: nn.Module, sample: Tensor) -> int:
    """The number of children before the feature map becomes a vector, or its last pooling."""
    children = list(deepcopy(net).eval().children())
    x, cut = sample, 0
    with torch.no_grad(), suppress(Exception):  # where one raises, the module does more itself
        for child in children:
            x = child(x)
            if x.dim() != 4:
                break
            cut += 1
    if cut == len(children):
        return cut
    while cut and isinstance(children[cut - 1], _BEFORE_THE_VECTOR):
        cut -= 1
    return cut


def _gather(children: Mapping[str, nn.Module]) -> Stages:
    """A container is a stage; loose layers gather into one, until after a pool or a stride."""
    groups: dict[str, Stages] = {}
    last = ""
    ended = True
    for name, child in children.items():
        if any(True for _ in child.children()):
            last, ended = name, True
            groups[last] = {name: child}
            continue
        if ended and not (groups and isinstance(child, _FOLLOWERS)):
            last, ended = f"block{len(groups) + 1}", False
            groups[last] = {}
        groups[last][name] = child
        ended = ended or isinstance(child, _POOLS) or _stride(child) > 1
    return {name: _one(group) for name, group in groups.items()}


def _joined(rest: Stages) -> Iterator[Stages]:
    """The head as it stands, or with what ``forward`` may do before its first dense layer."""
    yield rest
    dense = next(
        (
            name
            for name, child in rest.items()
            if any(isinstance(m, nn.Linear) for m in child.modules())
        ),
        None,
    )
    if dense is None:
        return
    for between in (
        {"flatten": nn.Flatten()},
        {"globalpool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()},
    ):
        if not between.keys() & rest.keys():
            names = list(rest)
            before = names[: names.index(dense)]
            yield (
                {name: rest[name] for name in before}
                | between
                | {name: rest[name] for name in names[len(before) :]}
            )


def _same_tensors(net: nn.Module, parts: nn.Module) -> bool:
    """Whether the parts hold every parameter and buffer: a bias of zeros is easily overlooked."""
    return {id(t) for t in (*net.parameters(), *net.buffers())} == {
        id(t) for t in (*parts.parameters(), *parts.buffers())
    }


def _same_function(net: nn.Module, parts: nn.Module, sample: Tensor) -> bool:
    for training in (False, True):
        results = []
        for module in (net, parts):
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                torch.manual_seed(0)
                try:
                    results.append(deepcopy(module).train(training)(sample))
                except Exception:  # noqa: BLE001 - whatever it is, they are not the same
                    return False
        own, ours = results
        if not (isinstance(own, Tensor) and isinstance(ours, Tensor) and torch.equal(own, ours)):
            return False
    return True


def _same_gradients(net: nn.Module, parts: nn.Module, sample: Tensor) -> bool:
    """Whether the same weights learn, and the same: ``detach()`` in a forward is no child."""
    own, ours = (_gradients(module, [*net.parameters()], sample) for module in (net, parts))
    if own is None or ours is None:
        return own is ours
    return all(
        a is b
        if a is None or b is None
        else torch.allclose(a, b, rtol=1e-3, atol=1e-6, equal_nan=True)
        for a, b in zip(own, ours, strict=True)
    )


def _gradients(
    module: nn.Module, weights: Sequence[Tensor], sample: Tensor
) -> list[Tensor | None] | None:
    """The gradient of each weight in a copy of a module; None where the backward pass fails."""
    copies: dict[int, Any] = {}
    with torch.random.fork_rng(devices=[]), torch.inference_mode(mode=False), torch.enable_grad():
        torch.manual_seed(0)
        try:
            outputs = deepcopy(module, copies).train()(sample.clone())
            if outputs.requires_grad:
                outputs.square().sum().backward()
        except Exception:  # noqa: BLE001 - the user's code may raise anything
            return None
    return [copies[id(weight)].grad for weight in weights]


def _presentable(stages: Stages) -> Stages:
    """Numbered children get a name, and the name of the normalizing stage stays its own."""
    return {
        f"block{number}"
        if name.isdigit()
        else f"own_{name}"
        if name == "normalize"
        else name: stage
        for number, (name, stage) in enumerate(stages.items(), 1)
    }


def _one(group: Stages) -> nn.Module:
    return next(iter(group.values())) if len(group) == 1 else nn.Sequential(OrderedDict(group))


def _stride(layer: nn.Module) -> int:
    stride = getattr(layer, "stride", 1)
    return max(stride) if isinstance(stride, tuple) else int(stride or 1)
