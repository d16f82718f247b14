"""The parts of the search for near duplicates, against independent computations."""

import numpy as np
import pytest
from scipy.fft import dctn
from scipy.ndimage import uniform_filter

from convlens.preflight.hash_index import FARTHEST, HashIndex
from convlens.preflight.picture_hash import VIEWS, codes, cropped, frequencies
from convlens.preflight.similarity import coarse, compared, unit

random = np.random.default_rng(0)


def pictures(n: int, seed: int = 0) -> np.ndarray:
    """Smooth noise: n×32×32×3."""
    coarse_noise = np.random.default_rng(seed).uniform(0, 255, (n, 32, 32, 3))
    return np.stack([uniform_filter(p, (5, 5, 0)) for p in coarse_noise]).astype(np.float32)


def test_frequencies_are_scipys_discrete_cosine_transform() -> None:
    shown = pictures(3)
    gray = shown @ np.array([0.299, 0.587, 0.114])
    whole = dctn(gray, axes=(1, 2), norm="ortho")
    order = sorted(((i, j) for i in range(12) for j in range(12)), key=lambda ij: (sum(ij), ij))
    expected = np.stack([whole[:, i, j] for i, j in order[1:65]], axis=1)
    found = frequencies(shown, views=False)[0]
    border = np.array([1 if i and j else np.sqrt(2) for i, j in order[1:65]])
    np.testing.assert_allclose(found, expected * border, rtol=1e-3, atol=0.5)


def test_light_and_contrast_leave_the_hash_as_it_is() -> None:
    shown = pictures(20)
    hashes = codes(frequencies(shown, views=True))
    assert hashes.shape == (1 + len(VIEWS), 20)
    np.testing.assert_array_equal(codes(frequencies(0.5 * shown + 40, views=True)), hashes)


def test_a_version_is_the_picture_without_its_margins() -> None:
    ramp = np.arange(32, dtype=np.float32)
    for view, (top, left) in enumerate(VIEWS, start=1):
        rows, columns = cropped(view)
        for matrix, start in ((rows, top), (columns, left)):
            sampled = matrix @ ramp
            first, last = start * 32 - 0.5, (start + 0.95) * 32 - 0.5
            inner = slice(1, -1)  # at the edge the nearest pixel is repeated
            expected = first + (last - first) * (np.arange(32) + 0.5) / 32
            np.testing.assert_allclose(sampled[inner], expected[inner], atol=1e-4)


@pytest.mark.parametrize("n", [50, 3000])
def test_the_index_finds_what_comparing_all_pairs_finds_near(n: int) -> None:
    base = random.normal(size=(1, n, 64)).astype(np.float32)
    noise = 0.12 * random.normal(size=(1, n, 64)).astype(np.float32)
    index = HashIndex.of(codes(base)[0])
    found = index.near(base + noise)
    apart = np.bitwise_count(codes(base + noise)[0] ^ codes(base)[0])
    own = found.query[found.query == found.match]
    due = np.flatnonzero(apart <= FARTHEST)
    assert len(np.intersect1d(own, due)) >= 0.99 * len(due)
    distances = np.bitwise_count(codes(base + noise)[0][found.query] ^ index.codes[found.match])
    assert (distances <= FARTHEST).all()
    assert len(np.unique(np.stack([found.query, found.match]), axis=1).T) == len(found.query)


def test_work_grows_no_faster_than_the_images_even_where_all_are_alike() -> None:
    """Ten times the images is at most ten times the pairs, to a constant that buckets bound."""
    work = []
    for n in (500, 5000):
        alike = np.ones((1, n, 64), np.float32) + 0.01 * random.normal(size=(1, n, 64))
        index = HashIndex.of(codes(alike)[0])
        work.append(index.near(alike.astype(np.float32)).looked_at / n)
    assert work[1] <= 1.2 * work[0]
    assert max(work) <= 4 * 16 * 32


def test_correlations_are_numpys() -> None:
    one, other = (pictures(4, seed).astype(np.uint8) for seed in (1, 2))
    found = compared(one, other, np.zeros(4, np.int64))
    for i in range(4):
        a, b = (p[i].reshape(16, 2, 16, 2, 3).mean(axis=(1, 3)) for p in (one, other))
        assert found.whole[i] == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1], abs=1e-4)
        fine = [p - uniform_filter(p, (5, 5, 0), mode="mirror") for p in (a, b)]
        expected = np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1]
        assert found.detail[i] == pytest.approx(expected, abs=1e-3)


def test_a_cropped_version_is_compared_as_such() -> None:
    whole = pictures(6).astype(np.uint8)
    view = np.arange(1, 7)
    crops = []
    for i, v in enumerate(view):
        rows, columns = cropped(int(v))
        crops.append(np.einsum("ij,jkc,lk->ilc", rows, whole[i].astype(np.float32), columns))
    theirs = np.rint(np.stack(crops)).astype(np.uint8)
    assert (compared(whole, theirs, view).whole > 0.999).all()
    assert (compared(whole, theirs, np.zeros(6, np.int64)).whole < 0.999).all()


def test_vectors_of_pictures_have_length_one_and_a_blank_one_none() -> None:
    shown = np.concatenate([pictures(3).astype(np.uint8), np.full((1, 32, 32, 3), 9, np.uint8)])
    lengths = np.linalg.norm(unit(coarse(shown)), axis=1)
    np.testing.assert_allclose(lengths, [1, 1, 1, 0], atol=1e-5)
