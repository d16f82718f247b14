"""Phases, wired: what learns, what is kept of what does not, and how a run goes through them."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from convlens.api import train
from convlens.core.batch import Batch
from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.runs import Run, phases
from convlens.training import Moment, SaveCheckpoint, TrainingState, loop

LAYERS = (
    "conv 6 3 same relu, batchnorm, maxpool 2, conv 8 3 same relu, batchnorm, maxpool 2, "
    "conv 8 3 same relu, maxpool 2, globalavgpool, dropout 0.3, dense"
)
TWO = 'training.phases=[{train="head"},{train="last 1",optimizer={learning_rate=1e-3}}]'
Arrays = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]


@pytest.fixture(scope="module")
def images() -> Arrays:
    """Two classes: a bright upper half, or a bright lower one."""
    draws = np.random.default_rng(0)
    labels = np.arange(80) % 2
    pixels = draws.integers(0, 120, (80, 16, 16, 3), np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[8 * label : 8 * label + 8] += 100
    return pixels, labels


def run(images: Arrays, out: Path, *settings: str, epochs: int = 3, **also: Any) -> Run:
    asked = {"layers": LAYERS, "augment": "none", "quiet": True, **also}
    return train(images, epochs=epochs, out=out, settings=settings, **asked)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return load_file(run.bundle / "model.safetensors")


def test_what_a_phase_freezes_stays_to_the_bit(tmp_path: Path, images: Arrays) -> None:
    start = run(images, tmp_path / "a", 'training.phases=[{train="head"}]', epochs=1)
    later = run(images, tmp_path / "b", 'training.phases=[{train="head"}]', epochs=4)
    last = run(images, tmp_path / "c", TWO, 'training.keep="last"')
    first, more, both = weights(start), weights(later), weights(last)
    stages = {name for name in first if name.startswith("stages.")}
    assert all(torch.equal(first[name], more[name]) for name in stages)
    moved = {name for name in stages if not torch.equal(first[name], both[name])}
    assert moved == {"stages.block3.conv1.weight", "stages.block3.conv1.bias"}
    assert not torch.equal(first["head.dense1.weight"], more["head.dense1.weight"])
    assert [(line["phase"], line["epoch"]) for line in last.history] == [
        *(("head", epoch) for epoch in (1, 2, 3)),
        *(("last 1", epoch) for epoch in (4, 5, 6)),
    ]


def test_kept_features_train_to_the_same_weights(tmp_path: Path, images: Arrays) -> None:
    kept = run(images, tmp_path / "kept", TWO)
    computed = run(images, tmp_path / "computed", TWO, "training.feature_cache=false")
    for name, tensor in weights(computed).items():
        torch.testing.assert_close(weights(kept)[name], tensor, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(kept.history, computed.history, strict=True):
        assert ours["val_loss"] == pytest.approx(theirs["val_loss"], abs=1e-5)


class PulledError(Exception):
    """The plug was pulled."""


@pytest.mark.parametrize("step", [1, 10, 21, 22, 30, 41, 42])
@pytest.mark.parametrize("cache", ["kept", "deleted"])
def test_killed_in_any_phase_it_ends_with_the_same_bits(
    tmp_path: Path, images: Arrays, monkeypatch: pytest.MonkeyPatch, step: int, cache: str
) -> None:
    np.savez(tmp_path / "images.npz", X=images[0], y=images[1])
    settings = (
        TWO,
        "training.ema={decay=0.9}",
        "training.early_stopping={patience=2}",
        "training.reduce_on_plateau={patience=1}",
        "training.checkpoint_seconds=1e-9",
        "training.batch_size=8",
    )
    source: Any = str(tmp_path / "images.npz")
    whole = run(source, tmp_path / "whole", *settings)

    class Plug(SaveCheckpoint):  # type: ignore[misc]  # a kill comes where it will
        def on(self, moment: Moment, state: TrainingState) -> None:
            super().on(moment, state)
            if moment is Moment.STEP_END and state.step == step:
                raise PulledError

    with monkeypatch.context() as patched, pytest.raises(PulledError):
        patched.setattr(phases, "SaveCheckpoint", Plug)
        run(source, tmp_path / "killed", *settings)
    if cache == "deleted":
        monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path / "another cache"))
    resumed = train(resume=tmp_path / "killed", quiet=True)
    assert weights(resumed).keys() == weights(whole).keys()
    for name, tensor in weights(whole).items():
        assert torch.equal(weights(resumed)[name], tensor), name
    timings = {"seconds", "images_per_second", "validation_seconds"}
    for ours, theirs in zip(resumed.history, whole.history, strict=True):
        assert {k: v for k, v in ours.items() if k not in timings} == {
            k: v for k, v in theirs.items() if k not in timings
        }


def test_a_run_goes_on_without_the_file_its_weights_began_from(
    tmp_path: Path, images: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint holds all weights: the file may have moved, and the working folder too."""
    np.savez(tmp_path / "images.npz", X=images[0], y=images[1])
    source: Any = str(tmp_path / "images.npz")
    first = run(source, tmp_path / "first", epochs=1)
    file = tmp_path / "begun.safetensors"
    shutil.copy(first.bundle / "model.safetensors", file)
    monkeypatch.chdir(tmp_path)
    settings = (TWO, "training.checkpoint_seconds=1e-9", "training.batch_size=8")
    whole = run(source, tmp_path / "whole", *settings, weights=file.name)
    assert whole.recipe.model.weights == file
    asked = run(source, tmp_path / "asked", f"model.weights={file.name}", epochs=1)
    assert asked.recipe.model.weights == file

    class Plug(SaveCheckpoint):  # type: ignore[misc]  # as above
        def on(self, moment: Moment, state: TrainingState) -> None:
            super().on(moment, state)
            if moment is Moment.STEP_END and state.step == 27:
                raise PulledError

    with monkeypatch.context() as patched, pytest.raises(PulledError):
        patched.setattr(phases, "SaveCheckpoint", Plug)
        run(source, tmp_path / "cut", *settings, weights=file.name)
    file.unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    resumed = train(resume=tmp_path / "cut", quiet=True)
    assert weights(resumed).keys() == weights(whole).keys()
    for name, tensor in weights(whole).items():
        assert torch.equal(weights(resumed)[name], tensor), name


