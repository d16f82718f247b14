from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.special import logsumexp
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.data import decode, pixels_of
from convlens.evaluation import SelectiveRule
from convlens.models import ModelSpec
from convlens.prediction import Bundle, Calibration, Prediction, Predictor

SPEC = InputSpec(height=1, width=3, channels=1)
RULE = SelectiveRule(coverage=0.9, candidate_from=0.2, n=50)


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
    ours = predictor(Calibration(selective=RULE))
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
    plain = predictor(Calibration(selective=RULE))
    mirrored = predictor(Calibration(selective=RULE), views=("flip",))
    fitted = np.round(images * 255).astype(np.uint8)
    own = plain.logits(fitted)
    np.testing.assert_allclose(mirrored.logits(fitted), (own + own[:, ::-1]) / 2, atol=1e-5)
    (found,) = mirrored.predict(images)
    assert found.sure is None
    assert mirrored.selective is None
    assert plain.selective == RULE


def colored() -> Predictor:
    """A network that names the channel with the highest mean of an 8×8 image."""
    spec = InputSpec(height=8, width=8, channels=3)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3, bias=False))
    head[2].weight.data = 10 * torch.eye(3)
    bundle = Bundle(
        classifier=Classifier({}, head, spec),
        model=ModelSpec(layers="globalavgpool, dense"),
        classes=("red", "green", "blue"),
        calibration=Calibration(),
    )
    return Predictor(bundle, device="cpu")


def plain(color: int, value: int = 200) -> np.ndarray:
    image = np.full((10, 9, 3), 20, np.uint8)
    image[..., color] = value
    return image


def names(found: list[Prediction]) -> list[str]:
    return [prediction.top[0].name for prediction in found]


def test_one_image_alone_has_one_answer() -> None:
    ours, image = colored(), plain(2)
    picture = Image.fromarray(image)
    content = BytesIO()
    picture.save(content, "PNG")
    for given in (image, picture, image / 255, torch.from_numpy(image), content.getvalue()):
        assert names(ours.predict(given)) == ["blue"]
    assert len(ours.predict(image[..., 0])) == 1
    with pytest.raises(ConvlensError, match="channels first"):
        ours.predict(image.transpose(2, 0, 1))
    with pytest.raises(ConvlensError, match="flattened"):
        ours.predict(np.zeros((50, 192), np.uint8))
    with pytest.raises(ConvlensError, match="is empty"):
        ours.predict([])


def test_a_palette_gives_the_probabilities_of_its_colors() -> None:
    picture = Image.fromarray(plain(1))
    for mode in ("P", "CMYK", "YCbCr", "HSV", "RGBA"):
        one, other = colored().predict([picture, picture.convert(mode)])
        assert one.top[0].probability == pytest.approx(other.top[0].probability, abs=0.01)


def test_a_list_may_mix_kinds_and_keeps_its_order_and_loses_only_what_is_damaged(
    tmp_path: Path,
) -> None:
    for color in range(3):
        (tmp_path / "folder").mkdir(exist_ok=True)
        Image.fromarray(plain(color)).save(tmp_path / "folder" / f"{color}.png")
    blue = tmp_path / "folder" / "2.png"
    (tmp_path / "bad.png").write_bytes(blue.read_bytes()[:45])
    given = [
        blue,
        plain(0),
        Image.fromarray(plain(1)).convert("F"),
        tmp_path / "bad.png",
        b"no image",
        tmp_path / "folder",
        Image.fromarray(plain(1)),
        blue.read_bytes(),
    ]
    ours = colored()
    found = ours.predict(image for image in given)
    assert names(found) == ["blue", "red", "red", "green", "blue", "green", "blue"]
    assert [found[n].path for n in (0, 1, 4)] == [str(blue), None, str(blue)]
    assert [file.path for file in ours.skipped] == ["image 2", str(tmp_path / "bad.png"), "image 4"]
    assert "32-bit" in ours.skipped[0].reason
    with pytest.raises(ConvlensError, match=r"none of 1 image could be read \(image 0: "):
        ours.predict(b"no image")


def test_training_and_prediction_make_the_same_pixels_of_an_array() -> None:
    ours = colored()
    for images in (
        [Image.fromarray(plain(2)).convert("P"), Image.fromarray(plain(1))],
        np.stack([plain(2), plain(1)]).transpose(0, 3, 1, 2) / 255,
        np.stack([plain(2), plain(1)]) > 100,
    ):
        stacked, _ = pixels_of(images)
        trained_on = np.stack([decode(image, ours.bundle.input_spec) for image in stacked])
        for one, other in zip(
            ours.predict(images), ours.probabilities(trained_on).max(axis=1), strict=True
        ):
            assert one.top[0].probability == pytest.approx(float(other), abs=1e-6)
