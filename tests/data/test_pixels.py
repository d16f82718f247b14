import errno
import os
import threading
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.input_spec import InputSpec
from convlens.data import (
    CacheSettings,
    ImageSet,
    Pixels,
    Skipped,
    UnreadableImageError,
    decode,
    list_entries,
    read_pixels,
)
from convlens.data import pixel_store as store_module

SPEC = InputSpec(height=24, width=32)
PHOTOGRAPH = Image.fromarray(load_sample_image("flower.jpg"))


def image_set(paths: list[Path] | None = None, arrays: np.ndarray | None = None) -> ImageSet:
    count = len(paths or arrays)
    everything = np.arange(count)
    return ImageSet(
        name="plants",
        classes=("a",),
        labels=np.zeros(count, np.int64),
        splits={"train": everything, "val": everything[:0], "test": everything[:0]},
        paths=None if paths is None else [str(path) for path in paths],
        arrays=arrays,
    )


@pytest.fixture
def photographs(tmp_path: Path) -> list[Path]:
    """Twenty crops of a photograph, in several formats."""
    paths = []
    for number in range(20):
        suffix = ("jpg", "png", "webp")[number % 3]
        path = tmp_path / "images" / f"{number:02} blüte.{suffix}"
        path.parent.mkdir(exist_ok=True)
        PHOTOGRAPH.crop((number * 5, number, number * 5 + 120, number + 90)).save(path)
        paths.append(path)
    return paths


def all_of(images: ImageSet, listener: Any, **how: Any) -> Pixels:
    return read_pixels(images, np.arange(len(images)), SPEC, reporter=listener, **how)


@pytest.mark.parametrize("enabled", [True, False])
def test_each_row_is_what_decode_gives(
    photographs: list[Path], enabled: bool, listener: Any
) -> None:
    numbers = np.array([3, 0, 17, 4])
    settings = CacheSettings(enabled=enabled)
    pixels = read_pixels(
        image_set(photographs), numbers, SPEC, settings=settings, reporter=listener
    )
    assert pixels.rows.tolist() == [3, 0, 17, 4]
    assert pixels.skipped == ()
    for row, number in zip(pixels.array, numbers, strict=True):
        assert (row == decode(photographs[number], SPEC)).all()
    assert isinstance(pixels.array.base, np.memmap) is enabled
    assert bool(list_entries(CacheSettings().place)) is enabled
    assert listener.done[-1] == 4


