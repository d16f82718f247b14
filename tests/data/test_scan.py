import os
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError
from convlens.core.reporter import Quiet
from convlens.data import open_source, scan
from convlens.data.scan import scan_headers


def photograph(path, size, orientation=1, mode="RGB"):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new(mode, size).save(path, exif=exif)
    return str(path)


def test_headers_agree_with_pillow(tmp_path):
    paths = [
        photograph(tmp_path / "a.jpg", (40, 30)),
        photograph(tmp_path / "b.jpg", (40, 30), orientation=6),
        photograph(tmp_path / "c.jpg", (10, 20), mode="L"),
    ]
    found = scan_headers(paths, Quiet())
    assert found.widths.tolist() == [40, 30, 10]
    assert found.heights.tolist() == [30, 40, 20]
    assert found.orientations.tolist() == [1, 6, 1]
    assert found.channels.tolist() == [3, 3, 1]
    assert found.unreadable == {}
    assert found.summary() == "sizes 20x10 to 40x30 (median 30x30), 1 turned by EXIF, 1 gray"


def test_unreadable_files_are_told_with_their_reason(tmp_path):
    photograph(tmp_path / "a.jpg", (4, 4))
    (tmp_path / "b.jpg").write_text("text")
    found = scan_headers([str(tmp_path / name) for name in ("a.jpg", "b.jpg", "gone.jpg")], Quiet())
    assert sorted(found.unreadable) == [1, 2]
    assert "not an image" in found.unreadable[1]
    assert found.widths.tolist() == [4, 0, 0]


def test_what_was_found_is_kept_until_a_file_changes(tmp_path, listener, monkeypatch):
    paths = [photograph(tmp_path / f"{n}.jpg", (4 + n, 4)) for n in range(5)]
    first = scan_headers(paths, listener)
    with monkeypatch.context() as patch:
        patch.setattr(scan, "read_header", None)  # reading again would fail
        again = scan_headers(paths, listener)
    assert again.widths.tolist() == first.widths.tolist() == [4, 5, 6, 7, 8]
    photograph(tmp_path / "0.jpg", (99, 4))
    os.utime(tmp_path / "0.jpg", ns=(1, 1))
    assert scan_headers(paths, listener).widths[0] == 99


def test_a_file_replaced_by_one_of_its_size_and_time_is_read_again(tmp_path):
    path = tmp_path / "a.bmp"
    Image.new("L", (8, 4)).save(path)
    before = path.stat()
    assert scan_headers([str(path)], Quiet()).widths.tolist() == [8]
    Image.new("L", (4, 8)).save(path)
    path.write_bytes(path.read_bytes().ljust(before.st_size, b"\0")[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert scan_headers([str(path)], Quiet()).widths.tolist() == [4]


def test_what_could_not_be_read_is_tried_again(tmp_path):
    path = Path(photograph(tmp_path / "a.jpg", (4, 4)))
    whole, before = path.read_bytes(), path.stat().st_mtime_ns
    path.write_bytes(b"no image" + whole[8:])
    os.utime(path, ns=(before, before))
    assert scan_headers([str(path)], Quiet()).unreadable
    path.write_bytes(whole)
    os.utime(path, ns=(before, before))
    assert scan_headers([str(path)], Quiet()).unreadable == {}


@pytest.mark.parametrize("content", [b"", b"damaged", np.zeros(3, np.int32).tobytes()])
def test_a_damaged_note_is_made_again(tmp_path, content):
    paths = [photograph(tmp_path / "a.jpg", (4, 4))]
    scan_headers(paths, Quiet())
    (kept,) = cache_folder("scans").iterdir()
    kept.write_bytes(content)
    assert scan_headers(paths, Quiet()).widths.tolist() == [4]


def test_no_more_than_the_newest_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(scan, "_KEPT", 2)
    for number in range(5):
        scan_headers([photograph(tmp_path / f"{number}.jpg", (4, 4))], Quiet())
    assert len(list(cache_folder("scans").iterdir())) == 2


def test_a_cache_that_cannot_be_written_does_no_harm(tmp_path):
    cache_folder("scans").parent.mkdir(parents=True)
    cache_folder("scans").write_text("a file where the folder should be")
    assert scan_headers([photograph(tmp_path / "a.jpg", (4, 4))], Quiet()).widths.tolist() == [4]


def test_nothing_to_scan():
    found = scan_headers([], Quiet())
    assert found.summary() == "no image can be read"


def test_unreadable_images_are_left_out_before_the_split(tmp_path, write_classes, listener):
    root = write_classes(tmp_path, a=6, b=6)
    for number in range(3):
        (root / "a" / f"broken{number}.jpg").write_text("text")
    images = open_source(root, reporter=listener)
    assert len(images) == 12
    assert [len(images.splits[name]) for name in ("train", "val", "test")] == [8, 2, 2]
    assert len(images.skipped) == 3
    assert {s.path for s in images.skipped} == {
        str(root / "a" / f"broken{number}.jpg") for number in range(3)
    }


def test_a_class_without_a_readable_image_is_refused(tmp_path, write_classes, listener):
    root = write_classes(tmp_path, a=6, b=6, c=0)
    (root / "c" / "x.jpg").write_text("text")
    with pytest.raises(ConvlensError) as caught:
        open_source(root, reporter=listener)
    assert caught.value.code == "class-without-images"
    assert "no image of c can be read" in caught.value.message


def test_files_that_are_no_images_at_all(tmp_path, listener):
    for label in "ab":
        (tmp_path / label).mkdir()
        (tmp_path / label / "x.jpg").write_text("text")
    with pytest.raises(ConvlensError) as caught:
        open_source(tmp_path, reporter=listener)
    assert caught.value.code == "no-images"
    assert "x.jpg" in caught.value.message


def test_memory_beyond_the_paths(tmp_path):
    """At most 300 bytes a file: the table is 16, and what it is worked out from is bounded."""
    one = photograph(tmp_path / "a.png", (4, 4))
    paths = [one] * 4_000
    scan_headers(paths[:10], Quiet())
    tracemalloc.start()
    found = scan_headers(paths, Quiet())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found.widths) == 4_000
    assert peak / len(paths) < 300
