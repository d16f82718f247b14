import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.evaluation import SelectiveRule
from convlens.models import ModelSpec, build
from convlens.prediction import (
    Bundle,
    Calibration,
    Predictor,
    TrainingImages,
    load_bundle,
    recalibrate,
    save_bundle,
)

SPEC = InputSpec(height=12, width=16, channels=3, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def bundle(model: ModelSpec | None = None) -> Bundle:
    model = model or ModelSpec(layers="conv 8 3 same relu, batchnorm, globalavgpool, dense")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = build(model, SPEC, classes=3, trust_code=True)
        net(torch.rand(8, 3, 12, 16))  # gives batch normalization statistics to keep
    return Bundle(classifier=net, model=model, classes=("a", "b", "ü"), metrics={"test": None})


def images(n: int = 5) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, 12, 16, 3), dtype=np.uint8)


def test_a_bundle_comes_back_bit_for_bit(tmp_path: Path) -> None:
    saved = bundle()
    save_bundle(saved, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert (loaded.classes, loaded.model, loaded.input_spec) == (saved.classes, saved.model, SPEC)
    assert loaded.metrics == {"test": None}
    for name, tensor in saved.classifier.state_dict().items():
        assert torch.equal(tensor, loaded.classifier.state_dict()[name])
    assert not loaded.classifier.training


def test_tied_weights_are_kept(tmp_path: Path) -> None:
    saved = bundle(ModelSpec(layers="conv 3 1, conv 3 1, globalavgpool, dense"))
    convolutions = [m for m in saved.classifier.modules() if isinstance(m, torch.nn.Conv2d)]
    convolutions[1].weight = convolutions[0].weight
    save_bundle(saved, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    for name, tensor in saved.classifier.state_dict().items():
        assert torch.equal(tensor, loaded.classifier.state_dict()[name])


def test_loading_leaves_the_callers_generator_alone(tmp_path: Path) -> None:
    save_bundle(bundle(), tmp_path / "bundle")
    before = torch.get_rng_state()
    load_bundle(tmp_path / "bundle")
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("damage", [{"input": "64"}, {"input": {"channels": 10**12}}, {"model": 3}])
def test_a_manifest_of_another_form_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    save_bundle(bundle(), tmp_path / "bundle")
    file = tmp_path / "bundle" / "bundle.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | damage))
    with pytest.raises(ConvlensError, match="damaged"):
        load_bundle(tmp_path / "bundle")


def test_a_bundle_is_json_and_safetensors_alone(tmp_path: Path) -> None:
    save_bundle(bundle(), tmp_path / "bundle")
    assert sorted(f.name for f in (tmp_path / "bundle").iterdir()) == [
        "bundle.json",
        "model.safetensors",
    ]
    manifest = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    assert manifest["format_version"] == 2
    assert manifest["classes"] == ["a", "b", "ü"]
    assert manifest["input"]["mean"] == [0.5, 0.4, 0.3]


def test_training_images_travel_and_an_earlier_bundle_has_none(tmp_path: Path) -> None:
    known = TrainingImages(kind="files", digests=np.array([3, 5, 2**63], np.uint64))
    save_bundle(replace(bundle(), training_images=known), tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle").training_images
    assert loaded is not None
    assert (loaded.kind, loaded.digests.tolist()) == ("files", [3, 5, 2**63])
    save_bundle(bundle(), tmp_path / "earlier")
    assert load_bundle(tmp_path / "earlier").training_images is None


@pytest.mark.parametrize(
    "damage", [{"count": 2}, {"count": "3"}, {"kind": "songs"}, {"kind": [1]}, 7, [], ""]
)
def test_damaged_training_images_are_refused(tmp_path: Path, damage: object) -> None:
    known = TrainingImages(kind="files", digests=np.array([3, 5, 8], np.uint64))
    save_bundle(replace(bundle(), training_images=known), tmp_path / "bundle")
    file = tmp_path / "bundle" / "bundle.json"
    manifest = json.loads(file.read_text())
    if isinstance(damage, dict):
        manifest["training_images"] |= damage
    else:
        manifest["training_images"] = damage
    file.write_text(json.dumps(manifest))
    with pytest.raises(ConvlensError, match="training_images.bin is damaged"):
        load_bundle(tmp_path / "bundle")


def test_the_calibration_travels_and_can_be_replaced_without_the_weights(tmp_path: Path) -> None:
    rule = SelectiveRule(coverage=0.9, candidate_from=0.3, n=60)
    calibration = Calibration(temperature=1.5, fitted_on=120, images=60, selective=rule)
    folder = tmp_path / "bundle"
    save_bundle(replace(bundle(), calibration=calibration), folder)
    assert load_bundle(folder).calibration == calibration
    weights = (folder / "model.safetensors").read_bytes()
    other = calibration.model_copy(update={"selective": None})
    assert recalibrate(folder, other, {"test": {"accuracy": 1.0}}) == folder
    again = load_bundle(folder)
    assert (again.calibration, again.metrics) == (other, {"test": {"accuracy": 1.0}})
    assert (folder / "model.safetensors").read_bytes() == weights


def test_a_bundle_of_the_first_format_is_read_as_not_calibrated(tmp_path: Path) -> None:
    save_bundle(bundle(), tmp_path / "bundle")
    path = tmp_path / "bundle" / "bundle.json"
    manifest = json.loads(path.read_text())
    del manifest["calibration"]
    path.write_text(json.dumps(manifest | {"format_version": 1}))
    old = load_bundle(tmp_path / "bundle")
    assert old.calibration == Calibration()
    np.testing.assert_array_equal(
        Predictor(old, device="cpu").probabilities(images()),
        Predictor(bundle(), device="cpu").probabilities(images()),
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"format_version": 3}, "unknown-bundle-format"),
        ({"calibration": {"temperature": 0}}, "damaged-bundle"),
        ({"calibration": None}, "damaged-bundle"),
    ],
)
def test_a_calibration_that_cannot_be_used_is_refused(
    tmp_path: Path, change: dict[str, object], code: str
) -> None:
    save_bundle(bundle(), tmp_path / "bundle")
    path = tmp_path / "bundle" / "bundle.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ConvlensError) as caught:
        load_bundle(tmp_path / "bundle")
    assert caught.value.code == code


