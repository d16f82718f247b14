import os
from pathlib import Path

import numpy as np
import pytest

from convlens.core.reporter import Quiet
from convlens.data import ImageSet, content_digests, content_kind


def images_of(paths: list[Path] | None = None, arrays: np.ndarray | None = None) -> ImageSet:
    count = len(paths if paths is not None else arrays)
    none = np.zeros(0, np.int64)
    return ImageSet(
        name="plants",
        classes=("a",),
        labels=np.zeros(count, np.int64),
        splits={"train": none, "val": none, "test": none},
        paths=None if paths is None else [str(path) for path in paths],
        arrays=arrays,
    )


def digests(images: ImageSet) -> list[int]:
    return content_digests(images, np.arange(len(images)), Quiet()).tolist()


def test_a_copy_has_the_digest_of_its_original_under_any_name_and_time(tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(100_000)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(content)
    os.utime(tmp_path / "b.jpg", ns=(1, 1))
    one, other = digests(images_of([tmp_path / "a.jpg", tmp_path / "b.jpg"]))
    assert one == other != 0


@pytest.mark.parametrize("size", [1, 4096, 16384, 16385, 49152, 1_000_000])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_change_at_either_end_or_in_the_middle_is_seen(
    tmp_path: Path, size: int, share: float
) -> None:
    content = bytearray(size)
    (tmp_path / "a").write_bytes(content)
    content[round(share * (size - 1))] = 1
    (tmp_path / "b").write_bytes(content)
    (tmp_path / "c").write_bytes(bytes(size + 1))
    assert len(set(digests(images_of([tmp_path / name for name in "abc"])))) == 3


@pytest.mark.parametrize("at", range(0, 49152, 5000))
def test_a_file_of_48_kib_is_read_whole(tmp_path: Path, at: int) -> None:
    content = bytearray(49152)
    (tmp_path / "a").write_bytes(content)
    content[at] = 1
    (tmp_path / "b").write_bytes(content)
    one, other = digests(images_of([tmp_path / "a", tmp_path / "b"]))
    assert one != other


def test_a_file_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    assert digests(images_of([tmp_path / "gone.jpg"])) == [0]
    assert digests(images_of([])) == []


def test_arrays_count_every_pixel() -> None:
    arrays = np.zeros((3, 4, 4, 1), np.uint8)
    arrays[2, 3, 3] = 1
    one, same, other = digests(images_of(arrays=arrays))
    assert one == same != other
    assert content_kind(images_of(arrays=arrays)) == "arrays"
