import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.special import expit, softmax

from convlens.core.input_spec import InputSpec
from convlens.evaluation import SelectiveRule
from convlens.models import ModelSpec, build
from convlens.prediction import Bundle, Calibration, Predictor

RULE = SelectiveRule(coverage=0.9, candidate_from=0.3, n=50)


@given(st.integers(0, 10**6), st.floats(0.05, 20))
def test_probabilities_are_the_softmax_of_logits_over_the_temperature(
    seed: int, temperature: float
) -> None:
    logits = np.random.default_rng(seed).normal(0, 5, (7, 4)).astype(np.float32)
    found = Calibration(temperature=temperature).probabilities(logits)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, softmax(logits / temperature, axis=1), atol=2e-5)


def test_a_network_with_one_output_is_calibrated_as_its_sigmoid() -> None:
    spec = InputSpec(height=8, width=8, channels=1)
    model = ModelSpec(layers="conv 4 3 relu, globalavgpool, dense", binary_output=True)
    net = build(model, spec, classes=2).eval()
    net.head[-1].weight.data *= 50
    pixels = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 1), dtype=np.uint8)
    plain = Predictor(Bundle(classifier=net, model=model, classes=("a", "b")), device="cpu")
    warm = Bundle(
        classifier=net, model=model, classes=("a", "b"), calibration=Calibration(temperature=2.5)
    )
    logits = plain.logits(pixels)
    assert logits.shape == (9, 2)
    z = logits[:, 1] - logits[:, 0]
    found = Predictor(warm, device="cpu").probabilities(pixels)
    np.testing.assert_allclose(found[:, 1], expit(z / 2.5), atol=1e-6)
    assert np.ptp(found[:, 1]) > 1e-3


def test_it_survives_json() -> None:
    calibration = Calibration(temperature=1.3, fitted_on=120, images=60, selective=RULE)
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(ValidationError):
        Calibration(temperature=temperature)