def test_predicting_never_changes_the_network() -> None:
    ours = bundle()
    ours.classifier.train()
    before = {n: t.clone() for n, t in ours.classifier.state_dict().items()}
    Predictor(ours, device="cpu").predict(images())
    for name, tensor in ours.classifier.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_probabilities_agree_whatever_the_batch() -> None:
    predictor = Predictor(bundle(), device="cpu")
    pixels = images(40)
    together = predictor.probabilities(pixels)
    alone = np.concatenate([predictor.probabilities(pixels[i : i + 1]) for i in range(40)])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-6)


def test_the_most_probable_come_first_and_floats_are_the_same_picture() -> None:
    predictor = Predictor(bundle(), device="cpu")
    (one,) = predictor.predict(images(1), top=2)
    assert len(one.top) == 2
    assert one.top[0].probability >= one.top[1].probability
    (same,) = predictor.predict(images(1) / np.float32(255), top=2)
    assert same == one


@pytest.mark.parametrize("top", [0, -1])
def test_no_class_to_name_is_no_request(top: int) -> None:
    with pytest.raises(ConvlensError, match="at least 1"):
        Predictor(bundle(), device="cpu").predict(images(1), top=top)


def test_gray_arrays_are_read_as_gray_files_are_and_other_channels_refused() -> None:
    predictor = Predictor(bundle(), device="cpu")
    gray = images()[..., :1]
    assert predictor.predict(gray) == predictor.predict(np.repeat(gray, 3, axis=3))
    with pytest.raises(ConvlensError, match="channels"):
        predictor.predict(np.zeros((2, 12, 16, 2), np.uint8))


def test_a_network_of_the_users_own_travels_as_text_and_runs_only_when_trusted(
    tmp_path: Path,
) -> None:
    code = tmp_path / "mine.py"
    code.write_text(
        "from torch import nn\n"
        "def build(classes):\n"
        "    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1),\n"
        "                         nn.Flatten(), nn.Linear(4, classes))\n"
    )
    saved = bundle(ModelSpec(name=f"{code}:build"))
    save_bundle(saved, tmp_path / "bundle")
    code.unlink()
    assert str(tmp_path) not in (tmp_path / "bundle" / "bundle.json").read_text()
    with pytest.raises(ConvlensError, match="--trust-code"):
        load_bundle(tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle", trust_code=True)
    x = torch.rand(2, 3, 12, 16)
    torch.testing.assert_close(loaded.classifier(x), saved.classifier.eval()(x))


def test_a_bundle_copied_without_its_training_images_loads(tmp_path: Path) -> None:
    known = TrainingImages(kind="files", digests=np.array([3, 5, 8], np.uint64))
    save_bundle(replace(bundle(), training_images=known), tmp_path / "bundle")
    (tmp_path / "bundle" / "training_images.bin").unlink()
    assert load_bundle(tmp_path / "bundle").training_images is None
