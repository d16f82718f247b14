"""The same command under torchrun, as two processes on this machine."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from tests.integration.conftest import Convlens, fill

LAYERS = "conv 8 3 same, batchnorm, relu, maxpool 4, flatten, dense 16 relu, dropout 0.2, dense"
LONG = ("--layers", LAYERS, "--set", "training.checkpoint_seconds=0.2", "--epochs", "30")


COUNTING = """
import os, sys, time
from pathlib import Path
import convlens.data.pixels as pixels
from convlens.cli.main import main
decode, calls = pixels.decode, []
def slowly(*given, **named):
    calls.append(given)
    time.sleep(0.05)  # whoever does not wait finds the cache unfinished
    return decode(*given, **named)
pixels.decode = slowly
try:
    main(sys.argv[2:])
finally:
    Path(sys.argv[1], os.environ["RANK"] + ".count").write_text(str(len(calls)))
"""


class Torchrun:
    """``torchrun --nproc-per-node=2 -m convlens …``, started."""

    def __init__(
        self, folder: Path, *words: str | Path, program: Sequence[str | Path] = ("-m", "convlens")
    ) -> None:
        self.printed = folder / "out.txt", folder / "err.txt"
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        with self.printed[0].open("w") as out, self.printed[1].open("w") as err:
            self.process = subprocess.Popen(
                [sys.executable, *launch, *map(str, program), *map(str, words)],
                stdout=out,
                stderr=err,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )

    def wait(self) -> tuple[int, str, str]:
        """Its exit status, and what it printed where."""
        try:
            status = self.process.wait(timeout=480)
        except subprocess.TimeoutExpired:
            self.process.terminate()  # it ends its processes before itself
            self.process.wait(timeout=60)
            raise
        out, err = (file.read_text("utf-8") for file in self.printed)
        return status, out, err

    def worker(self, rank: int) -> int:
        """The number of one of its processes, while they run."""
        for stat in Path("/proc").glob("[0-9]*/environ"):
            try:
                said = stat.read_bytes().split(b"\0")
                parent = int((stat.parent / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == self.process.pid and f"RANK={rank}".encode() in said:
                return int(stat.parent.name)
        raise AssertionError(f"there is no process {rank}")


def wait_for_epochs(run: Path, epochs: int) -> None:
    file, latest = run / "history.jsonl", time.monotonic() + 300
    while not file.is_file() or file.read_text("utf-8").count("\n") < epochs:
        assert time.monotonic() < latest
        time.sleep(0.02)


def history(run: Path) -> list[dict[str, Any]]:
    lines = (run / "history.jsonl").read_text("utf-8").splitlines()
    timings = {"seconds", "validation_seconds", "images_per_second"}
    return [{k: v for k, v in json.loads(line).items() if k not in timings} for line in lines]


def weights(run: Path) -> dict[str, bytes]:
    tensors = load_file(run / "bundle" / "model.safetensors")
    return {name: tensor.tobytes() for name, tensor in tensors.items()}


def test_one_run_one_writer_one_voice(tmp_path: Path) -> None:
    photos, out = fill(tmp_path / "photos", classes=3, each=15), tmp_path / "run"
    words = ("train", photos, "--layers", LAYERS, "--epochs", "2", "--out", out, "--json")
    status, printed, told = Torchrun(tmp_path, *words).wait()
    assert status == 0, told
    assert json.loads(printed)["run"] == str(out)
    assert told.count("found 45 images") == 1
    assert told.count("2 processes share every batch, each with 1 thread") == 1
    assert len(history(out)) == 2
    assert json.loads((out / "environment.json").read_text("utf-8"))["processes"] == 2
    entries = [*(tmp_path / "cache" / "pixels").glob("*/*/entry.json")]
    assert len(entries) == 3
    assert not [*(tmp_path / "cache").rglob("*.partial")]


@pytest.mark.slow
def test_one_process_of_a_host_decodes_and_the_other_finds_it_done(
    tmp_path: Path, convlens: Convlens
) -> None:
    """In a run that goes on: no check before it has filled the cache."""
    photos, out = fill(tmp_path / "photos", classes=3, each=15), tmp_path / "run"
    words = ("train", photos, "--layers", LAYERS, "--epochs", "1", "--out", out)
    assert convlens(*words).status == 0
    shutil.rmtree(tmp_path / "cache")
    counting = tmp_path / "counting.py"
    counting.write_text(COUNTING, "utf-8")
    again = Torchrun(tmp_path, "train", "--resume", out, program=(counting, tmp_path))
    status, _, told = again.wait()
    assert status == 0, told
    assert [int((tmp_path / f"{rank}.count").read_text()) for rank in (0, 1)] == [45, 0]


@pytest.mark.slow
def test_one_process_checks_for_all_of_them(tmp_path: Path) -> None:
    """What is found is told once; an error ends both with status 2, and leaves no run."""
    photos, out = fill(tmp_path / "photos", classes=3, each=15), tmp_path / "run"
    (photos / "red" / "again.png").write_bytes((photos / "red" / "bild 1.png").read_bytes())
    words = ("train", photos, "--layers", LAYERS, "--epochs", "1", "--out", out)
    status, _, told = Torchrun(tmp_path, *words).wait()
    assert status == 0, told
    assert told.count("copies: 1 file") == 1
    assert told.count("checked 46 images") == 1
    assert (out / "preflight.json").is_file()
    shutil.rmtree(out)

    twin = photos / "blue" / "bild 0.png"
    twin.write_bytes((photos / "red" / "bild 2.png").read_bytes())
    status, printed, told = Torchrun(tmp_path, *words).wait()
    assert status != 0
    assert printed == ""
    assert told.count("two-labels") == 2, "its code, and --allow with it"
    assert re.findall(r"exitcode\s*: (\d+)", told) == ["2", "2"]
    assert not out.exists()


@pytest.mark.slow
def test_a_mistake_is_told_once(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos")
    status, out, err = Torchrun(tmp_path, "train", photos, "--set", "training.loss.name=big").wait()
    assert status != 0
    assert out == ""
    assert err.count("error ") == 1
    assert "training.loss.name" in err


@pytest.mark.slow
def test_what_fails_in_one_ends_both_and_is_told_once(tmp_path: Path) -> None:
    photos, own = fill(tmp_path / "photos"), tmp_path / "own.py"
    own.write_text(
        "import os\n"
        "from torch import nn\n"
        "class Fails(nn.Flatten):\n"
        "    calls = 0\n"
        "    def forward(self, x):\n"
        "        Fails.calls += 1\n"
        "        if os.environ['RANK'] == '1' and Fails.calls > 9:\n"
        "            raise OSError('the lens is cracked')\n"
        "        return super().forward(x)\n"
        "def build(classes, channels):\n"
        "    return nn.Sequential(Fails(), nn.Linear(channels * 256, classes))\n"
    )
    words = ("train", photos, "--model", f"{own}:build", "--out", tmp_path / "run")
    status, _, err = Torchrun(tmp_path, *words).wait()
    assert status != 0
    assert len([line for line in err.splitlines() if line.endswith("the lens is cracked")]) == 1
    assert "has died" not in err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").is_file(), reason="processes are found in /proc")
def test_killed_and_told_to_leave_it_goes_on_to_the_same_bits(
    tmp_path: Path, convlens: Convlens
) -> None:
    photos = fill(tmp_path / "photos", classes=3, each=15)
    whole, cut, fewer = (tmp_path / name for name in ("whole", "cut", "fewer"))
    status, _, err = Torchrun(tmp_path, "train", photos, *LONG, "--out", whole).wait()
    assert status == 0, err

    killed = Torchrun(tmp_path, "train", photos, *LONG, "--out", cut)
    wait_for_epochs(cut, 4)
    os.kill(killed.worker(1), signal.SIGKILL)
    assert killed.wait()[0] != 0
    assert not (cut / "bundle").exists()
    shutil.copytree(cut, fewer)

    told = Torchrun(tmp_path, "train", "--resume", cut)
    wait_for_epochs(cut, len(history(cut)) + 4)
    told.process.send_signal(signal.SIGTERM)
    status, _, err = told.wait()
    assert status != 0
    assert err.count("stopped by SIGTERM") == 1
    assert "Connection" not in err

    status, _, err = Torchrun(tmp_path, "train", "--resume", cut).wait()
    assert status == 0, err
    assert history(cut) == history(whole)
    assert weights(cut) == weights(whole)

    alone = convlens("train", "--resume", fewer)
    assert alone.status == 0
    assert "resumed with 1 process, begun with 2 processes" in " ".join(alone.err.split())
    environment = json.loads((fewer / "environment.json").read_text("utf-8"))
    assert environment["processes"] == 2
    assert [each["processes"] for each in environment["resumed"]] == [1]
    assert [r["step"] for r in history(fewer)] == [r["step"] for r in history(whole)]
