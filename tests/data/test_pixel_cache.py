import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.data import file_keys, pixel_cache
from convlens.data.pixel_cache import (
    CacheSettings,
    EntryWriter,
    array_digests,
    entry_folder,
    known_rows,
    list_entries,
    make_room,
    open_entry,
)

SPEC = InputSpec(height=4, width=4)
ROOM = {"limit": 10**9, "free": 10**9}


def images(count: int, value: int = 7) -> np.ndarray:
    return np.full((count, 4, 4, 3), value, np.uint8)


def digests(*names: str) -> list[bytes]:
    return array_digests(np.frombuffer(name.encode(), np.uint8) for name in names)


def write(folder: Path, *names: str, used: float | None = None) -> None:
    writer = EntryWriter(folder, (4, 4, 3))
    for at in range(len(names)):
        writer.append(images(1, at))
    writer.finish("plants", digests(*names), [])
    writer.close()
    if used is not None:
        os.utime(folder / "entry.json", (used, used))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    writer = EntryWriter(tmp_path / "how" / "what", (4, 4, 3))
    writer.append(images(2, 1))
    writer.append(images(0))
    writer.append(images(1, 2))
    assert writer.written()[:, 0, 0, 0].tolist() == [1, 1, 2]
    assert open_entry(tmp_path / "how" / "what") is None
    writer.finish("plänts", digests("a", "b", "c"), [(1, "it is empty")])
    writer.close()
    entry = open_entry(tmp_path / "how" / "what")
    assert entry is not None
    assert (entry.name, entry.failed, entry.size) == ("plänts", ((1, "it is empty"),), 144)
    assert entry.digests() == digests("a", "b", "c")
    pixels = entry.pixels()
    assert pixels[:, 0, 0, 0].tolist() == [1, 1, 2]
    assert not pixels.flags.writeable
    assert isinstance(pixels.base, np.memmap)


def test_an_unfinished_entry_leaves_nothing(tmp_path: Path) -> None:
    writer = EntryWriter(tmp_path / "how" / "what", (4, 4, 3))
    writer.append(images(5))
    writer.close()
    assert [*(tmp_path / "how").iterdir()] == []


def test_of_two_writers_the_first_wins_and_the_second_does_no_harm(tmp_path: Path) -> None:
    first, second = (EntryWriter(tmp_path / "how" / "what", (4, 4, 3)) for _ in range(2))
    for writer, value in ((first, 1), (second, 2)):
        writer.append(images(1, value))
    first.finish("a", digests("x"), [])
    mapped = open_entry(tmp_path / "how" / "what").pixels()
    second.finish("a", digests("x"), [])
    first.close()
    second.close()
    assert mapped[0, 0, 0, 0] == 1
    assert open_entry(tmp_path / "how" / "what").pixels()[0, 0, 0, 0] == 1
    assert [f.name for f in (tmp_path / "how").iterdir()] == ["what"]


def damaged(folder: Path, how: str) -> None:
    if how == "pixels too short":
        (folder / "pixels.bin").write_bytes(b"short")
    elif how == "pixels gone":
        (folder / "pixels.bin").unlink()
    elif how == "no JSON":
        (folder / "entry.json").write_text("{")
    elif how == "other JSON":
        (folder / "entry.json").write_text('{"shape": 3}')
    else:
        (folder / "entry.json").unlink()


