"""A tiny run killed at its operations on files: the same command then does all of it."""

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.conftest import fill
from tests.integration.dying import DIED
from tests.integration.killing import differences

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")

CHEAP = 6


class Server:
    """A process that runs commands which die when they are told to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "work" / "run"
        train = ["train", folder / "photos", "--out", self.out, "--epochs", "1", "--seed", "1"]
        train += ["--set", "training.checkpoint_seconds=1e-9", "--device", "cpu"]
        train += ["--layers", "conv:4:3:same:relu,:globalavgpool,:dense"]
        self.train = " ".join(map(str, train))
        self._errors = (folder / "errors.txt").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.dying", folder / "work"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ
            | {"CONVLENS_CACHE": str(folder / "work" / "cache"), "OMP_NUM_THREADS": "1"},
        )

    def run(self, command: str, *, instant: int = 0) -> int:
        """A command, and its exit status; see `tests.integration.dying`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{instant}\t{command}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, self.told()
        return int(answer)

    def told(self) -> str:
        """What the last commands printed on stderr."""
        return (self.folder / "errors.txt").read_text("utf-8", errors="replace")[-3000:]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()
        self._errors.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("dying")
    fill(folder / "photos", each=12)
    found = Server(folder)
    yield found
    found.close()


@pytest.fixture(scope="module")
def undisturbed(server: Server) -> Path:
    assert server.run(server.train) == 0, server.told()
    return Path(shutil.move(server.out, server.folder / "undisturbed"))


def left_over(folder: Path) -> list[str]:
    """What only belongs there while something is written."""
    endings = (".partial", ".old", ".part")
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.name.endswith(endings) or path.name == ".lock"
    )


def killed_and_begun_again(server: Server, undisturbed: Path, instant: int) -> bool:
    """Whether there was such an instant; all that a kill there must not leave is asserted."""
    shutil.rmtree(server.folder / "work", ignore_errors=True)
    (server.folder / "work").mkdir()
    status = server.run(server.train, instant=instant)
    if status == 0:
        return False
    assert status == DIED, server.told()
    new_run = (server.out / "checkpoint").exists() or (server.out / "checkpoint.old").exists()
    again = f"resume {server.out} --device cpu" if new_run else server.train
    assert server.run(again) == 0, f"killed at {instant}: {server.told()}"
    assert list(differences(server.out, undisturbed)) == [], instant
    assert left_over(server.folder / "work") == [], instant
    names = {path.name for path in server.out.iterdir()}
    assert names == {path.name for path in undisturbed.iterdir()}, instant
    return True


def test_killed_at_some_operations_a_run_is_done_by_the_same_command(
    server: Server, undisturbed: Path
) -> None:
    dice = random.Random(0)
    early, later = dice.sample(range(1, 30), CHEAP // 2), dice.sample(range(30, 80), CHEAP // 2)
    done = [killed_and_begun_again(server, undisturbed, instant) for instant in early + later]
    assert sum(done) >= CHEAP - 2


@pytest.mark.slow
def test_killed_at_any_operation_a_run_is_done_by_the_same_command(
    server: Server, undisturbed: Path
) -> None:
    instant = 1
    while killed_and_begun_again(server, undisturbed, instant):
        instant += 1
    assert instant > 100
