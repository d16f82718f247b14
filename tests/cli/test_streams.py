"""Streams that are closed, full, left by their reader, or of another encoding."""

import errno
import io
import logging
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from convlens.cli.main import main
from convlens.cli.output import print_json, stdout
from convlens.cli.streams import run_on_streams
from convlens.core.terminal import Terminal

RUNS = "import sys; sys.argv[0] = 'convlens'; from convlens.cli.main import main; main()"
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
LONG = {"train": ("--pretrained", "--no-cache"), "check": ("--no-estimate", "--pretrained")}
VERBS = ["--help", "--version", "train --help", "data list", "data list --json", "inspect --help"]


class Failing(io.RawIOBase):
    """A stream that takes nothing."""

    def __init__(self, number: int) -> None:
        self.number = number

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raise OSError(self.number, os.strerror(self.number))


def failing(number: int) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(Failing(number)), "utf-8")


def drained(stream: io.TextIOWrapper) -> None:
    """Drop what waits, so that the stream's end does not fail."""
    with pytest.raises(OSError, match="."):
        stream.close()


def works() -> int:
    Terminal().say("working")
    stdout().print("a result")
    return 0


def test_a_reader_that_leaves_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = failing(errno.EPIPE)
    monkeypatch.setattr(sys, "stdout", broken)
    assert run_on_streams(works) == 0
    assert sys.stdout is broken
    drained(broken)


def test_a_full_stdout_fails_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = failing(errno.ENOSPC)
    monkeypatch.setattr(sys, "stdout", full)
    assert run_on_streams(works) == 1
    drained(full)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "working"
    assert len(told) == 2
    assert told[1].startswith("error cannot write results to stdout (No space left on device)")


def test_a_full_stderr_lets_the_work_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = failing(errno.ENOSPC)
    monkeypatch.setattr(sys, "stderr", full)
    assert run_on_streams(works) == 1
    drained(full)
    assert "a result" in capsys.readouterr().out


def test_a_closed_stdout_is_said_before_any_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = []
    monkeypatch.setattr(sys, "stdout", None)
    assert run_on_streams(lambda: done.append(1) or 0) == 1
    assert not done
    assert "stdout is closed" in capsys.readouterr().err


def test_a_closed_stderr_is_silence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert run_on_streams(works) == 0
    assert sys.stderr is None
    assert capsys.readouterr().out == "a result\n"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("where", "status"),
    [
        (">&-", 1),
        pytest.param(">/dev/full", 1, marks=FULL),
        (">&- 2>&-", 1),
        pytest.param(">/dev/full 2>&1", 1, marks=FULL),
        ("2>&-", 0),
    ],
)
def test_every_verb_on_streams_that_fail(verb: str, where: str, status: int) -> None:
    if os.name == "nt":
        pytest.skip("a shell of the Unix kind is needed")
    done = subprocess.run(  # noqa: S602 - words of ours
        f'"$PYTHON" -c "$RUNS" {verb} {where}',
        shell=True,
        env={**os.environ, "PYTHON": sys.executable, "RUNS": RUNS},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == status
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == (1 if status and "2>" not in where else 0)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("width", ["40", "80"])
def test_every_help_in_every_encoding(
    encoding: str, width: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    verbs = ["", "train", "evaluate", "predict", "check", "report", "inspect", "compare", "embed"]
    verbs += ["data", "data info", "data list", "data fetch"]
    verbs += [
        "visualize",
        "visualize features",
        "visualize gradcam",
        "visualize rate",
        "visualize augment",
        "visualize pooling",
    ]
    for verb in verbs:
        kept = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(kept, encoding, write_through=True))
        with pytest.raises(SystemExit) as left:
            main([*verb.split(), "--help"])
        assert left.value.code == 0
        told = kept.getvalue().decode(encoding)
        assert {"--help", *LONG.get(verb, ())} <= set(re.findall(r"--[a-z-]+", told))
        assert "…" not in told, "a word is cut off"
        # Typer gives an option's text 10 columns at least, beside 32 of a long name.
        assert max(map(len, told.splitlines())) <= max(int(width), 42)
        sys.stdout.detach()


def test_what_libraries_say_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    def verb() -> int:
        sys.stderr.write(warnings.formatwarning("name \x1b[2J", UserWarning, "", 0))
        last = logging.lastResort
        assert last is not None
        last.handle(logging.LogRecord("x", logging.WARNING, "", 0, "name \x1b]0;x\x07", (), None))
        return 0

    before = warnings.formatwarning
    assert run_on_streams(verb) == 0
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert told.count(r"\x1b") == 2
    assert warnings.formatwarning is before


def test_json_in_another_encoding_is_in_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    for encoding in ("ascii", "cp1252"):
        kept = io.BytesIO()
        stream = io.TextIOWrapper(kept, encoding, write_through=True)
        monkeypatch.setattr(sys, "stdout", stream)
        print_json({"path": "葉 × \udcff \u202e"})
        assert kept.getvalue().decode("ascii").strip() == (
            '{\n  "path": "\\u8449 \\u00d7 \\udcff \\u202e"\n}'
        )
        stream.detach()
