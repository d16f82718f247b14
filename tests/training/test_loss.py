import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor
from torch.nn import functional as F

from convlens.core.errors import ConvlensError
from convlens.core.settings import validated
from convlens.training.loss import (
    LossSettings,
    class_weights,
    correct,
    log_loss,
    summed_loss,
    total_weight,
)

SEEDS = st.integers(0, 2**31)
SMOOTHING = st.sampled_from([0.0, 0.1, 0.5])


def drawn(seed: int, classes: int, samples: int = 7) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Logits, class numbers, mixed targets and class weights, float64."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(samples, classes, generator=generator, dtype=torch.float64)
    labels = torch.randint(classes, (samples,), generator=generator)
    mixed = torch.rand(samples, classes, generator=generator, dtype=torch.float64)
    weights = 0.1 + torch.rand(classes, generator=generator, dtype=torch.float64)
    return logits, labels, mixed / mixed.sum(dim=1, keepdim=True), weights


def mean(logits: Tensor, targets: Tensor, loss: LossSettings, weights: Tensor | None) -> Tensor:
    return summed_loss(logits, targets, loss, weights) / total_weight(targets, weights)


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.integers(2, 6), SMOOTHING, st.booleans())
def test_class_numbers_are_torchs_mean(
    seed: int, classes: int, smoothing: float, weighted: bool
) -> None:
    logits, labels, _, weights = drawn(seed, classes)
    loss = LossSettings(label_smoothing=smoothing)
    found = mean(logits, labels, loss, weights if weighted else None)
    expected = F.cross_entropy(
        logits, labels, weight=weights if weighted else None, label_smoothing=smoothing
    )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.integers(2, 6), SMOOTHING)
def test_mixed_targets_are_torchs_mean(seed: int, classes: int, smoothing: float) -> None:
    logits, _, mixed, _ = drawn(seed, classes)
    found = mean(logits, mixed, LossSettings(label_smoothing=smoothing), None)
    expected = F.cross_entropy(logits, mixed, label_smoothing=smoothing)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.integers(2, 6), SMOOTHING)
def test_mixed_targets_with_class_weights_are_torchs_sum(
    seed: int, classes: int, smoothing: float
) -> None:
    logits, _, mixed, weights = drawn(seed, classes)
    found = summed_loss(logits, mixed, LossSettings(label_smoothing=smoothing), weights)
    expected = F.cross_entropy(
        logits, mixed, weight=weights, label_smoothing=smoothing, reduction="sum"
    )
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.sampled_from(["cross-entropy", "focal"]), SMOOTHING, st.booleans())
def test_a_whole_mixed_target_counts_as_its_class(
    seed: int, name: str, smoothing: float, weighted: bool
) -> None:
    """Torch's own means differ: it divides by weights here, and by samples there."""
    logits, labels, _, weights = drawn(seed, 4)
    loss = LossSettings.model_validate({"name": name, "label_smoothing": smoothing})
    given_weights = weights if weighted else None
    whole = F.one_hot(labels, 4).to(torch.float64)
    torch.testing.assert_close(
        mean(logits, whole, loss, given_weights),
        mean(logits, labels, loss, given_weights),
        rtol=1e-12,
        atol=0,
    )


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.booleans(), st.booleans())
def test_binary_is_torchs_cross_entropy_of_a_sigmoid(
    seed: int, mixed_targets: bool, weighted: bool
) -> None:
    logits, labels, mixed, weights = drawn(seed, 2)
    one, targets = logits[:, :1], mixed if mixed_targets else labels
    share = mixed[:, 1] if mixed_targets else labels.to(torch.float64)
    loss = LossSettings(name="binary")
    found = summed_loss(one, targets, loss, weights if weighted else None)
    positive, negative = (weights[1], weights[0]) if weighted else (1.0, 1.0)
    expected = F.binary_cross_entropy_with_logits(
        one[:, 0] + 0, share, reduction="none", pos_weight=torch.as_tensor(positive / negative)
    )
    torch.testing.assert_close(found, (negative * expected).sum(), rtol=1e-12, atol=1e-14)