def test_a_second_reading_decodes_nothing(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = all_of(image_set(photographs), listener)
    monkeypatch.setattr("convlens.data.pixels.decode", None)
    assert (all_of(image_set(photographs), listener).array == first.array).all()


def test_only_what_is_new_is_decoded(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, decoded = image_set(photographs), []

    def counting(source: str, *how: Any, **more: Any) -> np.ndarray:
        decoded.append(source)
        return decode(source, *how, **more)

    monkeypatch.setattr("convlens.data.pixels.decode", counting)
    read_pixels(images, np.arange(0, 12), SPEC, reporter=listener)
    read_pixels(images, np.arange(8, 20), SPEC, reporter=listener)
    assert sorted(decoded) == sorted(map(str, photographs))
    os.utime(photographs[5])
    everything = all_of(images, listener)
    assert sorted(decoded) == sorted([*map(str, photographs), str(photographs[5])])
    assert all(
        (row == decode(path, SPEC)).all()
        for row, path in zip(everything.array, photographs, strict=True)
    )


def test_a_margin_is_kept_apart(photographs: list[Path], listener: Any) -> None:
    images = image_set(photographs)
    with_margin = all_of(images, listener, margin=0.25)
    assert with_margin.array.shape == (20, 30, 40, 3)
    assert (with_margin.array[2] == decode(photographs[2], SPEC, margin=0.25)).all()
    assert all_of(images, listener).array.shape == (20, 24, 32, 3)


def test_images_of_the_inputs_size_are_not_enlarged_for_a_margin(
    photographs: list[Path], listener: Any
) -> None:
    for number, path in enumerate(photographs):
        pixels = np.random.default_rng(number).integers(0, 256, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(path, "PNG")
    images = image_set(photographs)
    whole = all_of(images, listener, margin=0.25)
    assert (whole.array[2] == np.asarray(Image.open(photographs[2]))).all()
    assert (all_of(image_set(arrays=whole.array), listener, margin=0.25).array == whole.array).all()
    Image.new("RGB", (64, 48)).save(photographs[7], "PNG")
    assert all_of(images, listener, margin=0.25).array.shape == (20, 30, 40, 3)


@pytest.mark.parametrize("enabled", [True, False])
def test_unreadable_images_are_left_out_and_named_each_time(
    photographs: list[Path], enabled: bool, listener: Any
) -> None:
    photographs[1].write_bytes(b"")
    data = photographs[6].read_bytes()
    photographs[6].write_bytes(data[: len(data) // 2])
    photographs[19].unlink()
    for _ in range(2):
        listener.warned.clear()
        pixels = all_of(image_set(photographs), listener, settings=CacheSettings(enabled=enabled))
        assert pixels.rows.tolist() == [n for n in range(20) if n not in {1, 6, 19}]
        assert len(pixels) == len(pixels.array) == 17
        assert pixels.skipped[0] == Skipped(str(photographs[1]), "it is empty", unreadable=True)
        assert "truncated" in pixels.skipped[1].reason
        assert "no such file" in pixels.skipped[2].reason
        for row, number in zip(pixels.array, pixels.rows, strict=True):
            assert (row == decode(photographs[number], SPEC)).all()
        (warning,) = listener.warned
        assert warning.startswith("left out 3 of 20 images that cannot be read: ")
        assert f"{photographs[1]} (it is empty)" in warning


def test_a_mended_file_is_read_again(photographs: list[Path], listener: Any) -> None:
    whole = photographs[0].read_bytes()
    photographs[0].write_bytes(whole[:500])
    assert len(all_of(image_set(photographs), listener)) == 19
    photographs[0].write_bytes(whole)
    assert len(all_of(image_set(photographs), listener)) == 20


def test_a_file_that_may_be_read_again_is_read_again(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its size nor its time tells that a right was given, or that a disk came back."""

    def hindered(image: Any, *how: Any, **more: Any) -> Any:
        if str(image) == str(photographs[3]):
            raise UnreadableImageError(str(image), "permission denied")
        return decode(image, *how, **more)

    with monkeypatch.context() as patched:
        patched.setattr("convlens.data.pixels.decode", hindered)
        assert len(all_of(image_set(photographs), listener)) == 19
        assert len(all_of(image_set(photographs), listener)) == 19
    assert len(all_of(image_set(photographs), listener)) == 20


def test_nothing_readable_is_an_error(tmp_path: Path, listener: Any) -> None:
    paths = [tmp_path / f"{n}.jpg" for n in range(5)]
    for path in paths:
        path.write_bytes(b"text")
    with pytest.raises(
        ConvlensError, match="none of 5 images can be read: .* and 2 more"
    ) as raised:
        all_of(image_set(paths), listener)
    assert raised.value.exit_status == 2
    assert list_entries(CacheSettings().place) == []


def test_no_images_are_no_error(photographs: list[Path], listener: Any) -> None:
    pixels = read_pixels(image_set(photographs), np.arange(0), SPEC, reporter=listener)
    assert pixels.array.shape == (0, 24, 32, 3)
    assert len(pixels) == 0


def test_arrays_of_the_inputs_size_are_taken_as_they_are(listener: Any) -> None:
    arrays = np.random.default_rng(0).integers(0, 256, (7, 24, 32, 3), np.uint8)
    pixels = read_pixels(image_set(arrays=arrays), np.array([6, 2]), SPEC, reporter=listener)
    assert (pixels.array == arrays[[6, 2]]).all()
    assert list_entries(CacheSettings().place) == []


@pytest.mark.parametrize("shape", [(7, 50, 60, 3), (7, 24, 32, 1), (7, 8, 8, 1)])
def test_arrays_of_another_size_are_brought_to_it(shape: tuple[int, ...], listener: Any) -> None:
    arrays = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images = image_set(arrays=arrays)
    for _ in range(2):
        pixels = all_of(images, listener)
        assert (pixels.array == np.stack([decode(image, SPEC) for image in arrays])).all()


def test_arrays_that_do_not_fit_are_an_error_not_a_skipped_image(listener: Any) -> None:
    with pytest.raises(ConvlensError, match="the image has 5 channels"):
        all_of(image_set(arrays=np.zeros((3, 9, 9, 5), np.uint8)), listener)


def test_a_disk_that_fills_costs_the_cache_and_not_the_work(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = all_of(image_set(photographs), listener, settings=CacheSettings(enabled=False))
    monkeypatch.setattr("convlens.data.pixels._BLOCK_IMAGES", 4)
    written: list[int] = []

    class Filling(FileIO):
        def write(self, content: Any) -> int:
            written.append(len(content))
            if len(written) == 3:  # part of the third block, then nothing more
                return super().write(content[:1000])
            if len(written) > 3:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(content)

    plain = Path.open

    def open_filling(path: Path, mode: str = "r", *how: Any, **more: Any) -> Any:
        return Filling(path, mode) if path.name == "pixels.bin" else plain(path, mode, *how, **more)

    monkeypatch.setattr(Path, "open", open_filling)
    pixels = all_of(image_set(photographs), listener)
    assert (pixels.array == expected.array).all()
    assert pixels.rows.tolist() == expected.rows.tolist()
    (warning,) = listener.warned
    assert "kept in memory" in warning
    assert "no space left on device" in warning
    assert [f for f in CacheSettings().place.rglob("*") if f.is_file()] == []


def test_a_disk_that_fills_at_the_last_moment(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    pixels = all_of(image_set(photographs), listener)
    assert all(
        (row == decode(path, SPEC)).all()
        for row, path in zip(pixels.array, photographs, strict=True)
    )
    assert len(listener.warned) == 1


def test_a_cache_that_cannot_be_written_to(
    photographs: list[Path], listener: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder")
    settings = CacheSettings(folder=tmp_path / "file" / "pixels")
    pixels = all_of(image_set(photographs), listener, settings=settings)
    assert len(pixels) == 20
    assert "kept in memory, not in" in listener.warned[0]


def test_a_cache_that_is_too_small(photographs: list[Path], listener: Any) -> None:
    settings = CacheSettings(max_gigabytes=1e-6)
    assert len(all_of(image_set(photographs), listener, settings=settings)) == 20
    assert "they need 0 MB, the cache may fill 0 MB" in listener.warned[0]


def test_a_disk_without_room(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "_SPARE_DISK", 10**18)
    assert len(all_of(image_set(photographs), listener)) == 20
    assert "the disk has 0 MB free" in listener.warned[0]


def test_room_neither_on_disk_nor_in_memory(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "available_memory", lambda: 1000)
    with pytest.raises(WorkFailedError, match="decoded pixels of 20 images need 0 MB of memory"):
        all_of(image_set(photographs), listener, settings=CacheSettings(enabled=False))
    assert len(all_of(image_set(photographs), listener)) == 20  # the disk has it


def test_what_memory_is_available_is_known_here() -> None:
    available = store_module.available_memory()
    assert available is None or available > 1_000_000


def test_an_interruption_leaves_neither_threads_nor_files(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = threading.active_count(), cv2.getNumThreads()
    monkeypatch.setattr("convlens.data.pixels._BLOCK_IMAGES", 2)

    def interrupt(done: int, detail: str = "") -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(listener, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        all_of(image_set(photographs), listener)
    assert (threading.active_count(), cv2.getNumThreads()) == before
    assert [f for f in CacheSettings().place.rglob("*") if f.is_file()] == []


def test_two_at_once(photographs: list[Path], listener: Any) -> None:
    results: list[Pixels] = []
    threads = [
        threading.Thread(target=lambda: results.append(all_of(image_set(photographs), listener)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert all((result.array == results[0].array).all() for result in results)
    assert len(list_entries(CacheSettings().place)) == 1


def test_reading_does_not_import_torch(
    photographs: list[Path], tmp_path: Path, write_image: Callable[..., Path]
) -> None:
    import subprocess
    import sys

    script = (
        "import sys, numpy as np\n"
        "from convlens.core.input_spec import InputSpec\n"
        "from convlens.core.reporter import Quiet\n"
        "from convlens.data import PixelBatches, ImageSet, read_pixels\n"
        "empty = np.arange(0)\n"
        "images = ImageSet(name='a', classes=('a',), labels=np.zeros(1, np.int64),\n"
        "    splits={'train': empty, 'val': empty, 'test': empty}, paths=[sys.argv[1]])\n"
        "read_pixels(images, np.arange(1), InputSpec(height=8, width=8), reporter=Quiet())\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script, str(photographs[0])], check=True)


def test_pixels_are_told_apart_by_what_they_were_read_from(
    photographs: list[Path], listener: Any
) -> None:
    def identity(numbers: range, **how: Any) -> bytes:
        images, wanted = image_set(photographs), np.array(numbers)
        return read_pixels(images, wanted, SPEC, reporter=listener, **how).identity()

    first = identity(range(6))
    assert first == identity(range(6)) == identity(range(6), settings=CacheSettings(enabled=False))
    os.utime(photographs[2], ns=(1, 1))
    others = [identity(range(6)), identity(range(5, -1, -1)), identity(range(6), margin=0.25)]
    assert len({first, *others}) == 4


def test_arrays_are_told_apart_by_every_byte() -> None:
    array = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 1), np.uint8)
    changed = array.copy()
    changed[3, 2, 4, 0] ^= 1
    pixels = [
        Pixels(array, np.arange(4)),
        Pixels(changed, np.arange(4)),
        Pixels(array, np.arange(1, 5)),
        Pixels(array.reshape(4, 5, 3, 1), np.arange(4)),
        Pixels(array[:0], np.arange(0)),
    ]
    assert len({own.identity() for own in pixels}) == 5
    strided = np.asfortranarray(array)
    assert Pixels(strided, np.arange(4)).identity() == pixels[0].identity()


def test_a_disk_that_cannot_hold_it_keeps_what_it_has(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_of(image_set(photographs[:10]), listener)
    monkeypatch.setattr("convlens.data.pixel_store._free", lambda place: 0)
    all_of(image_set(photographs), listener)
    assert "the disk has" in listener.warned[-1]
    assert len(list_entries(CacheSettings().place)) == 1, "nothing was evicted in vain"


def test_an_exception_in_a_worker_names_the_file(
    photographs: list[Path], listener: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(image: Any, *how: Any, **more: Any) -> Any:
        if str(image) == str(photographs[11]):
            raise cv2.error("resize: assertion failed")
        return decode(image, *how, **more)

    monkeypatch.setattr("convlens.data.pixels.decode", faulty)
    with pytest.raises(WorkFailedError, match="assertion failed") as raised:
        all_of(image_set(photographs), listener)
    assert str(photographs[11]) in raised.value.message


def test_a_file_replaced_by_one_of_its_size_and_time_is_decoded_again(
    tmp_path: Path, listener: Any
) -> None:
    path = tmp_path / "a.bmp"
    Image.new("RGB", (32, 24), (9, 9, 9)).save(path)
    before = path.stat()
    assert all_of(image_set([path]), listener).array.max() == 9
    Image.new("RGB", (32, 24), (200, 200, 200)).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert all_of(image_set([path]), listener).array.min() == 200


def test_images_that_vanish_spoil_no_entry_of_the_others(
    photographs: list[Path], listener: Any
) -> None:
    gone = {0, 7, 19}
    for number in gone:
        photographs[number].unlink()
    left = [path for number, path in enumerate(photographs) if number not in gone]
    for _ in range(2):
        some = all_of(image_set(photographs), listener)
        assert some.rows.tolist() == [n for n in range(20) if n not in gone]
        assert len(some.skipped) == 3
        rest = all_of(image_set(left), listener)
        assert rest.rows.tolist() == list(range(17))
        assert rest.skipped == ()
        assert (rest.array == some.array).all()


def test_an_entry_that_does_not_fit_is_made_again(photographs: list[Path], listener: Any) -> None:
    """As an entry was that an earlier version wrote under the key of fewer images."""
    images = image_set(photographs[:5])
    right = np.array(all_of(images, listener).array)
    (entry,) = list_entries(CacheSettings().place)
    about = entry.folder / "entry.json"
    told = about.read_text("utf-8").replace('"failed": []', '"failed": [[5, "no such file"]]')
    about.write_text(told, "utf-8")
    again = all_of(images, listener)
    assert again.rows.tolist() == [0, 1, 2, 3, 4]
    assert (again.array == right).all()
    assert list_entries(CacheSettings().place)[0].failed == ()
    rows = entry.folder / "rows.bin"
    rows.write_bytes(rows.read_bytes()[16:] + rows.read_bytes()[:16])
    assert (all_of(images, listener).array == right).all()
