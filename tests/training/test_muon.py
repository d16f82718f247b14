import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.training.muon import Muon, orthogonalized

QUINTIC = (3.4445, -4.7750, 2.0315)


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def quintic(value: Tensor, steps: int) -> Tensor:
    """The iteration on a number, which is what it does to each singular value."""
    a, b, c = QUINTIC
    for _ in range(steps):
        value = a * value + b * value**3 + c * value**5
    return value


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 6), st.integers(0, 99))
def test_it_keeps_the_singular_vectors_and_evens_out_the_values(
    rows: int, columns: int, steps: int, seed: int
) -> None:
    matrix = drawn(rows, columns, seed=seed)
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    expected = u @ torch.diag(quintic(s / s.norm(), steps)) @ vh
    torch.testing.assert_close(orthogonalized(matrix, steps=steps), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("shape", [(16, 144), (64, 27), (32, 32)])
def test_five_steps_are_nearly_orthogonal(shape: tuple[int, int]) -> None:
    matrix = drawn(*shape).float()
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    found = orthogonalized(matrix, steps=5)
    strong = s > s[0] / 100
    values = torch.linalg.svdvals(found)[strong]
    assert values.min() > 0.65
    assert values.max() < 1.25
    cosine = (found * (u @ vh)).sum() / (found.norm() * (u @ vh).norm())
    assert cosine > 0.98


def test_single_precision_is_precise_enough() -> None:
    """The small square's eigenvalues are squares: those of weak directions lose their digits."""
    u, _, vh = torch.linalg.svd(drawn(64, 300), full_matrices=False)
    steep = u @ torch.diag(torch.logspace(0, -6, 64, dtype=torch.float64)) @ vh
    found, exact = orthogonalized(steep.float(), steps=5), orthogonalized(steep, steps=5)
    torch.testing.assert_close(found, exact.float(), rtol=0, atol=1e-3)


def test_nothing_stays_nothing() -> None:
    assert torch.equal(orthogonalized(torch.zeros(3, 5), steps=5), torch.zeros(3, 5))


def muon(
    kernels: list[Tensor], rest: list[Tensor], *, rest_decay: float = 0.05, **asked: object
) -> Muon:
    terms = {
        "lr": 0.1,
        "rest_lr": 0.01,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "steps": 5,
        "normalize": False,
    }
    groups = [{"params": rest, "weight_decay": rest_decay}] if rest else []
    return Muon(kernels, groups, **{**terms, **asked})  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(8, 4, 3, 3), (40, 3, 3, 3)])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_kernels_take_the_steps_of_torchs_muon(
    shape: tuple[int, int, int, int], decay: float
) -> None:
    """Torch's is for matrices, and runs in bfloat16, hence the tolerance."""
    kernel = drawn(*shape).requires_grad_()
    matrix = kernel.detach().clone().flatten(1).requires_grad_()
    ours = muon([kernel], [], weight_decay=decay)
    theirs = torch.optim.Muon([matrix], lr=0.1, momentum=0.9, weight_decay=decay, nesterov=True)
    for step in range(5):
        gradient = drawn(*shape, seed=step + 1)
        before = kernel.detach().clone()
        kernel.grad, matrix.grad = gradient, gradient.flatten(1).clone()
        ours.step()
        theirs.step()
        moved = (kernel - before).norm().item()
        assert (kernel.flatten(1) - matrix).norm().item() < 0.05 * moved * (step + 1)


def test_the_rest_takes_the_steps_of_sgd() -> None:
    """SGD's decay goes into the momentum, ours does not; so it is compared without."""
    ours, theirs = [[drawn(5, 3).requires_grad_(), drawn(7).requires_grad_()] for _ in range(2)]
    optimizer = muon([], ours, rest_decay=0.0)
    reference = torch.optim.SGD(theirs, lr=0.01, momentum=0.9, nesterov=True)
    for step in range(4):
        for own, other in zip(ours, theirs, strict=True):
            own.grad = drawn(*own.shape, seed=step)
            other.grad = own.grad.clone()
        optimizer.step()
        reference.step()
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-14)


def test_decay_takes_its_share_times_the_rate_off_the_weights() -> None:
    kernel, matrix = drawn(4, 2, 3, 3).requires_grad_(), drawn(4, 2).requires_grad_()
    before = kernel.detach().clone(), matrix.detach().clone()
    for parameter in (kernel, matrix):
        parameter.grad = torch.zeros_like(parameter)
    muon([kernel], [matrix], weight_decay=0.3, rest_decay=0.2).step()
    torch.testing.assert_close(kernel, before[0] * (1 - 0.1 * 0.3))
    torch.testing.assert_close(matrix, before[1] * (1 - 0.01 * 0.2))


def test_each_step_is_as_long_as_its_rate_says() -> None:
    """An orthogonal m×n step has the norm √min(m, n), and √m with the taller matrices' factor."""
    for shape in [(8, 4, 3, 3), (40, 3, 3, 3)]:
        for size in (1e-4, 1.0, 1e4):
            kernel = drawn(*shape).requires_grad_()
            before = kernel.detach().clone()
            kernel.grad = size * drawn(*shape, seed=1)
            muon([kernel], []).step()
            moved = (kernel - before).norm().item()
            assert moved == pytest.approx(0.1 * shape[0] ** 0.5, rel=0.2)


def test_kernels_are_normalized_before_the_step_if_asked() -> None:
    kernel = (100 * drawn(8, 4, 3, 3)).requires_grad_()
    kernel.grad = torch.zeros_like(kernel)
    muon([kernel], [], normalize=True, weight_decay=0.5).step()
    assert kernel.norm().item() == pytest.approx(8**0.5)


def test_what_has_no_gradient_stays() -> None:
    kernel, bias = drawn(4, 2, 3, 3).requires_grad_(), drawn(4).requires_grad_()
    before = kernel.detach().clone(), bias.detach().clone()
    muon([kernel], [bias], weight_decay=0.5).step()
    assert torch.equal(kernel, before[0])
    assert torch.equal(bias, before[1])


def test_channels_last_kernels_step_alike() -> None:
    plain = drawn(8, 4, 3, 3).requires_grad_()
    last = plain.detach().clone().to(memory_format=torch.channels_last).requires_grad_()
    for kernel in (plain, last):
        kernel.grad = drawn(8, 4, 3, 3, seed=1).clone(memory_format=torch.preserve_format)
        muon([kernel], []).step()
    assert last.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, plain)


def test_a_closure_is_refused() -> None:
    with pytest.raises(TypeError, match="without a closure"):
        muon([drawn(4, 2, 3, 3).requires_grad_()], []).step(lambda: 0.0)


def test_a_network_of_only_dense_layers_has_no_kernels() -> None:
    layer = nn.Linear(3, 2)
    optimizer = muon([], list(layer.parameters()))
    assert [group["orthogonal"] for group in optimizer.param_groups] == [False]
