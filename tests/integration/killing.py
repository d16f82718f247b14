"""Kill runs, resume them, and compare what comes of it with a run that nobody disturbed.

The runs are processes of their own, as ``convlens train`` starts them, of a recipe that has all
that a checkpoint must remember: phases, frozen layers, callbacks, averaged weights, augmentation,
dropout, a normalization's statistics, and saves within epochs.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file

RECIPE = """
source = "{source}"

[input]
height = 16
width = 16

[augment]
policy = "standard"

[model]
layers = [
    "conv 8 3 same relu", "batchnorm", "maxpool 2",
    "conv 16 3 same relu", "batchnorm", "maxpool 2", "dropout 0.25",
    "flatten", "dense 32 relu", "batchnorm", "dropout 0.5", "dense",
]

[training]
batch_size = 16
checkpoint_seconds = 0.05
feature_draws = 2
ema = {{ decay = 0.9 }}
early_stopping = {{ patience = 20 }}
reduce_on_plateau = {{ factor = 0.7, patience = 1 }}

[[training.phases]]
train = "head"
epochs = 6

[[training.phases]]
train = "last 1"
epochs = 6
schedule = {{ name = "constant" }}

[[training.phases]]
train = "all"
epochs = 12
optimizer = {{ name = "sgd", learning_rate = 0.01 }}
"""
TOLD_APART = frozenset(
    {
        "seconds",
        "validation_seconds",
        "images_per_second",
        "saving_seconds",
        "peak_memory_mb",
        "made",
        "run",
        "checksums",  # of values that hold such timings
    }
)
_COLOURS = {"blue": (95, 95, 110), "green": (95, 110, 95), "red": (110, 95, 95)}
_IMAGES, _SIDE = 40, 20
_BEFORE = 0.3  # seconds before a process begins its work, in which it reads its images
_PATIENCE_SECONDS = 600


@dataclass
class Tally:
    """What a drill has done and found.

    Attributes:
        kills: processes that were killed at work.
        resumes: times that a killed run was gone on with.
        restarts: times that it was begun again, having been killed before it had written a recipe.
        runs: runs that were finished, and compared.
        checkpoints_compared: of them, those whose last checkpoint stood where the undisturbed one's
            did, and was compared as well.
        caches_deleted: times that decoded pixels or features were deleted before a resume.
        mismatches: what differed from the undisturbed run, and processes that failed.
        left_behind: half-written files that finished runs still held.
        kill_instants: when each process was killed, in seconds after it had begun its work.
        undisturbed_seconds: how long a process takes that is not killed.
        saving_share: of the undisturbed run's training time, spent on checkpoints.
    """

    kills: int = 0
    resumes: int = 0
    restarts: int = 0
    runs: int = 0
    checkpoints_compared: int = 0
    caches_deleted: int = 0
    mismatches: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)
    kill_instants: list[float] = field(default_factory=list)
    undisturbed_seconds: float = 0.0
    saving_share: float = 0.0


def drill(
    folder: Path,
    *,
    kills: int,
    seed: int,
    within: float = 1.0,
    tell: Callable[[Tally], None] = lambda _: None,
) -> Tally:
    """Kill runs at random instants until there have been so many kills, and finish every one.

    Args:
        folder: an empty folder to work in.
        kills: how many processes to kill.
        seed: of the instants, and of when caches are deleted.
        within: the share of the time for which a whole run is at work, in which every process is
            killed: the smaller, the more often one run is.
        tell: is told after each run.
    """
    dice, tally = random.Random(seed), Tally()
    source, recipe = write_images(folder / "images"), folder / "recipe.toml"
    recipe.write_text(RECIPE.format(source=source.as_posix()), "utf-8")
    reference, caches = folder / "undisturbed", folder / "cache"
    process = Training.start(recipe, reference, caches)
    process.wait_until_at_work()
    failure = process.finish()
    assert not failure, failure
    tally.undisturbed_seconds = process.seconds
    metrics = json.loads((reference / "metrics.json").read_text("utf-8"))
    tally.saving_share = metrics["saving_seconds"] / metrics["seconds"]
    while tally.kills < kills and not tally.mismatches:
        run = folder / f"run-{tally.runs}"
        shutil.rmtree(caches)
        latest = within * (process.seconds - process.startup)
        instants = (dice.uniform(-_BEFORE, latest) for _ in range(kills - tally.kills))
        failure = kill_and_resume(recipe, run, caches, instants=instants, dice=dice, tally=tally)
        found = [failure] if failure else list(differences(run, reference))
        tally.checkpoints_compared += not failure and same_checkpoint(run, reference)
        tally.mismatches += [f"{run.name}: {what}" for what in found]
        tally.left_behind += [f"{run.name}: {name}" for name in half_written(run)]
        tally.left_behind += [f"{run.name}, caches: {name}" for name in half_written(caches)]
        tally.runs += 1
        tell(tally)
    return tally


def kill_and_resume(
    recipe: Path,
    run: Path,
    caches: Path,
    *,
    instants: Iterable[float],
    dice: random.Random,
    tally: Tally,
) -> str:
    """Begin a run, kill it at each instant that comes before its end, go on with it every time.

    Args:
        recipe: what the run is to do.
        run: its folder.
        caches: where convlens keeps what it can make again.
        instants: seconds after a process has begun its work, or before; when there are no more, it
            is let finish.
        dice: decides before which resumes a cache is deleted.
        tally: is kept up to date.

    Returns:
        How a process failed; nothing where all went well.
    """
    process, startup = Training.start(recipe, run, caches), 0.0
    for instant in instants:
        if not process.kill_after(instant, startup=startup):
            break
        startup = process.startup or startup
        tally.kills += 1
        tally.kill_instants.append(round(instant, 2))
        kept = sorted(path for path in caches.rglob("*") if path.is_dir())
        if kept and dice.random() < 0.5:
            shutil.rmtree(dice.choice(kept))
            tally.caches_deleted += 1
        if (run / "recipe.toml").exists():
            tally.resumes += 1
            process = Training.resume(run, caches)
        else:
            tally.restarts += 1
            process = Training.start(recipe, run, caches)
    return process.finish()


class Training:
    """A process of ``convlens``, and how long it has been there.

    Attributes:
        startup: seconds from its start until it was seen at work; 0 where it was not.
        seconds: from its start to its end.
    """

    def __init__(self, words: list[str | Path], run: Path, caches: Path) -> None:
        # One thread: many processes may be at work here, and the contract asks for the same count.
        own = {"CONVLENS_CACHE": str(caches), "OMP_NUM_THREADS": "1"}
        self._recipe, self._errors = run / "recipe.toml", run.with_name(run.name + ".txt")
        self._written = _written(self._recipe)
        self._began = time.monotonic()
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "convlens", *words, "--device", "cpu"],
                env=os.environ | own,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
        self.startup = self.seconds = 0.0

    @classmethod
    def start(cls, recipe: Path, run: Path, caches: Path) -> "Training":
        """A new run."""
        return cls(["train", "--recipe", recipe, "--out", run], run, caches)

    @classmethod
    def resume(cls, run: Path, caches: Path) -> "Training":
        """A run that was killed."""
        return cls(["resume", run], run, caches)

    def wait_until_at_work(self) -> None:
        """Until it writes its recipe, new or again: its images are read by then."""
        while _written(self._recipe) == self._written and self._process.poll() is None:
            time.sleep(0.005)
        self.startup = time.monotonic() - self._began

    def kill_after(self, instant: float, *, startup: float) -> bool:
        """Kill it so many seconds after it has begun its work; False where it had ended by then.

        Args:
            instant: seconds; a negative one is before it begins its work.
            startup: how long such a process takes to begin it, for an instant before.
        """
        if instant < 0:
            end = self._began + max(0.0, startup + instant)
        else:
            self.wait_until_at_work()
            end = time.monotonic() + instant
        try:
            self._process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            self.seconds = time.monotonic() - self._began
            return self._process.returncode < 0
        return False

    def finish(self) -> str:
        """Let it come to its end; how it failed, or nothing."""
        try:
            status = self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return f"it did not end within {_PATIENCE_SECONDS} seconds"
        self.seconds = time.monotonic() - self._began
        told = self._errors.read_text("utf-8", errors="replace")
        return "" if status == 0 else f"exit status {status}: {told[-2000:]}"


def differences(run: Path, reference: Path) -> Iterator[str]:
    """What a finished run has that the undisturbed one has not, timings apart; bit for bit.

    When checkpoints are saved is a matter of time: they are compared where both stand at one place.
    """
    values = ["metrics.json", "bundle/bundle.json", "history.jsonl"]
    tensors = ["bundle/model.safetensors"]
    if same_checkpoint(run, reference):
        values.append("checkpoint/state.json")
        tensors.append("checkpoint/state.safetensors")
    for name in tensors:
        if (run / name).read_bytes() == (reference / name).read_bytes():
            continue
        ours, theirs = load_file(run / name), load_file(reference / name)
        other = [
            key for key in ours.keys() & theirs.keys() if _bits(ours[key]) != _bits(theirs[key])
        ]
        yield f"{name}: {sorted(ours.keys() ^ theirs.keys()) + sorted(other)}"
    for name in values:
        found, expected = (_values(folder / name) for folder in (run, reference))
        for at, (ours, theirs) in enumerate(zip_longest(found, expected)):
            if ours != theirs:
                yield f"{name}, {at}: {ours} instead of {theirs}"
    for name in ("recipe.toml", "splits.csv"):
        if (run / name).read_bytes() != (reference / name).read_bytes():
            yield name


def same_checkpoint(run: Path, reference: Path) -> bool:
    """Whether the last checkpoints of both stand at one place."""
    ours, theirs = (_values(folder / "checkpoint" / "state.json")[0] for folder in (run, reference))
    return all(ours[key] == theirs[key] for key in ("phase", "epoch", "samples_seen", "step"))


def half_written(run: Path) -> list[str]:
    """Files and folders that are only there while something is being written."""
    found = (path.relative_to(run).as_posix() for path in run.rglob("*"))
    return sorted(name for name in found if name.endswith((".partial", ".old")))


def write_images(folder: Path) -> Path:
    """Class folders of noisy pictures, hard enough to tell apart that training is never done."""
    noise = np.random.default_rng(0)
    for name, color in _COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(_IMAGES):
            pixels = np.array(color) + noise.normal(0, 60, (_SIDE, _SIDE, 3))
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(folder / name / f"{number}.png")
    return folder


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _bits(tensor: NDArray[Any]) -> tuple[str, bytes]:
    return str(tensor.dtype), tensor.tobytes()


def _values(path: Path) -> Any:
    text = path.read_text("utf-8")
    lines = text.splitlines() if path.suffix == ".jsonl" else [text]
    return [_comparable(json.loads(line)) for line in lines]


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _comparable(v) for k, v in value.items() if k not in TOLD_APART}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value
