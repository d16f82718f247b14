"""One process writes to a run; others are refused with its number, until it ends in any way."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import convlens as package
from convlens.core.errors import ConvlensError
from convlens.core.one_writer import LOCK_FILE, one_writer
from convlens.core.reporter import Quiet
from convlens.runs import Run
from tests.integration.conftest import Convlens, fill

HOLD = """
import sys
from pathlib import Path
from convlens.core.one_writer import one_writer
from convlens.core.reporter import Quiet
with one_writer(Path(sys.argv[1]), Quiet()):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Another process that writes to a folder until the block ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("writer")
    patch = pytest.MonkeyPatch()
    patch.setenv("CONVLENS_CACHE", str(folder / "cache"))
    yield package.train(
        fill(folder / "photos", each=20),
        layers="conv 4 3 same relu, globalavgpool, dense",
        epochs=1,
        out=folder / "run",
        quiet=True,
    )
    patch.undo()


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished.folder, tmp_path / "run"))


def test_every_verb_that_writes_to_a_run_is_refused_while_another_does(
    run: Path, convlens: Convlens
) -> None:
    source = package.Run(run).recipe.source
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    writing = (
        ("resume", run),
        ("train", "--resume", run),
        ("resume", run, "--epochs", "2"),
        ("report", run),
        ("evaluate", run, "--set", "selective.coverage=0.5"),
        ("train", source, "--out", run),
    )
    with holder(run) as other:
        for words in writing:
            refused = convlens(*words)
            assert refused.status == 2
            assert f"process {other.pid} is writing to the run" in " ".join(refused.err.split())
        assert convlens("evaluate", run).status == 0, "which only reads"
        assert convlens("report", run, "--out", run.parent / "r.html").status == 0, "likewise"
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert convlens("report", run).status == 0


def test_a_new_run_in_a_folder_that_another_process_begins_in_is_refused(
    finished: Run, tmp_path: Path, convlens: Convlens
) -> None:
    out = tmp_path / "new"
    out.mkdir()
    with holder(out) as other:
        refused = convlens("train", finished.recipe.source, "--epochs", "1", "--out", out)
        assert refused.status == 2
        assert f"process {other.pid}" in " ".join(refused.err.split())
        assert [path.name for path in out.iterdir()] == [LOCK_FILE]


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_the_lock_of_a_killed_process_holds_nothing(run: Path, convlens: Convlens) -> None:
    with holder(run) as other:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (run / LOCK_FILE).exists()
    assert convlens("resume", run).status == 0
    assert not (run / LOCK_FILE).exists()


def test_a_lock_ends_with_its_block_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), one_writer(tmp_path, Quiet()):
        with (
            pytest.raises(ConvlensError, match=f"process {os.getpid()} "),
            one_writer(tmp_path, Quiet()),
        ):
            pass
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with one_writer(tmp_path, Quiet()):
        pass


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no signal that stops a process")
def test_of_two_processes_that_resume_one_run_one_does(run: Path, convlens: Convlens) -> None:
    """The first is stopped while it writes, so that the second surely meets it at work."""
    words = [sys.executable, "-m", "convlens", "resume", run, "--epochs", "4"]
    first = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 120
        while not (run / LOCK_FILE).exists() and time.monotonic() < end:
            time.sleep(0.005)
        first.send_signal(signal.SIGSTOP)
        assert first.poll() is None
        second = convlens("resume", run)
        assert second.status == 2
        assert str(first.pid) in second.err
    finally:
        first.send_signal(signal.SIGCONT)
        _, told = first.communicate(timeout=240)
    assert first.returncode == 0, told
    assert [record["epoch"] for record in Run(run).history] == [1, 2, 3, 4]
