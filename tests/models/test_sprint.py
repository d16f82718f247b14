import numpy as np
import pytest
import torch

from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.models import ModelSpec, build, prepare

SPEC = ModelSpec(name="sprint")


def smooth_images(n: int = 64, side: int = 16) -> torch.Tensor:
    """Pictures whose neighboring pixels and colors go together, as in photographs."""
    coarse = torch.from_numpy(np.random.default_rng(0).random((n, 3, 5, 5), np.float32))
    gray = coarse.mean(dim=1, keepdim=True)
    mixed = 0.7 * gray + 0.3 * coarse
    large = torch.nn.functional.interpolate(mixed, size=(side, side), mode="bicubic")
    noise = 0.02 * torch.from_numpy(np.random.default_rng(1).normal(size=large.shape)).float()
    return (large + noise).clamp(0, 1)


def prepared(images: torch.Tensor):
    network = build(
        SPEC, InputSpec(height=16, width=16, channels=3), classes=4, reporter=Quiet()
    ).eval()
    assert prepare(network, SPEC, lambda: images)
    return network


def test_the_first_layer_whitens() -> None:
    """Its outputs have unit variance and do not go together; the other half are their negatives."""
    images = smooth_images()
    network = prepared(images)
    conv = network.stages.get_submodule("whiten.conv")
    with torch.no_grad():
        out = conv(network.stages[0](images)).permute(1, 0, 2, 3).flatten(1).double()
    half = len(out) // 2
    torch.testing.assert_close(out[half:], -out[:half])
    moments = out[:half] @ out[:half].T / out.shape[1]
    own = moments.diagonal()
    assert own[0] == pytest.approx(1, abs=0.05)  # short of 1 by the small number that tames noise
    assert (own > 0.2).all()
    assert (own <= 1.0001).all()
    assert (moments - torch.diag(own)).abs().max() < 1e-3


def test_directions_come_from_the_images_and_nothing_else_changes() -> None:
    one = prepared(smooth_images())
    other = prepared(smooth_images().flip(1))  # red for blue
    first = one.stages.get_submodule("whiten.conv").weight
    second = other.stages.get_submodule("whiten.conv").weight
    assert first.shape == second.shape == (12, 3, 2, 2)
    assert not torch.equal(first, second)


def test_kernels_begin_as_identities() -> None:
    """A block's convolution passes its input on in its first channels."""
    network = prepared(smooth_images())
    conv = network.stages.get_submodule("block1.conv")
    x = torch.rand(2, 12, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(conv(x)[:, :12], x)
    inner = network.stages.get_submodule("block2.residual.layers.conv1")
    x = torch.rand(2, 192, 5, 5)
    with torch.no_grad():
        torch.testing.assert_close(inner(x), x)


def test_a_residual_adds_its_input() -> None:
    network = prepared(smooth_images())
    residual = network.stages.get_submodule("block3.residual")
    x = torch.rand(2, 384, 3, 3)
    with torch.no_grad():
        torch.testing.assert_close(residual(x), x + residual.layers(x))


@pytest.mark.parametrize(("width", "channels"), [(0.5, 192), (1.0, 384), (1.5, 576)])
def test_width_is_that_of_every_block(width: float, channels: int) -> None:
    spec = SPEC.model_copy(update={"width": width})
    network = build(spec, InputSpec(height=32, width=32), classes=10, reporter=Quiet())
    assert network.head.dense.in_features == channels
