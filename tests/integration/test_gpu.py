"""What only a GPU can show; skipped, saying so, where there is none."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from convlens.api import load, train
from convlens.augment import make_transform, policy
from convlens.core.batch import Batch
from convlens.core.connection import connected

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

LEVEL = 1 / 255


def batch_of(images: torch.Tensor) -> Batch:
    numbers = torch.arange(len(images))
    return Batch(images, numbers % 3, numbers, epoch=2)


@pytest.mark.parametrize("name", ["light", "standard", "strong", "trivial"])
def test_policies_agree_with_the_processor(name: str) -> None:
    """Each pixel within a level or two; what rounds to another level first is told as a mean."""
    rng = np.random.default_rng(0)
    small = torch.from_numpy(rng.random((48, 3, 12, 12), np.float32))
    images = torch.nn.functional.interpolate(small, size=(72, 72), mode="bicubic").clamp(0, 1)
    images = images.contiguous(memory_format=torch.channels_last)
    settings = policy(name).model_copy(update={"mixup": 0.0, "cutmix": 0.0})
    transform = make_transform(settings, seed=1, classes=3, height=64, width=64)
    here = transform(batch_of(images)).pixels
    there = transform(batch_of(images.cuda())).pixels
    difference = (here - there.cpu()).abs()
    assert there.is_cuda
    assert difference.mean() < LEVEL / 2
    assert (difference > 3 * LEVEL).float().mean() < 1e-3


def test_smaller_images_of_the_first_epochs_are_the_processors() -> None:
    """Where torch filters no whole numbers on a GPU, pixels go through fractions."""
    images = torch.randint(0, 256, (8, 3, 32, 32), dtype=torch.uint8)
    settings = policy("none").model_copy(update={"early_scale": 0.75, "early_epochs": 9})
    transform = make_transform(settings, seed=1, classes=3, height=32, width=32)
    here = transform(batch_of(images)).pixels
    there = transform(batch_of(images.cuda())).pixels
    assert here.shape == there.shape == (8, 3, 24, 24)
    assert (here.int() - there.cpu().int()).abs().max() <= 1


def test_a_run_learns_and_its_bundle_says_the_same_on_the_processor(tmp_path: Path) -> None:
    run = train("digits", epochs=8, out=tmp_path / "run", device="cuda", quiet=True)
    assert run.metrics["test"]["accuracy"] > 0.95
    assert run.environment["machine"]["device"] != "cpu"
    images = np.random.default_rng(0).integers(0, 256, (64, 8, 8), dtype=np.uint8)
    fitted = images[..., None]
    here = load(run.bundle, device="cpu").probabilities(fitted)
    there = load(run.bundle, device="cuda").probabilities(fitted)
    assert np.abs(here - there).max() < 5e-3


@pytest.mark.parametrize(
    "setting", ["precision=float32", "channels_last=false", "copy_ahead=false"]
)
def test_each_way_to_be_faster_can_be_turned_off(tmp_path: Path, setting: str) -> None:
    run = train(
        "digits",
        epochs=6,
        out=tmp_path / "run",
        device="cuda",
        settings=[f"training.{setting}"],
        quiet=True,
    )
    assert run.metrics["test"]["accuracy"] > 0.93


def test_a_run_resumes_on_a_gpu(tmp_path: Path) -> None:
    """A checkpoint moves: what the GPU saved goes on there, and on the processor."""
    whole = train("digits", epochs=4, out=tmp_path / "whole", device="cuda", quiet=True)
    assert len(whole.history) == 4
    (whole.folder / "metrics.json").unlink()
    again = train(resume=whole.folder, device="cpu", quiet=True)
    assert again.metrics["epochs"] == 4


COMPILED = """
import sys
from convlens.api import train
run = train("digits", epochs=6, out=sys.argv[1], settings=["training.compile=true"], quiet=True)
assert run.metrics["test"]["accuracy"] > 0.93, run.metrics["test"]
"""

OUT_OF_MEMORY = """
import sys, numpy as np, torch
from convlens.api import train
torch.cuda.set_per_process_memory_fraction(1.5 * 2**30 / torch.cuda.mem_get_info()[1])
rng = np.random.default_rng(0)
y = np.arange(600) % 2
bright = (y[:, None, None, None] * 100).astype(np.uint8)
X = rng.integers(0, 128, (600, 96, 96, 3), dtype=np.uint8) + bright
train((X, y), model="vgg11", epochs=1, out=sys.argv[1], device="cuda",
      settings=["training.batch_size=400", "training.precision=float32"])
"""


def alone(script: str, folder: Path) -> str:
    """Run a script that trains in a process of its own; what it told."""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder / "run")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


def test_a_compiled_network_learns_as_well(tmp_path: Path) -> None:
    """In a process of its own: the compiler leaves threads behind."""
    alone(COMPILED, tmp_path)


def test_a_batch_too_large_for_the_memory_is_halved(tmp_path: Path) -> None:
    told = alone(OUT_OF_MEMORY, tmp_path)
    assert "images at a time" in told
    history = (tmp_path / "run" / "history.jsonl").read_text("utf-8").splitlines()
    assert json.loads(history[-1])["step"] == 2  # 420 images, a step for each batch of 400


def test_nccl_carries_what_processes_tell_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": "29511",
    }.items():
        monkeypatch.setenv(name, value)
    with connected(0, 1, lambda: torch.device("cuda", 0)) as connection:
        assert torch.distributed.get_backend() == "nccl"
        there, here = torch.ones(3, device="cuda"), torch.ones(2, dtype=torch.float64)
        connection.add_up(there)
        connection.add_up(here)
        connection.copy_from_first(there)
        assert there.tolist() == [1, 1, 1]
        assert here.tolist() == [1, 1]
        assert connection.told("pflanze ü") == "pflanze ü"
        assert connection.greatest(7) == 7
