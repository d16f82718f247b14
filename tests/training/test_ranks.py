"""Two processes that share a run: one process's gradients, one state, one end."""

import json
import os
import socket
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from convlens.core.distributed import Ranks
from convlens.core.errors import ConvlensError
from tests.training.quarters import QuarterBatches
from tests.training.two_processes import LAST_BATCHES, gradients, job, measured

ROOT = Path(__file__).parents[2]


class Process(NamedTuple):
    facts: dict[str, Any]
    tensors: dict[str, Tensor]

    def under(self, prefix: str) -> dict[str, Tensor]:
        return {n.removeprefix(prefix): t for n, t in self.tensors.items() if n.startswith(prefix)}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Process, Process]:
    """What each of two processes found, meeting on the loopback interface."""
    folder = tmp_path_factory.mktemp("two")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    meet = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.two_processes", str(folder)],
            cwd=ROOT,
            env={**os.environ, **meet, "RANK": rank, "LOCAL_RANK": rank, "OMP_NUM_THREADS": "1"},
        )
        for rank in "01"
    ]
    assert [process.wait(timeout=300) for process in started] == [0, 0]
    first, second = (
        Process(
            json.loads((folder / f"{rank}.json").read_text("utf-8")),
            load_file(folder / f"{rank}.safetensors"),
        )
        for rank in "01"
    )
    return first, second


Two = tuple[Process, Process]


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


@pytest.mark.parametrize("samples", LAST_BATCHES)
def test_gradients_are_those_of_one_process_at_the_same_batch(two: Two, samples: int) -> None:
    """Class weights, label smoothing, clipping, and last batches that cannot be shared equally."""
    expected = gradients(samples, Ranks())
    assert len([name for name in expected if name.startswith("3/")]) == 4
    for process in two:
        found = process.under(f"gradients/{samples}/")
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():
            assert torch.linalg.norm(found[name] - tensor) <= 1e-9 * torch.linalg.norm(tensor)
        assert torch.equal(found["end/head.0.weight"], torch.ones(3, 3, dtype=torch.float64))


def test_what_the_processes_tell_each_other(two: Two) -> None:
    for process in two:
        assert process.facts["told"] == "plantes d'été, 0"
        assert process.facts["agreed"] == 0.5
        assert process.facts["greatest"] == 1
        assert "same images" in process.facts["refused"]


def test_every_sample_once_in_the_order_of_one_process(two: Two) -> None:
    shares = [process.facts["order"] for process in two]
    steps = [list(chain.from_iterable(step)) for step in zip(*shares, strict=True)]
    assert sorted(chain.from_iterable(steps)) == list(range(101))
    assert [len(step) for step in steps] == [16] * 6 + [5]


def test_both_have_one_network_its_normalization_included(two: Two) -> None:
    first, second = (process.under("whole/") for process in two)
    assert any("running_var" in name for name in first)
    assert same(first, second)
    assert two[0].facts["whole"] == two[1].facts["whole"]


def test_both_measure_statistics_as_one_process_does(two: Two) -> None:
    with Ranks().joined("cpu") as alone:
        expected = measured(alone).classifier.state_dict()
    for process in two:
        found = process.under("measured/")
        assert found.keys() == expected.keys()
        for name, tensor in expected.items():  # unbiased of other shares: by 1 / (shares' pixels)
            torch.testing.assert_close(found[name], tensor, rtol=1e-2, atol=1e-5)


def test_told_to_leave_both_leave_after_the_same_step_and_go_on_to_the_same_bits(two: Two) -> None:
    assert two[0].facts["left"] == two[1].facts["left"]
    assert "stopped by SIGTERM in epoch 2 after 9 steps" in two[0].facts["left"]
    for process in two:
        assert same(process.under("resumed/"), process.under("whole/"))
        assert process.facts["resumed"] == process.facts["whole"]


def test_told_to_leave_after_the_last_step_both_leave(two: Two) -> None:
    for process in two:
        assert "stopped by SIGTERM at the end of a phase" in process.facts["left at the end"]


def test_validation_counts_every_image_once(two: Two, tmp_path: Path) -> None:
    """The network that came out, measured by one process on all validation images at once."""
    state = job(tmp_path, Ranks())
    state.classifier.load_state_dict(two[0].under("whole/"))
    val = QuarterBatches(37, seed=1)
    with torch.inference_mode():
        logits = state.classifier.eval()(val.pixels)
    best = min(two[0].facts["whole"], key=lambda record: float(record["val_loss"]))
    loss = torch.nn.functional.cross_entropy(logits, val.labels).item()
    assert best["val_loss"] == pytest.approx(loss, rel=1e-5)


def test_a_budget_is_planned_alike(two: Two) -> None:
    assert two[0].facts["budget"] == two[1].facts["budget"] > 0


def test_where_the_environment_does_not_say_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert Ranks.of_torchrun() == Ranks()


def test_every_process_of_a_host_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Ranks(5, 6, 1).device("auto") == torch.device("cuda", 1)
    assert Ranks().device("cuda") == torch.device("cuda")
    with pytest.raises(ConvlensError, match=r"more processes here than there are GPUs \(2\)"):
        Ranks(2, 3, 2).device("cuda")


def test_several_processes_do_not_share_apples_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert Ranks(0, 2, 0).device("auto") == torch.device("cpu")
    with pytest.raises(ConvlensError, match="several processes cannot share"):
        Ranks(0, 2, 0).device("mps")
