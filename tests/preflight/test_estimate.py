"""What a run will take, reckoned from a pace that is given; and that measuring leaves no trace."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.preflight.scenes import source

import convlens
from convlens.core.batch import Batch
from convlens.core.reporter import Quiet
from convlens.data import DataSettings, ImageSet, open_source, read_pixels
from convlens.preflight import Preflight, estimate, plan_of
from convlens.recipe import resolve_defaults
from convlens.runs import PhaseTimings, RunTimings, benchmark_run, parts_of
from convlens.training import StepContext, TrainingState
from convlens.training.loop import train_step

ASKED: dict[str, Any] = {"source": "here"}
CPU = torch.device("cpu")


def images(n: int = 200, side: int = 16) -> ImageSet:
    pixels = np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    settings = DataSettings(val=0.2, test=0.1)
    return open_source((pixels, np.arange(n) % 2), settings=settings, reporter=Quiet())


def phase(**changes: Any) -> PhaseTimings:
    usual = {
        "train": "all",
        "step": 0.5,
        "small_step": 0.1,
        "validation": 0.01,
        "features": 0.0,
        "features_of": 0,
        "draws": 0,
    }
    return PhaseTimings(**{**usual, **changes})


@pytest.fixture
def paced(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """An estimate from phases whose pace is given."""

    def reckoned(asked: dict[str, Any], *phases: PhaseTimings) -> Any:
        pace = RunTimings(decoding=0.02, predicting=0.03, phases=phases, pixels_bytes=0)
        monkeypatch.setattr("convlens.preflight.estimates.benchmark_run", lambda *_, **__: pace)
        shown = images()
        recipe, _ = resolve_defaults({**ASKED, **asked}, shown)
        network = plan_of(recipe, shown).network
        assert network is not None
        n = {part: len(own) for part, own in parts_of(recipe, shown).items()}
        return estimate(recipe, shown, network, device=CPU), n

    return reckoned


def test_steps_validation_and_the_last_figures_add_up(paced: Callable[..., Any]) -> None:
    training = {"epochs": 7, "batch_size": 20}
    found, n = paced({"training": training}, phase())
    steps = 7  # 140 training images in batches of 20
    assert n["train"] == 140
    assert found.training_seconds == pytest.approx(7 * (steps * 0.5 + n["val"] * 0.01))
    last = 0.03 * (n["val"] + n["calibration"] + n["test"])
    assert found.seconds == pytest.approx(found.training_seconds + last)
    assert not found.at_most


def test_the_first_epochs_may_have_smaller_images(paced: Callable[..., Any]) -> None:
    asked = {
        "training": {"epochs": 5, "batch_size": 140},
        "augment": {"early_epochs": 3, "early_scale": 0.75},
    }
    found, n = paced(asked, phase())
    assert found.training_seconds == pytest.approx(3 * 0.1 + 2 * 0.5 + 5 * n["val"] * 0.01)


def test_features_are_added_to_the_phase_that_makes_them(paced: Callable[..., Any]) -> None:
    phases = [{"train": "head", "epochs": 2}, {"train": "last 1", "epochs": 3}]
    training = {"phases": phases, "batch_size": 140}
    frozen = phase(train="head", features=0.2, features_of=4, draws=2)
    found, n = paced({"training": training}, frozen, phase(features_of=3, draws=2))
    first, second = found.phases
    own = 2 * (0.5 + n["val"] * 0.01) + 0.2 * (2 * n["train"] + n["val"])
    assert first.seconds == pytest.approx(own)
    assert second.seconds == pytest.approx(3 * (0.5 + n["val"] * 0.01))


def test_a_budget_is_what_it_takes_and_stopping_early_makes_it_the_most(
    paced: Callable[..., Any],
) -> None:
    two = [{"train": "head", "epochs": 2}, {"train": "all", "epochs": 1}]
    found, _ = paced({"training": {"budget_seconds": 33.0, "phases": two}}, phase(), phase())
    assert found.training_seconds == 33.0
    assert [own.seconds for own in found.phases] == [22.0, 11.0]
    stopping = {"epochs": 9, "early_stopping": {"patience": 3}}
    found, _ = paced({"training": stopping}, phase())
    assert found.at_most
    assert "at most" in found.describe()


@pytest.mark.parametrize("budget", [None, 33.0])
def test_steps_are_not_timed_at_length_where_training_has_a_budget(
    monkeypatch: pytest.MonkeyPatch, budget: float | None
) -> None:
    """Two show the memory: the first allocates, the second has the optimizer's own beside it."""
    taken: list[Batch] = []

    def pluralize(state: TrainingState, batch: Batch, terms: StepContext) -> None:
        taken.append(batch)
        train_step(state, batch, terms)

    monkeypatch.setattr("convlens.training.dry_run.train_step", pluralize)
    shown = images()
    training = {"batch_size": 20, "budget_seconds": budget}
    layers = "conv 4 3 same relu, globalavgpool, dense"
    recipe, _ = resolve_defaults(
        {**ASKED, "model": {"layers": layers}, "training": training}, shown
    )
    network = plan_of(recipe, shown).network
    assert network is not None
    estimate(recipe, shown, network, device=CPU)
    assert (len(taken) == 2) is (budget is not None), f"{len(taken)} steps"