def test_another_machine_is_told_and_written_beside_the_first(
    tmp_path: Path, images: Arrays, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "images.npz", X=images[0], y=images[1])
    new_run = run(str(tmp_path / "images.npz"), tmp_path / "run", quiet=False).environment
    assert "resumed" not in new_run

    def resumed(threads: int) -> str:
        before = torch.get_num_threads()
        try:
            torch.set_num_threads(threads)
            train(resume=tmp_path / "run")
        finally:
            torch.set_num_threads(before)
        return capsys.readouterr().err

    words = "not be the same to the last bit"
    assert words not in resumed(1), "nothing is another"
    assert Run(tmp_path / "run").environment == new_run
    assert f"resumed with 3 threads, begun with 1 thread: the weights will {words}" in " ".join(
        resumed(3).split()
    )
    resumed(3)
    found = Run(tmp_path / "run").environment
    later = found.pop("resumed")
    assert found == new_run
    assert [each["machine"]["threads"] for each in later] == [3]
    assert later[0]["processes"] == 1

    shutil.rmtree(tmp_path / "run" / "checkpoint")
    assert words not in resumed(3), "all of it is trained again, here"
    assert Run(tmp_path / "run").environment["machine"]["threads"] == 3


def test_augmented_versions_are_gone_round(tmp_path: Path, images: Arrays) -> None:
    settings = ('training.phases=[{train="head"}]', "training.feature_draws=2")
    done = run(images, tmp_path / "run", *settings, augment="light")
    assert len(done.history) == 3


def test_a_single_output_tells_two_classes_apart(tmp_path: Path, images: Arrays) -> None:
    done = run(images, tmp_path / "run", 'training.loss.name="binary"', epochs=20)
    assert weights(done)["head.dense1.weight"].shape == (1, 8)
    figures = done.metrics["test"]
    assert figures["accuracy"] == 1
    found = done.predictor().predict(images[0][:2])
    assert [one.top[0].name for one in found] == ["0", "1"]
    assert sum(guess.probability for guess in found[0].top) == pytest.approx(1)


def test_a_single_output_is_for_two_classes(tmp_path: Path, images: Arrays) -> None:
    three = images[0], np.arange(80) % 3
    with pytest.raises(ConvlensError, match="which is for two classes; there are 3"):
        run(three, tmp_path / "run", 'training.loss.name="binary"')


@pytest.mark.parametrize(
    "settings",
    [
        ('training.loss.name="focal"', 'training.loss.class_weights="balanced"'),
        ('training.optimizer.name="muon"', "training.grad_clip_norm=1.0"),
        ('training.schedule.name="one-cycle"', "training.ema={decay=0.9}"),
        ('training.monitor="val_accuracy"', "training.loss.label_smoothing=0.1"),
    ],
)
def test_what_a_recipe_may_ask_for_learns(
    tmp_path: Path, images: Arrays, settings: tuple[str, ...]
) -> None:
    done = run(images, tmp_path / "run", *settings, epochs=15)
    assert done.metrics["test"]["accuracy"] > 0.8
    assert done.history[-1]["train_loss"] < done.history[0]["train_loss"]


def test_what_cannot_be_watched_is_told_before_an_epoch_is_spent(
    tmp_path: Path, images: Arrays
) -> None:
    with pytest.raises(ConvlensError, match="no validation images"):
        run(images, tmp_path / "run", "data.val=0", "training.early_stopping={patience=2}")
    assert not (tmp_path / "run" / "history.jsonl").exists()


