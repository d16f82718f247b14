"""Real photographs, and the two ways to warp and color them."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_sample_images
from torch import Tensor

from convlens.augment import AugmentSettings, Draws, draw


@pytest.fixture(scope="session")
def photographs() -> NDArray[np.uint8]:
    """Two different 96×128 windows of each of scikit-learn's photographs (a temple, a flower)."""
    china, flower = load_sample_images().images
    windows = [china[150:246, 200:328], china[40:136, 380:508]]
    windows += [flower[120:216, 220:348], flower[200:296, 60:188]]
    return np.stack(windows)


@pytest.fixture
def torch_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the path of other devices on the processor."""
    for module in ("warp", "color"):
        monkeypatch.setattr(f"convlens.augment.{module}.on_cpu", lambda pixels: False)


def as_batch(arrays: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(arrays)).permute(0, 3, 1, 2)


def as_images(pixels: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy())


def at_rest(n: int = 1, **changes: Any) -> Draws:
    """Draws that change nothing, but for the parameters given (one value, or one an image)."""
    still = draw(AugmentSettings(), seed=0, epoch=0, indices=np.arange(n), height=8, width=8)
    types = {field.name: getattr(still, field.name) for field in fields(Draws)}
    values = {
        name: np.broadcast_to(np.asarray(value, types[name].dtype), types[name].shape).copy()
        for name, value in changes.items()
    }
    return replace(still, **values)


class Tools:
    as_batch = staticmethod(as_batch)
    as_images = staticmethod(as_images)
    at_rest = staticmethod(at_rest)


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools()
