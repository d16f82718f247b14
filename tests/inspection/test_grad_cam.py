"""Grad-CAM against hand computation, on frozen networks, and on a planted object."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.inspection import GradCam, grad_cam

SPEC = InputSpec(height=16, width=12, channels=3)
Pixels = NDArray[np.uint8]


def _stages() -> dict[str, nn.Module]:
    return {
        "block1": nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.MaxPool2d(2)
        ),
        "block2": nn.Sequential(nn.Conv2d(6, 8, 3), nn.ReLU(inplace=True)),
    }


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


@pytest.fixture
def pooled() -> Classifier:
    """Global average pooling and one dense layer: there Grad-CAM is CAM."""
    with _seeded(0):
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
        return Classifier(_stages(), head, SPEC)


@pytest.fixture
def deep() -> Classifier:
    """A head with a hidden layer: there the gradient depends on the image."""
    with _seeded(1):
        head = nn.Sequential(
            nn.Flatten(), nn.Linear(8 * 6 * 4, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 5)
        )
        return Classifier(_stages(), head, SPEC)


@pytest.fixture
def pixels() -> Pixels:
    return np.random.default_rng(3).integers(0, 256, (3, 16, 12, 3), np.uint8)


def _maps(net: Classifier, pixels: Pixels, until: int = 3) -> Tensor:
    """What the last stage gives, by plain calls."""
    net.eval()
    with torch.no_grad():
        return net.stages[:until](torch.from_numpy(pixels).permute(0, 3, 1, 2))


def test_with_pooling_and_one_dense_layer_it_is_cam(pooled: Classifier, pixels: Pixels) -> None:
    """Selvaraju et al., section 3.1: it generalizes CAM (Zhou et al., CVPR 2016), whose weights
    are the dense layer's; the mean gradient is that weight over the number of places."""
    maps = _maps(pooled, pixels)
    for wanted in range(5):
        found = grad_cam(pooled, pixels, class_index=wanted)
        cam = torch.einsum("c,nchw->nhw", pooled.head[2].weight[wanted].detach(), maps)
        np.testing.assert_allclose(found.heat, cam.relu() / (6 * 4), rtol=1e-4, atol=1e-6)
        assert found.classes.tolist() == [wanted] * 3


def test_it_follows_equations_1_and_2_for_any_head(deep: Classifier, pixels: Pixels) -> None:
    maps = _maps(deep, pixels)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda one: deep.head(one[None])[0]))(maps)
    found = grad_cam(deep, pixels, class_index=2)
    for number in range(3):
        alpha = jacobian[number, 2].mean(dim=(1, 2))
        expected = F.relu((alpha[:, None, None] * maps[number]).sum(0))
        np.testing.assert_allclose(found.heat[number], expected.detach(), rtol=1e-4, atol=1e-6)


def test_at_an_earlier_layer(deep: Classifier, pixels: Pixels) -> None:
    maps = _maps(deep, pixels, until=2)

    def rest(one: Tensor) -> Tensor:
        weight, bias = deep.stages.block2[0].weight, deep.stages.block2[0].bias
        return deep.head(F.relu(F.conv2d(one[None], weight, bias)))[0]

    found = grad_cam(deep, pixels, class_index=0, layer="block1")
    assert (found.layer, found.heat.shape) == ("block1", (3, 8, 6))
    for number in range(3):
        alpha = torch.func.jacrev(rest)(maps[number])[0].mean(dim=(1, 2))
        expected = F.relu((alpha[:, None, None] * maps[number]).sum(0))
        np.testing.assert_allclose(found.heat[number], expected.detach(), rtol=1e-4, atol=1e-6)


def test_the_likeliest_class_is_meant_unless_one_is_chosen(
    deep: Classifier, pixels: Pixels
) -> None:
    found = grad_cam(deep, pixels)
    deep.eval()
    with torch.no_grad():
        logits = deep(torch.from_numpy(pixels).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found.logits, logits, rtol=1e-5, atol=1e-6)
    assert found.classes.tolist() == logits.argmax(1).tolist()
    for number, wanted in enumerate(found.classes):
        alone = grad_cam(deep, pixels[number : number + 1], class_index=int(wanted))
        np.testing.assert_allclose(found.heat[number], alone.heat[0], rtol=1e-4, atol=1e-6)


def _frozen(net: Classifier) -> None:
    net.requires_grad_(False)


def _training(net: Classifier) -> None:
    net.train()
    net.stages.block1[1].eval()


def _with_gradients(net: Classifier) -> None:
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)


@pytest.mark.parametrize("change", [_frozen, _training, _with_gradients])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_whatever_the_network_it_is_left_as_it_was(
    deep: Classifier,
    pixels: Pixels,
    change: Callable[[Classifier], None],
    mode: Callable[[], object],
) -> None:
    expected = grad_cam(deep, pixels)
    change(deep)
    before = _state(deep)
    with mode():  # type: ignore[attr-defined]
        found = grad_cam(deep, pixels)
    np.testing.assert_allclose(found.heat, expected.heat, rtol=1e-5, atol=1e-7)
    _assert_same(before, _state(deep))
    with pytest.raises(ConvlensError):
        grad_cam(deep, pixels, class_index=9)
    _assert_same(before, _state(deep))


