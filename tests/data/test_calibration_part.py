import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.data import ImageSet, split_calibration


def image_set(labels: np.ndarray, groups: np.ndarray | None = None) -> ImageSet:
    """All of them validation images, but for one of each class to train on."""
    k, n = int(labels.max()) + 1, len(labels)
    none = np.zeros(0, np.int64)
    return ImageSet(
        name="made",
        classes=tuple(map(str, range(k))),
        labels=np.concatenate([labels, np.arange(k)]),
        splits={"train": np.arange(n, n + k), "val": np.arange(n), "test": none},
        paths=[f"{label}/{number}.jpg" for number, label in enumerate(labels)]
        + [f"train/{label}.jpg" for label in range(k)],
        groups=None if groups is None else np.concatenate([groups, -1 - np.arange(k)]),
    )


@settings(deadline=None)
@given(st.integers(61, 300), st.integers(2, 6), st.integers(0, 2**40), st.floats(0.34, 0.7))
def test_every_validation_image_is_in_one_part_and_every_class_has_its_share(
    n: int, k: int, seed: int, share: float
) -> None:
    labels = np.random.default_rng(seed).integers(0, k, n)
    labels[:k] = np.arange(k)
    images = image_set(labels)
    deciding, calibrating = split_calibration(images, share=share, seed=seed)
    assert sorted([*deciding, *calibrating]) == list(range(n))
    for part in (deciding, calibrating):
        assert (np.diff(part) > 0).all()
        assert part.dtype == np.int64
    whole, own = (np.bincount(labels[part], minlength=k) for part in (np.arange(n), calibrating))
    assert (np.abs(own - share * whole)[whole > 2] <= 1).all()
    again = split_calibration(images, share=share, seed=seed)
    assert (again[1] == calibrating).all()


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_groups_never_straddle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 40, 150)
    deciding, calibrating = split_calibration(
        image_set(rng.integers(0, 3, 150), groups), share=0.33, seed=seed
    )
    assert len(calibrating) >= 20
    assert not set(groups[deciding]) & set(groups[calibrating])


def test_which_images_depends_on_the_seed_and_the_names_not_on_the_order() -> None:
    labels = np.arange(120) % 2
    images = image_set(labels)
    one, other = (split_calibration(images, share=0.33, seed=seed)[1] for seed in (0, 1))
    assert one.tolist() != other.tolist()
    turned = ImageSet(
        name="turned",
        classes=images.classes,
        labels=images.labels[::-1],
        splits={**images.splits, "train": np.arange(2), "val": np.arange(2, 122)},
        paths=list(images.paths or ())[::-1],
    )
    there = split_calibration(turned, share=0.33, seed=0)[1]
    assert {(turned.paths or ())[i] for i in there} == {(images.paths or ())[i] for i in one}


@pytest.mark.parametrize(("n", "calibrating"), [(0, 0), (57, 0), (60, 20), (180, 60), (5000, 1650)])
def test_few_images_all_decide(n: int, calibrating: int) -> None:
    labels = np.arange(n) % 10 if n else np.zeros(0, np.int64)
    images = image_set(labels if n else np.array([0]))
    if not n:
        none = np.zeros(0, np.int64)
        images = ImageSet(
            name="made",
            classes=("0",),
            labels=np.array([0]),
            splits={"train": np.array([0]), "val": none, "test": none},
            paths=["0.jpg"],
        )
    found = split_calibration(images, share=0.33, seed=0)
    assert [len(part) for part in found] == [n - calibrating, calibrating]


def test_where_none_is_wanted_or_one_group_holds_all_none_calibrates() -> None:
    labels = np.arange(200) % 2
    assert not split_calibration(image_set(labels), share=0.0, seed=0)[1].size
    together = image_set(labels, np.zeros(200, np.int64))
    deciding, calibrating = split_calibration(together, share=0.33, seed=0)
    assert (len(deciding), len(calibrating)) == (200, 0)
