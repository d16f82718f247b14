import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convlens.core.errors import WorkFailedError
from convlens.data import (
    CacheSettings,
    Features,
    PixelBatches,
    Pixels,
    disk_room,
    find_features,
    keep_features,
    list_entries,
    memory_room,
)
from convlens.data import pixel_store as store_module

KEY = bytes(range(16))
MAPS = np.random.default_rng(0).normal(size=(50, 3, 4, 5)).astype(np.float32)
ROWS = np.arange(100, 150)
OFF = CacheSettings(enabled=False)


def blocks(size: int = 16) -> Iterator[np.ndarray]:
    for at in range(0, len(MAPS), size):
        yield MAPS[at : at + size]


def kept(listener: Any, settings: CacheSettings | None = None) -> Features:
    return keep_features(
        blocks(),
        key=KEY,
        rows=ROWS,
        shape=(3, 4, 5),
        name="plants, features of simple up to block2",
        settings=settings or CacheSettings(),
        reporter=listener,
    )


def test_what_is_kept_is_found_again(listener: Any) -> None:
    assert find_features(KEY, ROWS, CacheSettings()) is None
    first = kept(listener)
    second = find_features(KEY, ROWS, CacheSettings())
    assert second is not None
    for features in (first, second):
        assert features.array.dtype == np.float32
        assert np.array_equal(features.array, MAPS)
        assert not features.array.flags.writeable
        assert len(features) == 50
        assert features.rows is ROWS
    assert find_features(bytes(16), ROWS, CacheSettings()) is None
    assert listener.warned == []


def test_features_of_another_number_of_images_are_not_taken(listener: Any) -> None:
    kept(listener)
    assert find_features(KEY, ROWS[:-1], CacheSettings()) is None
    assert find_features(KEY, ROWS, CacheSettings()) is not None


def test_an_entry_says_what_it_is(listener: Any) -> None:
    kept(listener)
    (entry,) = list_entries(CacheSettings().place)
    assert (entry.kind, entry.shape, entry.size) == ("features", (50, 3, 4, 5), MAPS.nbytes)
    assert entry.name == "plants, features of simple up to block2"


def test_without_a_cache_they_stay_in_memory(listener: Any) -> None:
    assert np.array_equal(kept(listener, OFF).array, MAPS)
    assert find_features(KEY, ROWS, OFF) is None
    assert list_entries(CacheSettings().place) == []


def test_features_that_were_cut_short_count_as_none(listener: Any) -> None:
    kept(listener)
    (entry,) = list_entries(CacheSettings().place)
    (entry.folder / "pixels.bin").write_bytes(MAPS.tobytes()[:-4])
    assert find_features(KEY, ROWS, CacheSettings()) is None
    assert np.array_equal(kept(listener).array, MAPS)
    assert find_features(KEY, ROWS, CacheSettings()) is not None


def test_no_images_have_no_features(listener: Any) -> None:
    none = keep_features(
        iter(()),
        key=KEY,
        rows=np.arange(0),
        shape=(3, 4, 5),
        name="nothing",
        settings=CacheSettings(),
        reporter=listener,
    )
    assert none.array.shape == (0, 3, 4, 5)
    assert len(none) == 0


def test_one_limit_holds_for_pixels_and_features(listener: Any) -> None:
    settings = CacheSettings(max_gigabytes=1.5 * MAPS.nbytes / 1e9)
    kept(listener, settings)
    (old,) = list_entries(settings.place)
    os.utime(old.folder / "entry.json", (1, 1))
    other = keep_features(
        blocks(),
        key=bytes(16),
        rows=ROWS,
        shape=(3, 4, 5),
        name="others",
        settings=settings,
        reporter=listener,
    )
    assert [entry.name for entry in list_entries(settings.place)] == ["others"]
    assert np.array_equal(other.array, MAPS)


def test_a_full_disk_costs_the_cache_and_not_the_work(
    listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    assert np.array_equal(kept(listener).array, MAPS)
    (warning,) = listener.warned
    assert warning.startswith("feature maps are kept in memory, not in ")
    assert "no space left" in warning
    assert [f for f in CacheSettings().place.rglob("*") if f.is_file()] == []


def test_room_neither_on_disk_nor_in_memory(listener: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "available_memory", lambda: 1000)
    told = "feature maps of 50 images need 0 MB of memory, .* training.feature_cache=false"
    with pytest.raises(WorkFailedError, match=told) as raised:
        kept(listener, OFF)
    assert raised.value.code == "no-room-for-features"


def test_an_interruption_leaves_nothing(listener: Any) -> None:
    def interrupted() -> Iterator[np.ndarray]:
        yield MAPS[:10]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep_features(
            interrupted(),
            key=KEY,
            rows=ROWS,
            shape=(3, 4, 5),
            name="half",
            settings=CacheSettings(),
            reporter=listener,
        )
    assert [f for f in CacheSettings().place.rglob("*") if f.is_file()] == []


def test_the_room_there_is(listener: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert disk_room(OFF) == 0
    assert disk_room(CacheSettings(max_gigabytes=1e-3)) == 1_000_000
    (tmp_path / "file").write_text("not a folder")
    assert disk_room(CacheSettings(folder=tmp_path / "file" / "pixels")) == 0
    kept(listener)
    monkeypatch.setattr(store_module, "_free", lambda _: 77)
    assert disk_room(CacheSettings()) == MAPS.nbytes + 77
    monkeypatch.setattr(store_module, "available_memory", lambda: 1000)
    assert memory_room() == 800
    monkeypatch.setattr(store_module, "available_memory", lambda: None)
    assert memory_room() > 1 << 60


def test_batches_of_features_are_those_of_the_pixels(listener: Any) -> None:
    labels = np.random.default_rng(1).integers(0, 3, 150)
    pixels = Pixels(np.zeros((50, 2, 2, 3), np.uint8), ROWS)
    how: dict[str, Any] = {"batch_size": 16, "seed": 5}
    ours = PixelBatches(kept(listener), labels, **how).epoch(3, samples_seen=16)
    theirs = PixelBatches(pixels, labels, **how).epoch(3, samples_seen=16)
    for own, other in zip(ours, theirs, strict=True):
        assert own.indices.tolist() == other.indices.tolist()
        assert own.targets.tolist() == other.targets.tolist()
        expected = MAPS[own.indices.numpy() - 100].transpose(0, 3, 1, 2)
        assert np.array_equal(own.pixels.numpy(), expected)