def _state(net: Classifier) -> dict[str, object]:
    return {
        "tensors": {name: tensor.clone() for name, tensor in net.state_dict().items()},
        "gradients": {
            n: None if p.grad is None else p.grad.clone() for n, p in net.named_parameters()
        },
        "trainable": {name: p.requires_grad for name, p in net.named_parameters()},
        "modes": {name: module.training for name, module in net.named_modules()},
        "hooks": [len(module._forward_hooks) for module in net.modules()],
    }


def _assert_same(before: dict[str, object], after: dict[str, object]) -> None:
    for name in ("trainable", "modes", "hooks"):
        assert before[name] == after[name]
    for name in ("tensors", "gradients"):
        torch.testing.assert_close(after[name], before[name], rtol=0, atol=0)


def test_it_is_never_negative_and_may_be_nothing(pooled: Classifier, pixels: Pixels) -> None:
    with torch.no_grad():
        pooled.head[2].weight[1] = -1.0
    found = grad_cam(pooled, pixels, class_index=1)
    assert not found.heat.any()
    assert (grad_cam(pooled, pixels).heat >= 0).all()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"layer": "blok2"}, "did you mean block2"),
        ({"layer": "head.2"}, "gives 2 axes"),
        ({"class_index": 5}, "class number is 5; expected 0 to 4"),
        ({"class_index": -1}, "class number is -1"),
    ],
)
def test_what_cannot_be_asked_is_said(
    pooled: Classifier, pixels: Pixels, asked: dict[str, object], said: str
) -> None:
    with pytest.raises(ConvlensError, match=said):
        grad_cam(pooled, pixels, **asked)  # type: ignore[arg-type]


def test_a_layer_whose_gradient_is_cut_off_is_refused(pixels: Pixels) -> None:
    class Cut(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.detach()

    head = nn.Sequential(Cut(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    net = Classifier(_stages(), head, SPEC)
    net.requires_grad_(False)
    with pytest.raises(ConvlensError, match="no class depends on layer 'block2' by a gradient"):
        grad_cam(net, pixels)


SIDE, PATCH = 20, 6


def _planted(seed: int, count: int) -> tuple[Pixels, NDArray[np.int64], NDArray[np.int64]]:
    """Noise with a small patch of stripes in it: class 0 lying, class 1 standing, 2 none."""
    numbers = np.random.default_rng(seed)
    pixels = numbers.integers(90, 166, (count, SIDE, SIDE, 1))
    labels = numbers.integers(0, 3, count)
    corners = numbers.integers(0, SIDE - PATCH + 1, (count, 2))
    stripes = np.where(np.arange(PATCH) % 2, 255, 0)
    for image, label, (top, left) in zip(pixels, labels, corners, strict=True):
        patch = image[top : top + PATCH, left : left + PATCH, 0]
        if label < 2:
            patch[:] = stripes[:, None] if label == 0 else stripes[None, :]
    return pixels.astype(np.uint8), labels, corners


def _trained_on_planted() -> Classifier:
    with _seeded(0):
        stages = {
            "block1": nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU()),
            "block2": nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        }
        head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))
        net = Classifier(stages, head, InputSpec(height=SIDE, width=SIDE, channels=1))
        optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
        for step in range(120):
            pixels, labels, _ = _planted(step, 32)
            x = torch.from_numpy(pixels).permute(0, 3, 1, 2)
            loss = F.cross_entropy(net(x), torch.from_numpy(labels))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.requires_grad_(False)


def test_it_lights_up_a_planted_object() -> None:
    net = _trained_on_planted()
    pixels, labels, corners = _planted(1000, 60)
    found: GradCam = grad_cam(net, pixels)
    assert (found.classes == labels).mean() > 0.95
    shown = np.flatnonzero((labels < 2) & (found.classes == labels))
    heat = found.heat.repeat(2, 1).repeat(2, 2)[shown]
    inside = [
        one[top : top + PATCH, left : left + PATCH].sum() / one.sum()
        for one, (top, left) in zip(heat, corners[shown], strict=True)
    ]
    by_chance = PATCH**2 / SIDE**2
    assert np.median(inside) > 5 * by_chance
    highest = np.array([np.unravel_index(one.argmax(), one.shape) for one in heat])
    hits = ((highest >= corners[shown] - 1) & (highest < corners[shown] + PATCH + 1)).all(axis=1)
    assert hits.mean() > 0.95


class _OnePiece(nn.Module):
    """A network whose stages cannot be told from its head; one of its layers runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.conv(self.conv(self.stem(x))).mean((2, 3)))
        return out


def test_a_network_in_one_piece_has_layers_proposed() -> None:
    net = Classifier({"network": _OnePiece()}, nn.Identity(), SPEC)
    pixels = np.zeros((1, 16, 12, 3), np.uint8)
    with pytest.raises(ConvlensError, match="pass --layer network.conv, .*: network.stem$") as told:
        grad_cam(net, pixels)
    assert "'network' gives 2 axes (1×2)" in told.value.problem
    assert grad_cam(net, pixels, layer="network.conv").heat.shape == (1, 10, 6)
    assert not net.stages[1]._forward_hooks
