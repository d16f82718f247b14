import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from convlens.core.errors import ConvlensError
from convlens.models import ModelSpec


def test_a_description_survives_json() -> None:
    spec = ModelSpec(
        layers=["conv 8 3 same relu, maxpool 2", "flatten", "dense"],
        head="globalavgpool, dense",
        weights=Path("w.safetensors"),
    )
    assert spec.layers == ("conv 8 3 same relu", "maxpool 2", "flatten", "dense")
    assert ModelSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one of name and layers"),
        ({"name": "vgg16", "layers": "flatten, dense"}, "exactly one of name and layers"),
        ({"name": "vgg_16"}, "did you mean 'vgg16'"),
        ({"layers": "conv 8 3 sme"}, "did you mean 'same'"),
        ({"name": "vgg16", "head": "dense"}, "must turn the feature map into a vector"),
        ({"name": "vgg16", "head": "globlavgpool, dense"}, "did you mean 'globalavgpool'"),
        ({"name": "vgg16", "pretrained": True, "weights": "a.pth"}, "choose one"),
        ({"name": "resnet18", "pretrained": True, "small_stem": True}, "published stem"),
        ({"name": "mobilenet_v2", "pretrained": True, "width": 0.5}, "width 1"),
        ({"name": "simple", "pretrained": True}, "'simple' has no published weights; .*vgg16"),
        ({"layers": "flatten, dense", "pretrained": True}, "has no published weights"),
        ({"name": "vgg16", "head": "globalavgpool, dense", "dropout": 0.1}, "in the head's own"),
        ({"name": "vgg16", "stages": ["a"]}, "a file of your own"),
        ({"name": "a.py:f", "width": 0.5}, "set them in your own function"),
        ({"name": "a.py:f", "pretrained": True}, "has no published weights"),
        ({"name": "a.py:f", "source": "x = 1"}, "source and source_sha256 go together"),
    ],
)
def test_what_contradicts_itself_is_refused_at_once(
    fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ConvlensError, match=message) as caught:
        ModelSpec.model_validate(fields)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "vgg16", "width": 0},
        {"name": "vgg16", "dropout": 1.0},
        {"name": "vgg16", "color": "red"},
        {"layers": 3},
        {"name": "a.py:f", "source": "", "source_sha256": "abc"},
    ],
)
def test_values_out_of_range_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ModelSpec.model_validate(fields)


def test_it_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        ModelSpec(name="vgg16").name = "vgg19"  # type: ignore[misc]


def test_a_description_needs_no_torch() -> None:
    script = (
        "import sys; from convlens.models import ModelSpec, imagenet_normalization;"
        "ModelSpec(name='vgg16', pretrained=True, head='globalavgpool, dense');"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
