"""Every test starts from the same state, and leaves none behind."""

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # pytest-xdist runs one process a core


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(_own_cache: None) -> Iterator[None]:
    """No environment variable, working folder, default generator or thread may change hands."""
    environment, folder, threads = dict(os.environ), Path.cwd(), threading.active_count()
    yield
    ignored = {"PYTEST_CURRENT_TEST", "TORCHINDUCTOR_CACHE_DIR"}  # pytest's and torch's own
    assert {k: v for k, v in os.environ.items() if k not in ignored} == {
        k: v for k, v in environment.items() if k not in ignored
    }, "the test changed the environment"
    assert Path.cwd() == folder, "the test left another working folder"
    patience = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < patience:
        time.sleep(0.01)  # a thread that was told to end may need an instant to do so
    assert threading.active_count() <= threads, "the test left a thread running"
