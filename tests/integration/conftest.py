"""Small folders of pictures that a network can tell apart, and the command line in-process."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convlens.api import train
from convlens.cli.main import main

COLOURS = {"grün": (40, 160, 60), "red": (190, 40, 40), "blue": (50, 60, 200)}


def picture(
    color: tuple[int, int, int], seed: int, size: tuple[int, int] = (16, 16)
) -> Image.Image:
    noise = np.random.default_rng(seed).normal(0, 25, (size[1], size[0], 3))
    return Image.fromarray(np.clip(np.array(color) + noise, 0, 255).astype(np.uint8))


def fill(folder: Path, *, classes: int = 2, each: int = 10, suffix: str = "png") -> Path:
    """Class folders of noisy pictures, one color a class."""
    for number, (name, color) in enumerate(list(COLOURS.items())[:classes]):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            seed = sum(map(ord, str(folder.name))) * 1000 + number * 100 + i
            picture(color, seed).save(folder / name / f"bild {i}.{suffix}")
    return folder


@pytest.fixture
def common_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which this test has no more rights than anyone: root's are laid down."""
    if not hasattr(os, "geteuid"):
        pytest.skip("this system has no file permissions of the Unix kind")
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        # Python itself may lie where only root can read: what a run imports must be there before.
        with tempfile.TemporaryDirectory() as warm:
            photos = fill(Path(warm) / "photos", each=12)
            train(photos, epochs=1, out=Path(warm) / "run")
        monkeypatch.setenv("CONVLENS_CACHE", str(folder / "cache"))
        if user == 0:
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)
            for path in [folder, *folder.rglob("*")]:
                path.chmod(0o777)


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit status, and what it printed where."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Convlens = Callable[..., Outcome]


@pytest.fixture
def convlens(capsys: pytest.CaptureFixture[str]) -> Convlens:
    def run(*words: str | Path) -> Outcome:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        printed = capsys.readouterr()
        status = left.value.code
        assert isinstance(status, int)
        assert "Traceback" not in printed.err + printed.out
        return Outcome(status, printed.out, printed.err)

    return run