def test_a_budget_is_planned_and_told(
    tmp_path: Path, images: Arrays, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run(images, tmp_path / "run", TWO, budget="2s", quiet=False)
    told = capsys.readouterr().err
    assert told.count("planned") == 2, "each phase has its share"
    assert done.recipe.training.budget_seconds == 2
    assert {line["phase"] for line in done.history} == {"head", "last 1"}


def test_a_loss_that_is_not_finite_keeps_the_last_good_state(
    tmp_path: Path, images: Arrays
) -> None:
    with pytest.raises(WorkFailedError, match=r"the loss became .* at step .*images \d+"):
        run(
            images,
            tmp_path / "run",
            'training.optimizer={name="sgd",learning_rate=10}',
            'training.schedule={name="constant",warmup=0}',
            "training.batch_size=4",
            "training.checkpoint_seconds=1e-9",
            layers="conv 64 3 same, conv 64 3 same, flatten, dense 512, dense 512, dense",
            epochs=30,
        )
    kept = load_file(tmp_path / "run" / "checkpoint" / "state.safetensors")
    model = [tensor for name, tensor in kept.items() if name.startswith("model/")]
    assert all(torch.isfinite(tensor).all() for tensor in model)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            ("augment.early_scale=0.5", "augment.early_epochs=1", "training.feature_draws=2"),
            "features are kept of images of one size",
        ),
        (("augment.early_scale=0.5", "augment.early_epochs=9"), "full size in the last ones"),
        (("training.feature_draws=2", "training.feature_cache=false"), "kept or they are not"),
        (
            ("training.early_stopping.restore_best_weights=true",),
            "both say which weights a phase ends with",
        ),
        (("training.phases=[{train='head'},{train='last 99'}]",), "has 3 layers with weights"),
    ],
)
def test_what_contradicts_is_told_before_an_epoch_is_spent(
    tmp_path: Path, images: Arrays, settings: tuple[str, ...], words: str
) -> None:
    head = ("training.phases=[{train='head'}]",) if "feature" in words else ()
    with pytest.raises(ConvlensError, match=words):
        run(images, tmp_path / "run", *head, *settings)
    assert not (tmp_path / "run" / "history.jsonl").exists()


def test_a_head_for_one_size_takes_no_smaller_images(tmp_path: Path, images: Arrays) -> None:
    smaller = ("augment.early_scale=0.5", "augment.early_epochs=1")
    flat = "conv 4 3 same relu, maxpool 2, flatten, dense"
    with pytest.raises(ConvlensError, match="takes images of 16×16 alone"):
        run(images, tmp_path / "flat", *smaller, layers=flat)
    done = run(images, tmp_path / "pooled", *smaller)
    assert len(done.history) == 3


def test_an_option_reaches_every_phase_of_a_recipe(tmp_path: Path, images: Arrays) -> None:
    first = run(images, tmp_path / "first", TWO, epochs=1)
    rate = "training.optimizer.learning_rate=0.5"
    again = run(images, tmp_path / "again", rate, recipe=first.folder / "recipe.toml", epochs=2)
    plan = again.recipe.training.plan
    assert [phase.optimizer.learning_rate for phase in plan] == [0.5, 0.5]
    assert [phase.epochs for phase in plan] == [2, 2]
    assert [phase.train for phase in plan] == ["head", "last 1"]


def test_balanced_sampling_shows_every_class_equally_often(
    tmp_path: Path, images: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, labels = images
    few = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:12]])
    seen: list[int] = []
    plain = loop.train_step

    def watched(state: TrainingState, batch: Batch, terms: Any) -> None:
        seen.extend(batch.targets.tolist())
        plain(state, batch, terms)

    monkeypatch.setattr(loop, "train_step", watched)
    done = run((pixels[few], labels[few]), tmp_path / "run", "training.sampling='balanced'")
    shown = np.bincount(seen)
    assert len(seen) == 36 * len(done.history)
    assert abs(int(shown[0]) - int(shown[1])) < 0.1 * len(seen), "of 3 times 28 and 8 images"
    with pytest.raises(ConvlensError, match="both make up for small classes"):
        run(
            images,
            tmp_path / "both",
            "training.sampling='balanced'",
            "training.loss.class_weights='balanced'",
        )


@pytest.mark.parametrize(
    "settings",
    [
        ("training.keep='last'",),
        ("training.keep='best'",),
        (
            "training.keep='last'",
            "training.early_stopping={patience=2,restore_best_weights=true,monitor='val_loss'}",
        ),
    ],
)
def test_the_epoch_that_is_told_is_that_of_the_weights(
    tmp_path: Path, images: Arrays, settings: tuple[str, ...]
) -> None:
    rate = ("training.optimizer.learning_rate=0.05", "training.schedule.name='constant'")
    done = run(images, tmp_path / "run", *settings, *rate, epochs=12)
    told = done.metrics["best_epoch"]
    losses = [line["val_loss"] for line in done.history]
    best = int(np.argmin(losses)) + 1
    assert told == (len(losses) if settings == ("training.keep='last'",) else best)


def test_measuring_the_pace_cannot_run_away(images: Arrays, tmp_path: Path) -> None:
    """Steps that are only timed must not stop a run that has not begun."""
    done = run(
        images,
        tmp_path / "run",
        "training.optimizer={name='sgd',learning_rate=10}",
        "training.schedule={name='linear',warmup=0.9}",
        epochs=1,
        quiet=True,
    )
    assert len(done.history) == 1
