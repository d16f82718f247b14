import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convlens.core.files import replacing_folder, settle_folder
from convlens.core.partial import is_abandoned, make_partial_folder, partial_path, sweep_abandoned
from convlens.data.pixel_cache import EntryWriter

MAKE = """
import sys
from pathlib import Path
from convlens.core.partial import make_partial_folder, partial_path
make_partial_folder(Path(sys.argv[1]), "bundle")
partial_path(Path(sys.argv[1]) / "metrics.json").write_text("half")
"""


@pytest.mark.skipif(os.name == "nt", reason="processes cannot be asked there")
def test_what_an_ended_process_left_is_swept_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", MAKE, tmp_path], check=True, timeout=60)
    assert len(list(tmp_path.iterdir())) == 2
    mine = make_partial_folder(tmp_path, "bundle")
    users = [
        ".partial",
        ".notes.partial",
        "a.partial",
        ".a.1.partial",
        ".a.elsewhere.1.abcdefgh.partial",
    ]
    for name in users:
        (tmp_path / name).write_text("mine")
    sweep_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, *users}


def test_a_long_name_still_fits_a_file_system(tmp_path: Path) -> None:
    path = partial_path(tmp_path / ("ü" * 120 + ".json"))
    path.write_text("fits")
    assert not is_abandoned(path)


@pytest.mark.parametrize("there", ["old", "both", "new"])
def test_a_replacement_that_was_cut_off_is_settled(tmp_path: Path, there: str) -> None:
    for name, text in (("checkpoint.old", "old"), ("checkpoint", "new")):
        if there in {text, "both"}:
            (tmp_path / name).mkdir()
            (tmp_path / name / "state").write_text(text)
    (tmp_path / ".checkpoint.host.1.abcdefgh.partial").mkdir()
    settle_folder(tmp_path / "checkpoint")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    kept = (tmp_path / "checkpoint" / "state").read_text()
    assert kept == ("old" if there == "old" else "new")


@pytest.mark.skipif(os.name == "nt", reason="no umask there")
@pytest.mark.parametrize(("umask", "mode"), [(0o077, 0o700), (0o002, 0o775), (0o022, 0o755)])
def test_every_folder_keeps_to_the_umask(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with replacing_folder(tmp_path / "bundle") as fresh:
            (fresh / "model").write_text("weights")
        writer = EntryWriter(tmp_path / "how" / "what", (1, 1, 3))
        writer.append(np.zeros((2, 1, 1, 3), np.uint8))
        writer.finish("name", [b"a" * 16, b"b" * 16], ())
        writer.close()
    finally:
        os.umask(before)
    for folder in (tmp_path / "bundle", tmp_path / "how", tmp_path / "how" / "what"):
        assert folder.stat().st_mode & 0o777 == mode
    for file in (tmp_path / "bundle" / "model", tmp_path / "how" / "what" / "entry.json"):
        assert file.stat().st_mode & 0o777 == mode & 0o666
