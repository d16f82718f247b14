"""Every test starts from the same state, and leaves none behind."""

import os
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

for _name in ("COLUMNS", "LINES", "TERMINAL_WIDTH", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
    os.environ.pop(_name, None)  # what is printed must not depend on whose terminal runs the tests

torch.set_num_threads(1)  # pytest-xdist runs one process a core


def _settled(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what pytest and libraries set by themselves."""
    own = (
        *("PYTEST_CURRENT_TEST", "TORCHINDUCTOR_", "KMP_", "LD_LIBRARY_PATH"),
        # TensorFlow, through which TensorBoard writes where it is installed:
        *("TF2_BEHAVIOR", "TPU_ML_PLATFORM", "HDF5_PLUGIN_PATH", "ENABLE_RUNTIME_UPTIME_TELEMETRY"),
    )
    return {name: value for name, value in environment.items() if not name.startswith(own)}


@pytest.fixture(autouse=True)
def _leaves_nothing_behind() -> Iterator[None]:
    """No environment variable, working folder or thread may outlive a test."""
    environment, folder, threads = dict(os.environ), Path.cwd(), threading.active_count()
    yield
    assert _settled(os.environ) == _settled(environment), "the test changed the environment"
    assert Path.cwd() == folder, "the test left another working folder"
    patience = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < patience:
        time.sleep(0.01)  # a thread that was told to end may need an instant to do so
    assert threading.active_count() <= threads, "the test left a thread running"


@pytest.fixture(autouse=True)
def _own_cache(
    _leaves_nothing_behind: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a test caches stays its own; undone before the check above."""
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "cache"))
