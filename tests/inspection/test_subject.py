"""Networks to look into: named, trained, and what cannot be asked of them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from convlens.core.classifier import Classifier
from convlens.core.errors import ConvlensError
from convlens.core.input_spec import InputSpec
from convlens.core.reporter import Quiet
from convlens.inspection.subject import (
    Subject,
    named_subject,
    trained_subject,
    validate_options,
)
from convlens.models import ModelSpec, build


class Told(Quiet):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def warn(self, text: str) -> None:
        self.lines.append(text)


def test_random_weights_are_said_and_depend_on_the_seed_alone() -> None:
    told = Told()
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    first = named_subject(ModelSpec(name="simple"), reporter=told)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert told.lines == ["simple has random weights: it has learned nothing yet"]
    assert first.name == "simple with random weights"
    assert not first.classifier.training
    assert first.classes == tuple(f"class {number}" for number in range(10))
    torch.manual_seed(6)
    again = named_subject(ModelSpec(name="simple"), reporter=Quiet()).classifier.state_dict()
    other = named_subject(ModelSpec(name="simple"), seed=1, reporter=Quiet()).classifier
    for name, tensor in first.classifier.state_dict().items():
        assert torch.equal(tensor, again[name])
    assert not torch.equal(other.state_dict()["head.dense1.weight"], again["head.dense1.weight"])


def test_a_named_network_has_its_published_input_unless_told() -> None:
    assert named_subject(ModelSpec(name="simple"), reporter=Quiet()).classifier.input_spec == (
        InputSpec(height=28, width=28, channels=1)
    )
    own = named_subject(
        ModelSpec(name="standard"), input_shape=(1, 16, 24), classes=3, reporter=Quiet()
    )
    assert own.classifier.input_spec.shape == (1, 16, 24)
    assert len(own.classes) == 3


def test_a_network_in_the_notation_needs_its_input() -> None:
    spec = ModelSpec(layers="conv 4 3 relu, globalavgpool, dense")
    with pytest.raises(ConvlensError, match="pass --input"):
        named_subject(spec, reporter=Quiet())
    found = named_subject(spec, input_shape=(3, 8, 8), reporter=Quiet())
    assert found.name == "a network in the layer notation with random weights"


def test_weights_from_a_file_are_loaded_with_the_normalization_they_expect(tmp_path: Path) -> None:
    spec = InputSpec(height=32, width=32)
    with torch.random.fork_rng():
        donor = build(ModelSpec(name="resnet18", small_stem=False), spec, classes=4)
    save_file(donor.state_dict(), tmp_path / "mine.safetensors")
    told = Told()
    found = named_subject(
        ModelSpec(name="resnet18"),
        weights=tmp_path / "mine.safetensors",
        input_shape=(3, 32, 32),
        classes=4,
        reporter=told,
    )
    assert found.name == "resnet18 with weights from mine.safetensors"
    assert found.classifier.input_spec.mean == (0.485, 0.456, 0.406)
    assert not any("random" in line for line in told.lines)
    for name, tensor in donor.state_dict().items():
        assert torch.equal(tensor, found.classifier.state_dict()[name])


def test_both_kinds_of_weights_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConvlensError, match="both given; choose one"):
        named_subject(
            ModelSpec(name="vgg16"), pretrained=True, weights=tmp_path / "a.pth", reporter=Quiet()
        )


def test_a_network_never_published_has_no_published_weights() -> None:
    with pytest.raises(ConvlensError, match="'simple' has no published weights"):
        named_subject(ModelSpec(name="simple"), pretrained=True, reporter=Quiet())


def test_a_classifier_of_ones_own_numbers_its_classes() -> None:
    net = Classifier({"a": nn.Conv2d(3, 2, 3)}, nn.Flatten(), InputSpec(height=4, width=4))
    net.train()
    assert trained_subject("mine", net).classes == tuple(f"class {n}" for n in range(8))
    assert net.training
    with pytest.raises(ConvlensError, match="model is a Conv2d; expected"):
        trained_subject("mine", nn.Conv2d(1, 1, 1))  # type: ignore[arg-type]


def _subject(*classes: str) -> Subject:
    net = Classifier({"a": nn.Conv2d(3, 2, 3)}, nn.Flatten(), InputSpec(height=4, width=4))
    return trained_subject("mine", net, classes)


@pytest.mark.parametrize(("wanted", "number"), [("daisy", 0), ("1", 2), (1, 1), ("2", 2), (0, 0)])
def test_a_class_is_meant_by_its_name_before_its_number(wanted: str | int, number: int) -> None:
    assert _subject("daisy", "rose", "1").class_number(wanted) == number


@pytest.mark.parametrize("wanted", ["dasy", "3", "-1", 3, -1])
def test_an_unknown_class_is_told(wanted: str | int) -> None:
    with pytest.raises(ConvlensError, match="Known: daisy, rose, tulip"):
        _subject("daisy", "rose", "tulip").class_number(wanted)
    with pytest.raises(ConvlensError, match="numbers its classes from 0 to 2"):
        _subject("class 0", "class 1", "class 2").class_number(wanted)


def test_a_trained_network_has_everything_already() -> None:
    validate_options({"pretrained": False, "weights": None, "input": None})
    with pytest.raises(ConvlensError, match="--pretrained, --input can be asked of a network by"):
        validate_options({"pretrained": True, "weights": None, "input": "28x28x1"})
