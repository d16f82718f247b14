import json

import numpy as np
import pytest
from scipy.special import log_softmax

from convlens.core.errors import ConvlensError, WorkFailedError
from convlens.evaluation import SelectiveSettings
from convlens.prediction import Calibration
from convlens.runs.metrics import (
    FEWEST_TO_FIT,
    Answers,
    calibrate,
    judge,
    promised_anew,
    selective_json,
)

CLASSES = tuple("abcde")


def answers(n: int, seed: int, factor: float = 2.0) -> Answers:
    """Of a network whose logits are too large by a factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 5))
    shares = np.exp(log_softmax(logits, axis=1)).cumsum(axis=1)
    labels = (shares < rng.random((n, 1))).sum(axis=1).clip(0, 4)
    return Answers(logits=(factor * logits).astype(np.float32), labels=labels)


def test_the_temperature_comes_from_the_deciding_images_and_the_rule_from_the_others() -> None:
    asked = SelectiveSettings(coverage=0.9)
    calibration, reason = calibrate(answers(4000, 0), answers(500, 1), asked)
    assert reason is None
    assert calibration.temperature == pytest.approx(2.0, rel=0.1)
    assert (calibration.fitted_on, calibration.images) == (4000, 500)
    assert calibration.selective is not None
    assert calibration.selective.n == 500
    other, _ = calibrate(answers(4000, 0), answers(500, 2), asked)
    assert other.temperature == calibration.temperature
    assert other.selective != calibration.selective


@pytest.mark.parametrize(("calibrating", "coverage"), [(59, 0.9), (199, 0.95)])
def test_the_promise_holds_after_the_temperature_without_excess(
    calibrating: int, coverage: float
) -> None:
    """Over many calibration sets, the temperature fitted anew each time on few images."""
    others = answers(4000, 99)
    covered = []
    for seed in range(250):
        calibration, _ = calibrate(
            answers(60, 2 * seed),
            answers(calibrating, 2 * seed + 1),
            SelectiveSettings(coverage=coverage),
        )
        assert calibration.selective is not None
        own = calibration.probabilities(others.logits)[np.arange(4000), others.labels]
        covered.append((own >= calibration.selective.candidate_from).mean())
    assert coverage - 0.008 <= np.mean(covered) <= coverage + 1 / (calibrating + 1) + 0.008


def test_few_images_give_no_temperature_and_no_promise() -> None:
    few, none = answers(FEWEST_TO_FIT - 1, 0), answers(0, 0)
    calibration, reason = calibrate(few, none, SelectiveSettings())
    assert calibration == Calibration()
    assert reason is not None
    assert "kept apart" in reason
    calibration, reason = calibrate(answers(40, 0), answers(20, 1), SelectiveSettings())
    assert calibration.fitted_on == 40
    assert calibration.selective is not None
    calibration, reason = calibrate(
        answers(40, 0), answers(20, 1), SelectiveSettings(error_rate=0.05)
    )
    assert (calibration.images, calibration.selective) == (20, None)
    assert reason is not None
    assert "it takes 59" in reason


def test_a_broken_network_is_not_taken_for_one_that_promises_nothing() -> None:
    broken = answers(60, 0)
    broken.logits[3] = np.nan
    with pytest.raises(WorkFailedError):
        calibrate(answers(0, 0), broken, SelectiveSettings())


def test_another_promise_leaves_the_temperature() -> None:
    before, _ = calibrate(answers(400, 0), answers(400, 1), SelectiveSettings())
    after = promised_anew(before, answers(400, 1), SelectiveSettings(error_rate=0.3))
    assert after.temperature == before.temperature
    assert after.selective is not None
    assert after.selective.error_rate == 0.3
    with pytest.raises(ConvlensError, match="ask for a higher rate"):
        promised_anew(before, answers(400, 1), SelectiveSettings(error_rate=0.001))


def test_figures_before_and_after() -> None:
    calibration, _ = calibrate(answers(4000, 0), answers(400, 1), SelectiveSettings())
    judged = judge(calibration, answers(3000, 7), CLASSES)
    assert judged.figures.accuracy == judged.before.accuracy
    assert judged.figures.calibration_error < judged.before.calibration_error / 2
    told = json.loads(json.dumps(judged.calibration_json(), allow_nan=False))
    assert told["temperature"] == calibration.temperature
    assert (told["images"], told["n"]) == (4000, 3000)
    assert told["after"]["log_loss"] == judged.figures.log_loss < told["before"]["log_loss"]
    assert len(told["before"]["reliability"]) == 15
    rule = json.loads(json.dumps(selective_json(calibration.selective, judged.selective)))
    assert rule["rule"]["coverage"] == 0.95
    assert rule["figures"]["n"] == 3000
    assert rule["figures"]["coverage"] == pytest.approx(0.95, abs=0.03)
    plain = judge(Calibration(), answers(300, 7), CLASSES)
    assert plain.before is plain.figures
    assert plain.selective is None