def test_memory_has_the_pixels_of_every_part_that_a_run_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown = images(2000, side=48)
    recipe, _ = resolve_defaults({**ASKED, "augment": {"policy": "standard"}}, shown)
    assert recipe.augment.margin == 0 or recipe.input.shape == (3, 48, 48)
    network = plan_of(recipe, shown).network
    assert network is not None
    n = {part: len(own) for part, own in parts_of(recipe, shown).items()}
    assert n["calibration"] > 100
    assert n["test"] > 100
    monkeypatch.setattr("convlens.preflight.estimates.peak_memory", lambda _: 100_000_000)
    for measured, left in ((0, 2000), (48 * 48 * 3 * 500, 1500)):
        pace = RunTimings(decoding=0.0, predicting=0.0, phases=(phase(),), pixels_bytes=measured)
        monkeypatch.setattr("convlens.preflight.estimates.benchmark_run", lambda *_, p=pace, **k: p)
        found = estimate(recipe, shown, network, device=CPU)
        assert found.memory_mb == round(100 + 48 * 48 * 3 * left / 1e6)


def test_images_that_are_kept_decoded_take_no_time_to_decode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = open_source(source(tmp_path), reporter=Quiet())
    recipe, _ = resolve_defaults({**ASKED, "input": {"height": 32, "width": 32}}, shown)
    network = plan_of(recipe, shown).network
    assert network is not None
    pace = RunTimings(decoding=0.02, predicting=0.0, phases=(phase(),), pixels_bytes=0)
    monkeypatch.setattr("convlens.preflight.estimates.benchmark_run", lambda *_, **__: pace)
    before = estimate(recipe, shown, network, device=CPU)
    assert before.seconds == pytest.approx(before.training_seconds + 0.02 * len(shown))
    for part, numbers in parts_of(recipe, shown).items():
        margin = recipe.augment.margin if part == "train" else 0.0
        read_pixels(shown, numbers, recipe.input, margin=margin, reporter=Quiet())
    after = estimate(recipe, shown, network, device=CPU)
    assert after.seconds == after.training_seconds


def test_the_parts_of_a_transfer_are_measured_apart() -> None:
    shown = images()
    layers = "conv 4 3 same relu, maxpool 2, conv 8 3 same relu, globalavgpool, dense"
    phases = [{"train": how, "epochs": 1} for how in ("head", "last 1", "all")]
    asked = {
        "model": {"layers": layers},
        "augment": {"policy": "none"},
        "training": {"phases": phases, "batch_size": 20},
    }
    recipe, _ = resolve_defaults({**ASKED, **asked}, shown)
    network = plan_of(recipe, shown).network
    assert network is not None
    head, last, whole = benchmark_run(recipe, shown, network, device=CPU, seconds=0.0).phases
    assert head.features_of > last.features_of > 1
    assert head.features > 0
    assert last.features == 0, "an earlier phase has kept them"
    assert (head.draws, whole.features_of, whole.features) == (1, 0, 0.0)


def test_measuring_leaves_the_network_and_torchs_generator_as_they_were() -> None:
    shown = images()
    recipe, _ = resolve_defaults({**ASKED, "training": {"batch_size": 20}}, shown)
    network = plan_of(recipe, shown).network
    assert network is not None
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(5)
    generator = torch.get_rng_state()
    benchmark_run(recipe, shown, network, device=CPU, seconds=0.01)
    assert torch.equal(torch.get_rng_state(), generator)
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_is_the_same_to_the_bit_without_the_checks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def weights(folder: str) -> bytes:
        run = convlens.train("digits", epochs=1, out=tmp_path / folder, quiet=True)
        return (run.bundle / "model.safetensors").read_bytes()

    checked = weights("checked")
    nothing = Preflight(name="digits", images=0, findings=())
    monkeypatch.setattr("convlens.api.training.checked", lambda *_, **__: nothing)
    assert weights("unchecked") == checked
