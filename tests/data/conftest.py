"""Small sources that the tests of this folder write."""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import sklearn  # noqa: F401 - its first import sets environment variables
from PIL import Image

from convlens.core.reporter import Task


class Listener:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.done: list[int] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def warn(self, text: str) -> None:
        self.warned.append(text)

    @contextmanager
    def task(self, name: str, total: int) -> Iterator[Task]:
        yield self

    def update(self, done: int, detail: str = "") -> None:
        self.done.append(done)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """Writes an image of noise that depends on its path, or on the seed given."""

    def write(path: Path, *, seed: int | None = None, size: tuple[int, int] = (8, 6)) -> Path:
        noise = np.random.default_rng(zlib.crc32(str(path).encode()) if seed is None else seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (*size[::-1], 3), dtype=np.uint8)).save(path)
        return path

    return write


@pytest.fixture
def write_classes(write_image: Callable[..., Path]) -> Callable[..., Path]:
    """Writes a class folder of so many images for each keyword."""

    def write(root: Path, **images: int) -> Path:
        for name, count in images.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                write_image(root / name / f"{number:03}.png")
        return root

    return write
