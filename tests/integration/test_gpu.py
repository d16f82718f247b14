"""What only a GPU can show; skipped, saying so, where there is none."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from convlens.api import load, train
from convlens.augment import make_transform, policy
from convlens.core.batch import Batch, batches_on
from convlens.core.connection import connected
from convlens.runs import phases
from convlens.training import Moment, SaveCheckpoint, TrainingState, loop

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
    ("settings", "kind"), [((), torch.bfloat16), (("training.precision=float32",), torch.float32)]
)
def test_steps_compute_in_16_bits_unless_told_otherwise(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: tuple[str, ...],
    kind: torch.dtype,
) -> None:
    if not torch.cuda.is_bf16_supported(including_emulation=False):
        pytest.skip("this GPU has no bfloat16 of its own")
    seen: set[tuple[str, torch.dtype]] = set()
    plain = loop.summed_loss

    def watched(logits: torch.Tensor, *others: Any) -> torch.Tensor:
        seen.add((logits.device.type, logits.dtype))
        return plain(logits, *others)

    monkeypatch.setattr(loop, "summed_loss", watched)
    run = train(
        "digits", epochs=6, out=tmp_path / "run", device="cuda", settings=settings, quiet=True
    )
    assert seen == {("cuda", kind)}
    assert run.metrics["test"]["accuracy"] > 0.93


@pytest.mark.parametrize("ahead", [True, False])
def test_batches_are_copied_ahead_from_pinned_memory_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, ahead: bool
) -> None:
    taken: list[int] = []
    pinned: list[int] = []
    plain = torch.Tensor.pin_memory

    def watched(tensor: torch.Tensor) -> torch.Tensor:
        found = plain(tensor)
        assert found.is_pinned()
        pinned.append(len(tensor))
        return found

    def batches() -> Iterator[Batch]:
        for number in range(4):
            taken.append(number)
            yield batch_of(torch.full((5, 3, 8, 8), float(number)))

    monkeypatch.setattr(torch.Tensor, "pin_memory", watched)
    for number, batch in enumerate(batches_on(torch.device("cuda"), batches(), ahead=ahead)):
        assert len(taken) == min(number + 1 + ahead, 4)
        assert batch.pixels.is_cuda
        assert batch.targets.is_cuda
        assert not batch.indices.is_cuda
        assert batch.pixels.unique().tolist() == [number]
        assert batch.targets.tolist() == [0, 1, 2, 0, 1]
    assert len(pinned) == (8 if ahead else 0), "pixels and targets of four batches"


@pytest.mark.parametrize("setting", ["channels_last=false", "copy_ahead=false"])
def test_each_way_to_be_faster_can_be_turned_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """In color: a single channel has one layout."""
    rng, labels = np.random.default_rng(0), np.arange(300) % 2
    images = rng.integers(0, 128, (300, 16, 16, 3), np.uint8)
    images += (100 * labels[:, None, None, None]).astype(np.uint8)
    layouts: set[bool] = set()
    aheads: set[bool] = set()
    lay_out, on = loop.laid_out, loop.batches_on

    def laid_out(*given: Any) -> torch.Tensor:
        found = lay_out(*given)
        layouts.add(found.is_contiguous(memory_format=torch.channels_last))
        return found

    def watched_on(*given: Any, ahead: bool) -> Any:
        aheads.add(ahead)
        return on(*given, ahead=ahead)

    monkeypatch.setattr(loop, "laid_out", laid_out)
    monkeypatch.setattr(loop, "batches_on", watched_on)
    run = train(
        (images, labels),
        layers="conv 8 3 same relu, maxpool 2, conv 8 3 same relu, globalavgpool, dense",
        augment="none",
        epochs=12,
        out=tmp_path / "run",
        device="cuda",
        settings=[f"training.{setting}"],
        quiet=True,
    )
    assert layouts == {setting != "channels_last=false"}
    assert aheads == {setting != "copy_ahead=false"}
    assert run.metrics["test"]["accuracy"] > 0.93


class PulledError(Exception):
    """The plug was pulled."""


def test_a_run_goes_on_on_a_gpu_from_the_middle_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Near the same weights, not the same bits: what a GPU adds up, it adds in any order.

    Losses this early move by a tenth where sums are only added up by other threads.
    """
    settings = ("training.precision=float32", "training.checkpoint_seconds=1e-9")
    asked: Any = {"epochs": 3, "device": "cuda", "settings": settings, "quiet": True}
    whole = train("digits", out=tmp_path / "whole", **asked)
    an_epoch = whole.history[0]["step"]
    middle = an_epoch + an_epoch // 2

    class Plug(SaveCheckpoint):  # type: ignore[misc]  # a kill comes where it will
        def on(self, moment: Moment, state: TrainingState) -> None:
            super().on(moment, state)
            if moment is Moment.STEP_END and state.step == middle:
                raise PulledError

    with monkeypatch.context() as patched, pytest.raises(PulledError):
        patched.setattr(phases, "SaveCheckpoint", Plug)
        train("digits", out=tmp_path / "cut", **asked)
    capsys.readouterr()
    resumed = train(resume=tmp_path / "cut", device="cuda")
    seen = whole.recipe.training.batch_size * (middle - an_epoch)
    told = " ".join(capsys.readouterr().err.split())
    assert f"going on from epoch 2, image {seen:,}" in told
    assert "to the last bit" not in told
    for ours, theirs in zip(resumed.history, whole.history, strict=True):
        assert ours["step"] == theirs["step"]
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=0.05)
        assert ours["val_loss"] == pytest.approx(theirs["val_loss"], rel=0.2)


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
        connection.all_reduce(there)
        connection.all_reduce(here)
        connection.broadcast_tensor(there)
        assert there.tolist() == [1, 1, 1]
        assert here.tolist() == [1, 1]
        assert connection.broadcast("pflanze ü") == "pflanze ü"
        assert connection.max(7) == 7