@pytest.mark.parametrize(
    "how", ["pixels too short", "pixels gone", "no JSON", "other JSON", "entry gone"]
)
def test_a_damaged_entry_counts_as_none_and_is_replaced(tmp_path: Path, how: str) -> None:
    folder = tmp_path / "how" / "what"
    write(folder, "a", "b")
    damaged(folder, how)
    assert open_entry(folder) is None
    assert list_entries(tmp_path) == []
    write(folder, "a", "b", "c")
    assert open_entry(folder).shape == (3, 4, 4, 3)


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    for name, used in (("old", 100), ("older", 50), ("new", 200)):
        write(tmp_path / "how" / name, "a", "b", used=used)
    assert [entry.folder.name for entry in list_entries(tmp_path)] == ["older", "old", "new"]
    make_room(tmp_path, 96, limit=300, free=10**9)
    assert [entry.folder.name for entry in list_entries(tmp_path)] == ["old", "new"]
    assert open_entry(tmp_path / "how" / "old") is not None  # it is used now
    make_room(tmp_path, 96, limit=200, free=10**9)
    assert [entry.folder.name for entry in list_entries(tmp_path)] == ["old"]


def test_a_full_disk_makes_room_too(tmp_path: Path) -> None:
    for name, used in (("one", 1), ("two", 2), ("three", 3)):
        write(tmp_path / name / "what", "a", used=used)
    make_room(tmp_path, 100, limit=10**9, free=10)
    assert [entry.folder.parent.name for entry in list_entries(tmp_path)] == ["three"]
    assert sorted(f.name for f in tmp_path.iterdir()) == ["three"]


def test_a_mapped_entry_survives_its_removal(tmp_path: Path) -> None:
    write(tmp_path / "how" / "what", "a", "b")
    pixels = open_entry(tmp_path / "how" / "what").pixels()
    make_room(tmp_path, 1, limit=1, free=10**9)
    assert list_entries(tmp_path) == []
    assert pixels[:, 0, 0, 0].tolist() == [0, 1]


def test_what_a_killed_process_left_is_swept_away(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; import numpy as np;"
        "from convlens.data.pixel_cache import EntryWriter;"
        "w = EntryWriter(Path(sys.argv[1]), (4, 4, 3));"
        "w.append(np.ones((9, 4, 4, 3), np.uint8)); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "how" / "what")], check=False
    )
    assert killed.returncode != 0
    (left,) = (tmp_path / "how").iterdir()
    assert (left / "pixels.bin").stat().st_size == 9 * 48
    assert open_entry(tmp_path / "how" / "what") is None
    alive = EntryWriter(tmp_path / "how" / "other", (4, 4, 3))
    make_room(tmp_path, 0, **ROOM)
    assert not left.exists()
    assert len([*(tmp_path / "how").iterdir()]) == 1  # whose writer is alive
    alive.close()


def test_another_machines_unfinished_entry_is_left_for_a_week(tmp_path: Path) -> None:
    partial = tmp_path / "how" / ".elsewhere.example.1.abcdefgh.partial"
    partial.mkdir(parents=True)
    make_room(tmp_path, 0, **ROOM)
    assert partial.exists()
    os.utime(partial, (0, 0))
    make_room(tmp_path, 0, **ROOM)
    assert not partial.exists()


def test_known_rows_are_found_in_other_entries(tmp_path: Path) -> None:
    write(tmp_path / "how" / "one", "a", "b")
    write(tmp_path / "how" / "two", "c")
    write(tmp_path / "other size" / "three", "d")
    known = known_rows(tmp_path / "how", digests("b", "c", "d", "e"))
    assert {digest: int(row[0, 0, 0]) for digest, row in known.items()} == {
        digests("b")[0]: 1,
        digests("c")[0]: 0,
    }


def test_a_file_is_another_when_its_path_size_or_time_changes(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"1234")
    os.utime(file, ns=(5, 5))
    seen = {file_keys([str(file)])[0]}
    os.utime(file, ns=(5, 6))
    seen.add(file_keys([str(file)])[0])
    file.write_bytes(b"12345")
    os.utime(file, ns=(5, 6))
    seen.add(file_keys([str(file)])[0])
    moved = file.rename(tmp_path / "b.jpg")
    seen.add(file_keys([str(moved)])[0])
    assert len(seen) == 4
    assert file_keys([str(file), "a\0b"]) == [b"", b""]