@settings(deadline=None, max_examples=50)
@given(SEEDS, SMOOTHING)
def test_binary_smooths_as_keras_does(seed: int, smoothing: float) -> None:
    """Keras: targets × (1 - smoothing) + smoothing / 2."""
    logits, labels, _, _ = drawn(seed, 2)
    smoothed = labels.double() * (1 - smoothing) + smoothing / 2
    found = summed_loss(
        logits[:, :1], labels, LossSettings(name="binary", label_smoothing=smoothing)
    )
    expected = F.binary_cross_entropy_with_logits(logits[:, 0], smoothed, reduction="sum")
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.floats(0.5, 5), st.booleans())
def test_focal_is_equation_5(seed: int, gamma: float, weighted: bool) -> None:
    logits, labels, _, weights = drawn(seed, 4)
    loss = LossSettings(name="focal", focal_gamma=gamma)
    p = logits.softmax(dim=1)[torch.arange(len(labels)), labels]
    alpha = weights[labels] if weighted else 1.0
    expected = (-alpha * (1 - p) ** gamma * p.log()).sum()
    found = summed_loss(logits, labels, loss, weights if weighted else None)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(SEEDS, SMOOTHING)
def test_focal_without_focus_is_cross_entropy(seed: int, smoothing: float) -> None:
    logits, labels, mixed, weights = drawn(seed, 4)
    focal = LossSettings(name="focal", focal_gamma=0.0, label_smoothing=smoothing)
    plain = LossSettings(label_smoothing=smoothing)
    for targets in (labels, mixed):
        found = summed_loss(logits, targets, focal, weights)
        expected = summed_loss(logits, targets, plain, weights)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


def test_focal_gradients_are_the_numerical_ones() -> None:
    logits, _, mixed, weights = drawn(0, 4)
    loss = LossSettings(name="focal", focal_gamma=1.5, label_smoothing=0.1)
    assert torch.autograd.gradcheck(
        lambda x: summed_loss(x, mixed, loss, weights), logits.requires_grad_()
    )


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0])
def test_focal_of_the_surest_logits_has_finite_gradients(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0, -50.0], [-200.0, 0.0, 90.0]], requires_grad=True)
    loss = LossSettings(name="focal", focal_gamma=gamma)
    summed_loss(logits, torch.tensor([0, 1]), loss).backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_half_precision_logits_are_summed_in_single() -> None:
    logits = torch.randn(64, 3, dtype=torch.bfloat16)
    labels = torch.arange(64) % 3
    for name in ("cross-entropy", "focal"):
        loss = LossSettings.model_validate({"name": name})
        found = summed_loss(logits, labels, loss, torch.ones(3))
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, summed_loss(logits.float(), labels, loss))


def test_log_loss_is_plain() -> None:
    logits, labels, mixed, _ = drawn(1, 3)
    torch.testing.assert_close(
        log_loss(logits, labels), F.cross_entropy(logits, labels, reduction="sum")
    )
    torch.testing.assert_close(
        log_loss(logits, mixed), F.cross_entropy(logits, mixed, reduction="sum")
    )


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(1, 50), min_size=2, max_size=6))
def test_balanced_weights_are_scikit_learns(counts: list[int]) -> None:
    labels = [name for name, count in enumerate(counts) for _ in range(count)]
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    found = class_weights(LossSettings(class_weights="balanced"), counts)
    assert found is not None
    assert found.tolist() == pytest.approx(expected.tolist())
    total = total_weight(torch.tensor(labels), found)
    assert total.item() == pytest.approx(len(labels)), "on average a sample counts 1"


