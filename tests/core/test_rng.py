from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from convlens.core.rng import Stream, bits, derived_seed, permutation, uniform

SEEDS = st.integers(0, 2**63 - 1)


@given(SEEDS, st.integers(0, 1000), st.integers(0, 50), st.lists(st.integers(0, 10**9), min_size=1))
def test_a_draw_depends_on_its_own_counters_alone(
    seed: int, epoch: int, slot: int, indices: list[int]
) -> None:
    together = uniform(seed, epoch, indices, slot)
    apart = [uniform(seed, epoch, [index], slot)[0] for index in indices]
    assert together.tolist() == apart
    assert ((together >= 0) & (together < 1)).all()


def splitmix64(state: int) -> int:
    """Steele, Lea and Flood's generator, one step, on Python's own integers."""
    mask = 2**64 - 1
    z = (state + 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def test_the_mixing_function_is_splitmix64() -> None:
    assert splitmix64(0) == 0xE220A8397B1DCDAF, "the published first output for seed 0"


@given(SEEDS, st.integers(0, 2**40), st.integers(0, 2**40), st.integers(-8, 100))
def test_bits_chain_the_mixing_function_over_the_counters(
    seed: int, epoch: int, index: int, slot: int
) -> None:
    state = 0
    for word in (seed, epoch, slot, index):
        state = splitmix64((state + word) % 2**64)
    assert int(bits(seed, epoch, [index], slot)[0]) == state


@pytest.mark.parametrize("axis", ["seed", "epoch", "index", "slot"])
def test_each_counter_gives_uniform_and_independent_draws(axis: str) -> None:
    n = 20_000
    if axis == "index":
        draws = uniform(7, 3, np.arange(n), 1)
    else:
        place = {"seed": 0, "epoch": 1, "slot": 3}[axis]
        counters = [(7, 3, [11], 1)] * n
        draws = np.array(
            [
                uniform(*(i if p == place else c for p, c in enumerate(counter)))[0]
                for i, counter in enumerate(counters)
            ]
        )
    assert stats.kstest(draws, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 4 / np.sqrt(n)


def test_neighboring_streams_do_not_overlap() -> None:
    everything = [
        uniform(seed, epoch, np.arange(500), slot)
        for seed in range(4)
        for epoch in range(4)
        for slot in range(-3, 4)
    ]
    assert np.unique(np.concatenate(everything)).size == 500 * len(everything)


@given(SEEDS, st.integers(0, 100), st.integers(0, 300))
def test_a_permutation_holds_every_number_once(seed: int, epoch: int, n: int) -> None:
    assert sorted(permutation(seed, epoch, n).tolist()) == list(range(n))


def test_permutations_differ_by_epoch_and_every_place_is_equally_likely() -> None:
    orders = [permutation(0, epoch, 6) for epoch in range(3000)]
    assert all((a != b).any() for a, b in pairwise(orders[:5]))
    first = np.bincount([order[0] for order in orders], minlength=6)
    assert stats.chisquare(first).pvalue > 1e-3


def test_derived_seeds_differ_by_place_and_purpose() -> None:
    seeds = {derived_seed(0, e, s, slot=Stream.STEP) for e in range(30) for s in range(30)}
    seeds |= {derived_seed(0, 0, s, slot=Stream.WEIGHTS) for s in range(30)}
    assert len(seeds) == 930
    assert all(0 <= seed < 2**63 for seed in seeds)
