import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
import convlens
with open(sys.argv[1], "wb") as file:
    number = file.fileno()
    os.write(2, b"a library complains")
    os.write(1, b"and prints")
    file.write(b"%d" % number)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closing", ["2>&-", "1>&-", "0<&-", "0<&- 1>&- 2>&-"])
def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path, closing: str) -> None:
    file = tmp_path / "pixels.bin"
    subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" "$2" {closing}', sys.executable, PROGRAM, file],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert int(file.read_bytes()) > 2
