"""A suggested command does what it says when it is pasted."""

import os
import shutil
import subprocess
from pathlib import PurePath

import pytest

from convlens.core.command_line import command
from convlens.core.printable import printable

HARD = ["my run", "it's", "$HOME", "a;b", "`id`", "a\nb", "\x1b[2J", "x'\n\\n", "grün", "*"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize("word", HARD)
def test_a_shell_reads_back_every_word(word: str) -> None:
    typed = command("evaluate", PurePath(word), "SOURCE")
    assert printable(typed) == typed
    script = f"convlens() {{ printf '%s\\0' \"$@\"; }}\n{typed}"
    done = subprocess.run(
        [shutil.which("bash") or "", "-c", script],
        capture_output=True,
        check=True,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    assert done.stdout.decode().split("\0")[:-1] == ["evaluate", word, "SOURCE"]


def test_a_path_with_a_dash_is_no_option() -> None:
    assert command("report", PurePath("-run")) == "convlens report ./-run"
    assert command("report", "--trust-code") == "convlens report --trust-code"
