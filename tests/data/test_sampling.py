import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convlens.data.sampling import balanced_weights, repeats, weighted_sample

WEIGHTS = arrays(np.float64, st.integers(1, 60), elements=st.floats(0.0, 100.0)).filter(
    lambda weights: weights.sum() > 0.1
)


@given(WEIGHTS, st.integers(0, 2**40), st.integers(0, 5), st.integers(1, 300))
def test_every_count_is_the_expected_one_rounded_up_or_down(
    weights: np.ndarray, seed: int, epoch: int, draws: int
) -> None:
    sample = weighted_sample(weights, seed, epoch, draws=draws)
    counts = np.bincount(sample, minlength=len(weights))
    expected = draws * weights / weights.sum()
    assert counts.sum() == draws
    assert (np.abs(counts - expected) < 1 + 1e-6).all()


def test_what_weighs_nothing_is_never_drawn() -> None:
    weights = np.array([0.0, 1.0, 0.0, 2.0, 0.0])
    for epoch in range(50):
        assert set(weighted_sample(weights, 0, epoch).tolist()) <= {1, 3}


def test_draws_depend_on_seed_and_epoch_alone() -> None:
    weights = np.linspace(1, 2, 50)
    one = weighted_sample(weights, 3, 4)
    assert (weighted_sample(weights, 3, 4) == one).all()
    assert (weighted_sample(weights, 3, 5) != one).any()
    assert (weighted_sample(weights, 4, 4) != one).any()


def test_over_many_epochs_every_image_has_its_share() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0, 0.5])
    counts = sum(
        np.bincount(weighted_sample(weights, 0, epoch), minlength=5) for epoch in range(2000)
    )
    assert counts / counts.sum() == pytest.approx(weights / weights.sum(), abs=0.01)


@given(st.lists(st.integers(0, 5), max_size=60))
def test_repeats_count_what_came_before(drawn: list[int]) -> None:
    expected = [drawn[:at].count(number) for at, number in enumerate(drawn)]
    assert repeats(np.array(drawn, np.int64)).tolist() == expected


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200))
def test_balanced_weights_give_every_class_the_same(labels: list[int]) -> None:
    numbers = np.array(labels)
    weights = balanced_weights(numbers)
    classes = np.unique(numbers)
    assert weights.sum() == pytest.approx(1)
    for number in classes:
        of_class = weights[numbers == number]
        assert of_class.sum() == pytest.approx(1 / len(classes))
        assert of_class.min() == of_class.max()
    drawn = np.bincount(numbers[weighted_sample(weights, 0, 0)], minlength=6)[classes]
    assert drawn.max() - drawn.min() <= 2 * len(classes)
