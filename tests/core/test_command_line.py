"""A suggested command does what it says when it is pasted."""

import os
import re
import shutil
import subprocess
from pathlib import Path, PurePath

import pytest

import convlens
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


def test_no_command_is_put_together_without_quoting_its_words():
    by_hand = re.compile(r"""["'][^"']*\bconvlens (?:train|resume|report|check)\b[^"']*\{""")
    package = Path(convlens.__file__).parent
    found = [
        f"{path.name}: {line.strip()}"
        for path in package.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if by_hand.search(line)
    ]
    assert not found