def test_given_weights_are_taken_and_none_are_none() -> None:
    given_weights = class_weights(LossSettings(class_weights=(1.0, 0.5, 2.5)), [3, 4, 5])
    assert given_weights is not None
    assert given_weights.tolist() == [1.0, 0.5, 2.5]
    assert class_weights(LossSettings(), [3, 4, 5]) is None


@pytest.mark.parametrize(
    ("asked", "counts", "words"),
    [
        ((1.0, 2.0), [5, 5, 5], "2 numbers .* each of the 3 classes"),
        ("balanced", [5, 0], "class 1 .* no training sample"),
    ],
)
def test_weights_that_do_not_fit_are_refused(asked: object, counts: list[int], words: str) -> None:
    loss = LossSettings.model_validate({"class_weights": asked})
    with pytest.raises(ConvlensError, match=words):
        class_weights(loss, counts)


@settings(deadline=None, max_examples=50)
@given(SEEDS, st.integers(1, 5))
def test_a_batch_in_parts_has_the_mean_of_the_whole(seed: int, size: int) -> None:
    logits, labels, mixed, weights = drawn(seed, 3)
    for targets in (labels, mixed):
        parts = list(zip(logits.split(size), targets.split(size), strict=True))
        summed = sum(summed_loss(x, t, LossSettings(), weights) for x, t in parts)
        weight = sum(total_weight(t, weights) for _, t in parts)
        expected = mean(logits, targets, LossSettings(), weights)
        torch.testing.assert_close(summed / weight, expected, rtol=1e-12, atol=0)


def test_correct_counts_the_likeliest_class() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.0], [5.0, 2.0, 0.0], [0.0, 0.0, 0.1]])
    assert correct(logits, torch.tensor([1, 1, 2])).item() == 2
    mixed = torch.tensor([[0.6, 0.4, 0.0], [0.3, 0.4, 0.3], [0.0, 0.1, 0.9]])
    assert correct(logits, mixed).item() == 1


def test_correct_of_one_output_is_the_sign() -> None:
    logits = torch.tensor([[-0.1], [0.1], [3.0], [-math.inf]])
    assert correct(logits, torch.tensor([0, 1, 0, 0])).item() == 3
    mixed = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]])
    assert correct(logits, mixed).item() == 3


def test_no_samples_are_worth_nothing() -> None:
    empty, none = torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    assert summed_loss(empty, none, LossSettings()).item() == 0
    assert total_weight(none).item() == 0
    assert correct(empty, none).item() == 0


def test_a_class_cannot_count_nothing() -> None:
    """A batch of such classes alone would have no mean."""
    with pytest.raises(ValueError, match="greater than 0"):
        LossSettings(class_weights=(1.0, 0.0))


NAMED = LossSettings(class_weights={"dog": 1.0, "cat": 2.5})


def test_class_weights_by_name_are_put_in_the_order_of_the_classes() -> None:
    found = class_weights(NAMED, [3, 4], ("cat", "dog"))
    assert found is not None
    assert found.tolist() == [2.5, 1.0]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("cat", "dag"), "unknown class in class_weights 'dog'; did you mean 'dag'.*cat, dag"),
        (("ant", "cat", "dog"), "names 2 of 3 classes; ant is missing; give every class"),
    ],
)
def test_class_weights_of_other_classes_are_refused(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConvlensError, match=words):
        class_weights(NAMED, [1] * len(names), names)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("cat=2", 'expected "none", "balanced", or a number for each class'),
        ({"cat": 0, "dog": 1}, "weight of 'cat' has to be a number above 0"),
        ({"cat": 1, "dog": float("nan")}, "weight of 'dog' has to be"),
        ({"cat": True}, "weight of 'cat' has to be"),
        ({"cat": "two"}, "weight of 'cat' has to be"),
    ],
)
def test_class_weights_of_another_form_are_refused_once(asked: object, words: str) -> None:
    with pytest.raises(ConvlensError, match=words) as told:
        validated(LossSettings, {"class_weights": asked}, what="[training.loss]")
    assert str(told.value).count("class_weights is") == 1
