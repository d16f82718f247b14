"""Ctrl-C is answered within two seconds, whatever a decoder does."""

import os
import signal
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

import convlens
from convlens.core.input_spec import InputSpec
from convlens.data import UnreadableImageError, decode

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def slow_jpeg(side: int = 9_000, scans: int = 14) -> bytes:
    """Many passes over many pixels, just within the limits: decoding it takes many seconds."""
    Image.new("L", (side, side), 90).save(file := BytesIO(), "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + b"\xff\xd9"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, color in (("dark", 10), ("light", 240)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(4):
            image = Image.new("RGB", (32, 32), (color, 10 * number, color))
            image.save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"


@pytest.fixture
def run(folder: Path, tmp_path: Path) -> Path:
    convlens.train(
        str(folder),
        model="simple",
        epochs=1,
        out=tmp_path / "run",
        quiet=True,
        allow=["two-labels"],
    )
    return tmp_path / "run"


def interrupted(command: list[str | Path], home: Path) -> tuple[int, float, str]:
    """Start a command, interrupt it while a decoder works; its status, seconds and last words."""
    with (home / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "convlens", *command],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env={**os.environ, "CONVLENS_CACHE": str(home / "cache")},
        )
    until = time.monotonic() + 120
    while not _has_child(process.pid) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert process.poll() is None, (home / "stderr").read_text()
    time.sleep(1)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    status = process.wait(60)
    return status, time.monotonic() - began, (home / "stderr").read_text()


def _has_child(pid: int) -> bool:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    listed = [Path(task) / "children" for task in Path(f"/proc/{pid}/task").glob("*")]
    return children.exists() and any(file.read_text().strip() for file in listed if file.exists())


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc")
@pytest.mark.parametrize("verb", ["check", "predict"])
def test_ctrl_c_ends_a_decode_at_once(
    verb: str, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    command: list[str | Path] = ["check", folder, "--no-estimate"]
    if verb == "predict":
        command = ["predict", request.getfixturevalue("run"), folder]
    (folder / "dark" / "slow.jpg").write_bytes(slow_jpeg())
    status, seconds, said = interrupted(command, tmp_path)
    assert status == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert seconds < 2


def test_one_hostile_image_costs_no_other_answer(run: Path, folder: Path) -> None:
    header = (40).to_bytes(4, "little") + (95_000_000).to_bytes(4, "little")
    header += (1).to_bytes(4, "little") + b"\1\0\x18\0" + bytes(24)
    (folder / "dark" / "wide.bmp").write_bytes(
        b"BM" + bytes(8) + (54).to_bytes(4, "little") + header + bytes(900)
    )
    with pytest.raises(UnreadableImageError, match="memory"):
        decode(folder / "dark" / "wide.bmp", InputSpec(height=8, width=8))
    predictor = convlens.load(run)
    assert len(predictor.predict(folder)) == 8
    assert [Path(file.path).name for file in predictor.skipped] == ["wide.bmp"]
