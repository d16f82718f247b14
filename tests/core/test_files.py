import errno
import os
from pathlib import Path

import pytest

from convlens.core.cache_folder import cache_folder
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.core.files import (
    read_json,
    replacing,
    replacing_folder,
    surviving_folder,
    write_bytes,
    write_error,
    write_json,
    write_text,
)


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "é.json"
    write_json(path, {"a": 1})
    write_json(path, {"b": [1.5, "ü"]})
    assert read_json(path) == {"b": [1.5, "ü"]}
    assert [entry.name for entry in path.parent.iterdir()] == ["é.json"]


def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("ne")
        raise RuntimeError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.txt"]


def test_bytes_are_flushed_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spy_fsync(descriptor: int) -> None:
        kind = "folder" if Path(f"/proc/self/fd/{descriptor}").resolve().is_dir() else "file"
        events.append(f"fsync {kind}")
        fsync(descriptor)

    def spy_replace(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    write_bytes(tmp_path / "x", b"content")
    assert events == ["fsync file", "rename", "fsync folder"]


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(WorkFailedError, match="no room left"), replacing(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConvlensError, match="--out") as caught:
        write_text(tmp_path / "file" / "x.txt", "content")
    assert caught.value.code == "not-writable"


def test_the_remedy_fits_the_place(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "--out" in write_error(tmp_path / "run" / "metrics.json", full).message
    assert "CONVLENS_CACHE" in write_error(cache_folder("pixels") / "x", full).message


def test_json_that_is_damaged_or_missing_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ConvlensError, match="damaged"):
        read_json(tmp_path / "bad.json")
    with pytest.raises(ConvlensError, match="cannot read"):
        read_json(tmp_path / "none.json")


def test_not_a_number_never_reaches_a_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    for text in ("one", "two"):
        with replacing_folder(tmp_path / "checkpoint") as fresh:
            (fresh / text).write_text(text)
    assert [entry.name for entry in (tmp_path / "checkpoint").iterdir()] == ["two"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["checkpoint"]


@pytest.mark.parametrize("last", ["filling", "renaming aside", "renaming in place"])
def test_killed_at_any_instant_one_whole_folder_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str
) -> None:
    folder = tmp_path / "checkpoint"
    with replacing_folder(folder) as fresh:
        (fresh / "whole").write_text("old")

    class KilledError(BaseException):
        pass

    renames = iter(["renaming aside", "renaming in place"])
    rename = Path.rename

    def dying_rename(self: Path, target: Path) -> Path:
        if next(renames) == last:
            raise KilledError
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", dying_rename)
    with pytest.raises(KilledError), replacing_folder(folder) as fresh:
        if last == "filling":
            raise KilledError
        (fresh / "whole").write_text("new")
    survivor = surviving_folder(folder)
    assert survivor is not None
    assert (survivor / "whole").read_text() == "old"


def test_no_folder_survives_where_none_was_finished(tmp_path: Path) -> None:
    assert surviving_folder(tmp_path / "checkpoint") is None
