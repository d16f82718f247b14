import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from convlens.augment import AugmentSettings, MixDraws, draw_mix
from convlens.augment.mixing import mix_pixels, mix_targets


def drawn(options, indices=range(16), *, seed=0, epoch=0, height=40, width=60):
    return draw_mix(options, seed=seed, epoch=epoch, indices=indices, height=height, width=width)


def test_a_batch_is_mixed_alike_every_time_and_another_otherwise():
    options = AugmentSettings(mixup=0.4)
    first, again = drawn(options), drawn(options)
    assert first.share == again.share
    assert np.array_equal(first.partners, again.partners)
    others = [drawn(options, seed=1), drawn(options, epoch=1), drawn(options, range(16, 32))]
    assert len({first.share, *(other.share for other in others)}) == 4


def test_partners_are_the_batch_itself_in_another_order():
    assert sorted(drawn(AugmentSettings(cutmix=1)).partners) == list(range(16))


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_follow_the_beta_distribution(alpha):
    shares = [drawn(AugmentSettings(mixup=alpha), epoch=epoch).share for epoch in range(400)]
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_with_both_each_has_its_half_of_the_batches():
    both = AugmentSettings(mixup=0.2, cutmix=1)
    cut = [drawn(both, epoch=epoch).box is not None for epoch in range(400)]
    assert np.mean(cut) == pytest.approx(0.5, abs=0.08)
    assert all(drawn(AugmentSettings(cutmix=1), epoch=epoch).box for epoch in range(20))
    assert not any(drawn(AugmentSettings(mixup=1), epoch=epoch).box for epoch in range(20))


def test_mixup_is_the_weighted_mean(tools, photographs):
    pixels = tools.as_batch(photographs)
    draws = MixDraws(partners=np.array([1, 2, 3, 0]), share=0.3)
    expected = 0.3 * photographs + 0.7 * photographs[[1, 2, 3, 0]]
    assert np.abs(tools.as_images(mix_pixels(pixels, draws)) - expected).max() <= 0.51
    real = mix_pixels(pixels.float() / 255, draws)
    assert np.abs(tools.as_images(real) * 255 - expected).max() < 1e-3


def test_cutmix_pastes_the_box_and_counts_it(tools, photographs):
    for epoch in range(10):
        draws = drawn(AugmentSettings(cutmix=1), range(4), epoch=epoch, height=96, width=128)
        left, top, width, height = draws.box
        expected = photographs.copy()
        window = np.s_[:, top : top + height, left : left + width]
        expected[window] = photographs[draws.partners][window]
        assert np.array_equal(
            tools.as_images(mix_pixels(tools.as_batch(photographs), draws)), expected
        )
        assert draws.share == pytest.approx(1 - width * height / (96 * 128))


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(1, 9),
    classes=st.integers(2, 6),
    epoch=st.integers(0, 500),
    mixup=st.sampled_from([0.0, 0.2]),
    cutmix=st.sampled_from([0.5, 1.0]),
)
def test_mixed_targets_add_up_to_one_and_hold_only_the_two_classes(
    n, classes, epoch, mixup, cutmix
):
    draws = drawn(AugmentSettings(mixup=mixup, cutmix=cutmix), range(n), epoch=epoch)
    labels = torch.arange(n) % classes
    mixed = mix_targets(labels, draws, classes)
    assert mixed.shape == (n, classes)
    assert mixed.sum(dim=1).tolist() == pytest.approx([1] * n)
    for row, own, other in zip(mixed, labels, labels[draws.partners], strict=True):
        expected = np.zeros(classes)
        expected[own] += draws.share
        expected[other] += 1 - draws.share
        assert row.tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_targets_that_are_mixed_already_are_mixed_again():
    soft = torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    draws = MixDraws(partners=np.array([1, 0]), share=0.5)
    assert mix_targets(soft, draws, 3).tolist() == [[0.25, 0.25, 0.5]] * 2


def test_the_batch_given_stays_as_it_is(tools, photographs):
    pixels = tools.as_batch(photographs.copy())
    mix_pixels(pixels, MixDraws(partners=np.array([1, 0, 3, 2]), share=0.5, box=(0, 0, 50, 50)))
    mix_pixels(pixels, MixDraws(partners=np.array([1, 0, 3, 2]), share=0.5))
    assert np.array_equal(tools.as_images(pixels), photographs)
