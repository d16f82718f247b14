"""Early stopping and the plateau mean what they mean in Keras 3: recorded, and live where it is."""

import importlib.util
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from convlens.training import (
    EarlyStopping,
    EarlyStoppingSettings,
    ReduceLROnPlateau,
    ReduceOnPlateauSettings,
)
from tests.training.callbacks.playing import fresh_state, play, weights_of

HERE = Path(__file__).parent
RECORDED: list[dict[str, Any]] = json.loads((HERE / "keras_facts.json").read_text())


def our_facts(case: dict[str, Any]) -> dict[str, Any]:
    state, figure = fresh_state(), case["settings"]["monitor"]
    if case["callback"] == "EarlyStopping":
        stopping = EarlyStopping(EarlyStoppingSettings(**case["settings"]))
        play(stopping, state, figure, case["values"])
        return {"epochs": state.epoch, "weights_of": weights_of(state)}
    peak = case["rate"]
    plateau = ReduceLROnPlateau(ReduceOnPlateauSettings(**case["settings"]), peak=peak)
    scales = play(plateau, state, figure, case["values"])
    return {"rates": pytest.approx([peak * scale for scale in scales], rel=1e-5)}


def keras_facts(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    told = subprocess.run(
        [sys.executable, HERE / "keras_reference.py"],
        env={**os.environ, "KERAS_BACKEND": "torch", "OMP_NUM_THREADS": "1"},
        input=json.dumps(cases),
        capture_output=True,
        check=True,
        text=True,
    )
    return [case["facts"] for case in json.loads(told.stdout)]


def drawn_case(draw: random.Random) -> dict[str, Any]:
    """Figures on a coarse grid, so that ties and steps of exactly min_delta are many."""
    level, values = 1.0, []
    for _ in range(25):
        level += draw.choice([-0.1, -0.05, -0.01, 0.0, 0.0, 0.01, 0.05])
        values.append(round(level, 2))
    settings = {
        "monitor": draw.choice(["val_loss", "val_accuracy"]),
        "patience": draw.randrange(5),
        "min_delta": draw.choice([0.0, 0.01, 0.05, 0.1]),
    }
    if draw.random() < 0.5:
        settings["restore_best_weights"] = draw.random() < 0.5
        return {"callback": "EarlyStopping", "settings": settings, "values": values}
    settings |= {
        "factor": draw.choice([0.1, 0.3, 0.5]),
        "cooldown": draw.randrange(4),
        "min_lr": draw.choice([0.0, 1e-4, 2e-3]),
    }
    rate = draw.choice([0.01, 0.1])
    return {"callback": "ReduceLROnPlateau", "settings": settings, "rate": rate, "values": values}


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: f"{case['callback']}: {case['name']}")
def test_as_recorded(case: dict[str, Any]) -> None:
    assert case["facts"] == our_facts(case)


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")
def test_as_keras_does_here_and_now() -> None:
    assert keras_facts(RECORDED) == [case["facts"] for case in RECORDED]
    draw = random.Random(0)
    cases = [drawn_case(draw) for _ in range(300)]
    for case, facts in zip(cases, keras_facts(cases), strict=True):
        assert facts == our_facts(case), case
