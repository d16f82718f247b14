"""Runs and bundles that version 0.1 wrote: they still load, answer the same and resume."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_digits

import convlens
from convlens.core.errors import ConvlensError

OLD = Path(__file__).parent / "version_0_1"
EXPECTED: dict[str, Any] = json.loads((OLD / "expected.json").read_text("utf-8"))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A copy that may be written to."""
    shutil.copytree(OLD, tmp_path / "old")
    return tmp_path / "old"


@pytest.mark.parametrize("name", ["finished", "custom"])
def test_an_old_bundle_answers_as_it_did(name: str) -> None:
    images = [(x * 255 / 16).round().astype("uint8") for x in load_digits().images[:12]]
    predictor = convlens.load(OLD / name, trust_code=name == "custom")
    answers = [found.top[0] for found in predictor.predict(images)]
    assert [answer.name for answer in answers] == [name for _, name in EXPECTED[name]]
    assert [answer.probability for answer in answers] == pytest.approx(
        [probability for probability, _ in EXPECTED[name]], abs=1e-4
    )


def test_an_old_bundle_with_code_needs_trust() -> None:
    with pytest.raises(ConvlensError, match="trust"):
        convlens.load(OLD / "custom")


def test_an_old_run_is_evaluated_to_the_accuracy_it_recorded(old: Path) -> None:
    found = convlens.evaluate(old / "finished", quiet=True)
    assert found.as_json()["accuracy"] == pytest.approx(EXPECTED["finished_test_accuracy"])


def test_an_old_run_gets_a_report(old: Path) -> None:
    page = convlens.report(old / "finished", quiet=True)
    assert "digits" in Path(page).read_text("utf-8")


def test_an_old_unfinished_run_resumes_to_the_same_losses(old: Path) -> None:
    run = convlens.train(resume=old / "unfinished", quiet=True)
    for now, then in zip(run.history, EXPECTED["unfinished"], strict=True):
        assert now["epoch"] == then["epoch"]
        assert now["train_loss"] == pytest.approx(then["train_loss"], rel=1e-3)
        assert now["val_loss"] == pytest.approx(then["val_loss"], rel=1e-3)
    accuracy = run.metrics["test"]["accuracy"]
    assert accuracy == pytest.approx(EXPECTED["unfinished_test_accuracy"], abs=0.01)
