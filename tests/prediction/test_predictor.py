import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.input_spec import InputSpec
from convlens.evaluation import Abstaining
from convlens.models import ModelSpec
from convlens.prediction import Bundle, Calibration, Predictor

SPEC = InputSpec(height=1, width=3, channels=1)
RULE = Abstaining(coverage=0.9, candidate_from=0.2, n=50)


def predictor(calibration: Calibration, views: tuple[str, ...] = ()) -> Predictor:
    """A network whose logits are ten times the three pixels."""
    head = nn.Sequential(nn.Flatten(), nn.Linear(3, 3, bias=False))
    head[1].weight.data = 10 * torch.eye(3)
    bundle = Bundle(
        classifier=Classifier({}, head, SPEC),
        model=ModelSpec(layers="flatten, dense"),
        classes=("a", "b", "c"),
        calibration=calibration,
    )
    return Predictor(bundle, device="cpu", views=views)


def pixels(*rows: tuple[float, float, float]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 1, 3, 1)


def test_it_says_not_sure_with_every_candidate_the_likeliest_first() -> None:
    ours = predictor(Calibration(abstaining=RULE))
    sure, unsure = ours.predict(pixels((1, 0, 0), (0.0, 0.8, 0.84)), top=1)
    assert sure.sure is True
    assert [guess.name for guess in sure.candidates or ()] == ["a"]
    assert unsure.sure is False
    assert [guess.name for guess in unsure.candidates or ()] == ["c", "b"]
    assert len(unsure.top) == 1
    told = unsure.as_json()
    assert told["sure"] is False
    assert [named["class"] for named in told["candidates"]] == ["c", "b"]
    assert told["candidates"][0]["probability"] == told["top"][0]["probability"]


def test_without_a_rule_it_does_not_say_whether_it_is_sure() -> None:
    (found,) = predictor(Calibration()).predict(pixels((0.1, 0.1, 0.1)))
    assert (found.sure, found.candidates) == (None, None)
    assert found.as_json()["candidates"] is None


def test_the_temperature_changes_the_probabilities_and_neither_order_nor_strangeness() -> None:
    images = pixels((0.9, 0.5, 0.2), (0.0, 0.1, 0.3))
    cold, warm = (predictor(Calibration(temperature=t)).predict(images) for t in (1.0, 4.0))
    for one, other in zip(cold, warm, strict=True):
        assert [g.name for g in one.top] == [g.name for g in other.top]
        assert one.top[0].probability > other.top[0].probability
        assert one.unknown == other.unknown
    logits = 10 * np.round(images.reshape(-1, 3) * 255) / 255
    assert [p.unknown for p in cold] == pytest.approx((-logsumexp(logits, axis=1)).tolist(), 1e-5)


def test_views_average_the_logits_and_say_nothing_of_being_sure() -> None:
    images = pixels((0.2, 0.4, 1.0))
    plain = predictor(Calibration(abstaining=RULE))
    mirrored = predictor(Calibration(abstaining=RULE), views=("flip",))
    fitted = np.round(images * 255).astype(np.uint8)
    own = plain.logits(fitted)
    np.testing.assert_allclose(mirrored.logits(fitted), (own + own[:, ::-1]) / 2, atol=1e-5)
    (found,) = mirrored.predict(images)
    assert found.sure is None
    assert mirrored.abstaining is None
    assert plain.abstaining == RULE