@pytest.mark.parametrize("how", ["written over", "renamed over"])
def test_a_file_replaced_by_one_of_its_size_and_time_is_another(tmp_path: Path, how: str) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"1234")
    before, key = file.stat(), file_keys([str(file)])
    other = file if how == "written over" else tmp_path / "b.jpg"
    other.write_bytes(b"5678")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert file_keys([str(file)]) != key


def test_files_that_are_missing_count_with_their_place(tmp_path: Path) -> None:
    here = digests("a", "b")
    missing = [[*here, b""], [b"", *here], [here[0], b"", here[1]]]
    places = {entry_folder(tmp_path, keys, SPEC, 0.0) for keys in (here, *missing)}
    assert len(places) == 4


@pytest.mark.parametrize(
    ("asked", "fits"),
    [("ab-c", True), ("ab-", False), ("abc", False), ("ab", False), ("ba-c", False), ("", False)],
)
def test_an_entry_holds_the_images_that_it_was_written_for(
    tmp_path: Path, asked: str, fits: bool
) -> None:
    writer = EntryWriter(tmp_path / "how" / "what", (4, 4, 3))
    writer.append(images(3))
    writer.finish("plants", digests("a", "b", "c"), [(2, "it is empty")])
    writer.close()
    entry = open_entry(tmp_path / "how" / "what")
    assert entry is not None
    wanted = [digests(name)[0] if name != "-" else b"" for name in asked]
    assert entry.holds(wanted, (4, 4, 3)) is fits
    assert not entry.holds(wanted, (4, 5, 3))


def test_a_relative_path_is_the_file_it_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    assert file_keys(["a.jpg"]) == file_keys([str(tmp_path / "a.jpg")])


def test_the_entry_depends_on_all_that_turns_a_file_into_pixels(tmp_path: Path) -> None:
    asked = [
        (["a", "b"], SPEC, 0.0),
        (["b", "a"], SPEC, 0.0),
        (["a"], SPEC, 0.0),
        (["a", "b"], SPEC, 0.5),
        (["a", "b"], InputSpec(height=5, width=4), 0.0),
        (["a", "b"], InputSpec(height=4, width=4, channels=1), 0.0),
        (["a", "b"], InputSpec(height=4, width=4, resize="pad"), 0.0),
        (["a", "b"], InputSpec(height=6, width=6), 0.0),
    ]
    folders = [entry_folder(tmp_path, digests(*names), *how) for names, *how in asked]
    assert len(set(folders)) == len(asked)
    normalized = InputSpec(height=4, width=4, mean=(0.5, 0.5, 0.5), std=(0.1, 0.1, 0.1))
    assert entry_folder(tmp_path, digests("a", "b"), normalized, 0.0) == folders[0]


def test_a_change_to_decoding_makes_other_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = entry_folder(tmp_path, digests("a"), SPEC, 0.0)
    monkeypatch.setattr(pixel_cache, "DECODE_VERSION", pixel_cache.DECODE_VERSION + 1)
    assert entry_folder(tmp_path, digests("a"), SPEC, 0.0) != before


def test_the_cache_s_limit_can_be_set_for_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CacheSettings().max_gigabytes == 20
    monkeypatch.setenv("CONVLENS_CACHE_GIGABYTES", "0.5")
    assert CacheSettings().max_bytes == 500_000_000
    assert CacheSettings(max_gigabytes=3).max_gigabytes == 3


@pytest.mark.parametrize("said", ["much", "0", "-1", "nan"])
def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    monkeypatch.setenv("CONVLENS_CACHE_GIGABYTES", said)
    with pytest.raises(ConvlensError, match=f"is '{said}'; expected a number above 0"):
        CacheSettings()


def test_the_cache_is_where_it_is_told(tmp_path: Path) -> None:
    assert CacheSettings().place == Path(os.environ["CONVLENS_CACHE"]) / "pixels"
    assert CacheSettings(folder=tmp_path).place == tmp_path
    assert CacheSettings(max_gigabytes=0.5).max_bytes == 500_000_000
