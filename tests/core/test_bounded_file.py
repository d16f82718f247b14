import os
import sys
from pathlib import Path

import pytest

from convlens.core.bounded_file import read_bounded
from convlens.core.errors import ConvlensError
from convlens.core.files import read_json
from convlens.core.json_text import MOST_JSON_BYTES
from convlens.core.parsing import MOST_TOML_BYTES
from convlens.core.settings import read_toml


def test_a_file_is_read_whole_up_to_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1234")
    assert read_bounded(file, 4) == b"1234"
    with pytest.raises(OSError, match="it has 4 bytes, and at most 3 are read"):
        read_bounded(file, 3)
    (tmp_path / "link").symlink_to(file)
    assert read_bounded(tmp_path / "link", 4) == b"1234"


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"Is a directory|Permission denied"):
        read_bounded(tmp_path, 9)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices here")
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_never_ends_is_not_read(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="not a regular file"):
        read_bounded(file, 9)
    for read in (read_json, read_toml):
        with pytest.raises(ConvlensError, match="not a regular file"):
            read(file)


def test_files_of_settings_and_figures_have_a_limit(tmp_path: Path) -> None:
    for read, most in ((read_json, MOST_JSON_BYTES), (read_toml, MOST_TOML_BYTES)):
        with (tmp_path / "file").open("wb") as file:
            file.truncate(most + 1)  # sparse: takes no room
        with pytest.raises(ConvlensError, match=f"at most {most:,} are read"):
            read(tmp_path / "file")
